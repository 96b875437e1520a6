import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/program.js';
import { CapturedConsole } from '../../support/captured-console.js';

async function scriptOf(shell: string): Promise<string> {
  const io = new CapturedConsole();
  expect(await runCli(['completion', shell], io)).toBe(0);
  return io.out;
}

/** Runs a script in bash behind the completion, with bash's strictest settings. */
const inBash = async (run: string): Promise<string> =>
  execFileSync('bash', ['--norc', '-c', `set -euo pipefail\n${await scriptOf('bash')}\n${run}`], { encoding: 'utf8' });

/** What bash offers for lines whose last words are being written. */
async function allOffered(lines: readonly (readonly string[])[]): Promise<string[][]> {
  const runs = lines.map((words) => {
    const array = ['sip2wa', ...words].map((word) => `'${word}'`).join(' ');
    return `COMP_WORDS=(${array}); COMP_CWORD=${words.length}; COMPREPLY=(); _sip2wa; printf '%s\\n' "\${COMPREPLY[@]}" =====`;
  });
  const said = (await inBash(runs.join('\n'))).split('=====\n').slice(0, -1);
  return said.map((one) => one.split('\n').filter(Boolean));
}

const offered = async (...words: string[]): Promise<string[]> => (await allOffered([words]))[0] ?? [];

const neverRun = (): Promise<number> => Promise.reject(new Error('a command was run'));

/** What `--help` prints; no command is ever run for it, were it not one. */
const helpOf = async (path: readonly string[]): Promise<string> => {
  const io = new CapturedConsole();
  await runCli([...path, '--help'], io, { run: neverRun, demo: neverRun });
  return io.out;
};

describe('completion in bash', () => {
  it.each([
    [[''], ['run', 'calls', 'call', 'settings', 'completion', '--version']],
    [['ca'], ['calls', 'call']],
    [
      ['call', ''],
      ['show', 'trace', 'hangup', '--help'],
    ],
    [
      ['call', 'show', '01JD3Q', '--'],
      ['--config', '--json', '--help'],
    ],
    [['settings', 'a'], ['apply']],
    [['settings', 'apply', '--d'], ['--dry-run']],
    [['log-level', 'd'], ['debug']],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['--'], ['--version', '--help']],
  ])('%j', async (words, some) => {
    const all = await offered(...words);
    expect(all).toEqual(expect.arrayContaining(some));
    for (const word of all) expect(word.startsWith(words.at(-1) ?? '')).toBe(true);
  });

  it('offers files where a file is wanted', async () => {
    expect(await offered('check', '--config', 'package.js')).toEqual(['package.json']);
  });

  it('is registered for sip2wa when its output is sourced', async () => {
    expect(await inBash('complete -p sip2wa')).toBe('complete -F _sip2wa sip2wa\n');
  });

  it('offers of every command what its own help lists: commands and long options', async () => {
    const paths: string[][] = [[]];
    const wanted: string[][] = [];
    for (const path of paths) {
      const help = await helpOf(path);
      const [, listed = ''] = /^Commands:\n((?: .*\n)+)/m.exec(help) ?? [];
      const commands = [...listed.matchAll(/^ {2}([a-z][a-z-]*)/gm)].map(([, name = '']) => name);
      const own = commands.filter((name) => name !== 'help');
      paths.push(...own.map((name) => [...path, name]));
      const options = [...help.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag = '']) => flag);
      wanted.push([...own, ...options]);
    }
    expect(paths.length).toBeGreaterThan(25);
    const all = await allOffered(paths.map((path) => [...path, '']));
    for (const [at, path] of paths.entries())
      expect([path, all[at]]).toEqual([path, expect.arrayContaining(wanted[at]!)]);
    expect(wanted[paths.findIndex((path) => path.join(' ') === 'call hangup')]).toContain('--yes');
  });

  it('offers files with spaces in their names whole', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sip2wa-completion-'));
    writeFileSync(join(folder, 'my file.yaml'), '');
    expect(await offered('check', '-c', join(folder, 'my'))).toEqual([join(folder, 'my file.yaml')]);
    rmSync(folder, { recursive: true });
  });

  it('does not offer what belongs to other commands', async () => {
    expect(await offered('call', 'show', '--w')).toEqual([]);
    expect(await offered('calls', '--w')).toEqual(['--watch']);
  });
});

describe('completion in other shells', () => {
  it.each(['zsh', 'fish'])('%s knows every command with its description', async (shell) => {
    const script = await scriptOf(shell);
    const help = await helpOf([]);
    const commands = [...help.matchAll(/^ {2}([a-z-]+) (?:\[|<| )/gm)].map(([, name = '']) => name);
    expect(commands.length).toBeGreaterThan(15);
    for (const command of commands.filter((name) => name !== 'help'))
      expect(script).toMatch(new RegExp(`'${command}[:']`));
    expect(script.match(/'/g)?.length ?? 1).toSatisfy((quotes: number) => quotes % 2 === 0);
  });

  it('of an unknown shell is a mistake', async () => {
    const io = new CapturedConsole();
    expect(await runCli(['completion', 'tcsh'], io)).toBe(2);
    expect(await runCli(['completion'], io)).toBe(2);
  });
});
