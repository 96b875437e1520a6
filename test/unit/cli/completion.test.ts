import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/program.js';

async function scriptOf(shell: string): Promise<string> {
  let out = '';
  const io = { stdout: (text: string) => void (out += text), stderr: () => undefined, env: {}, isTerminal: false };
  expect(await runCli(['completion', shell], io)).toBe(0);
  return out;
}

/** What bash offers for a line whose last word is being written. */
async function offered(...words: string[]): Promise<string[]> {
  const array = ['sip2wa', ...words].map((word) => `'${word}'`).join(' ');
  const run = `${await scriptOf('bash')}
COMP_WORDS=(${array}); COMP_CWORD=${words.length}; _sip2wa; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['--norc', '-c', run], { encoding: 'utf8' }).split('\n').filter(Boolean);
}

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

  it('does not offer what belongs to other commands', async () => {
    expect(await offered('call', 'show', '--w')).toEqual([]);
    expect(await offered('calls', '--w')).toEqual(['--watch']);
  });
});

describe('completion in other shells', () => {
  it.each(['zsh', 'fish'])('%s knows every command with its description', async (shell) => {
    const script = await scriptOf(shell);
    let help = '';
    const io = { stdout: (text: string) => void (help += text), stderr: () => undefined, env: {}, isTerminal: false };
    await runCli(['--help'], io);
    const commands = [...help.matchAll(/^ {2}([a-z-]+) (?:\[|<| )/gm)].map(([, name = '']) => name);
    expect(commands.length).toBeGreaterThan(15);
    for (const command of commands.filter((name) => name !== 'help'))
      expect(script).toMatch(new RegExp(`'${command}[:']`));
    expect(script.match(/'/g)?.length ?? 1).toSatisfy((quotes: number) => quotes % 2 === 0);
  });

  it('of an unknown shell is a mistake', async () => {
    const io = { stdout: () => undefined, stderr: () => undefined, env: {}, isTerminal: false };
    expect(await runCli(['completion', 'tcsh'], io)).toBe(2);
    expect(await runCli(['completion'], io)).toBe(2);
  });
});
