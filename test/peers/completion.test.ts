import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.js';
import { CapturedConsole } from '../support/captured-console.js';
import { requireProgram } from '../support/peers/child.js';
import { ShellTerminal } from '../support/peers/shell-terminal.js';

const run = promisify(execFile);

// The scripts of `sip2wa completion`, put where its help says, in the shells themselves: somebody types and presses Tab.

let folder: string;
let path: string;

async function scriptOf(shell: string): Promise<string> {
  const io = new CapturedConsole();
  expect(await runCli(['completion', shell], io)).toBe(0);
  return io.out;
}

/** Writes the script of a shell where it looks for it. */
async function install(shell: string, ...below: readonly string[]): Promise<string> {
  const file = join(folder, ...below);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, await scriptOf(shell));
  return file;
}

beforeAll(() => {
  for (const program of ['bash', 'zsh', 'fish', 'script']) requireProgram(program);
  folder = mkdtempSync(join(tmpdir(), 'sip2wa-shells-'));
  mkdirSync(join(folder, 'bin'));
  const program = join(folder, 'bin', 'sip2wa');
  writeFileSync(program, '#!/bin/sh\nexit 0\n');
  chmodSync(program, 0o755);
  path = `${join(folder, 'bin')}:${process.env['PATH']}`;
  writeFileSync(join(folder, 'bridge-of-mine.yaml'), '');
});
afterAll(() => rmSync(folder, { recursive: true }));

const start = (shell: 'bash' | 'zsh', setup: readonly string[]): Promise<ShellTerminal> =>
  ShellTerminal.start(shell, setup, { cwd: folder, path });

const zshSetup = (...more: readonly string[]): string[] => [
  'unsetopt AUTO_MENU PROMPT_SP BEEP',
  ...more,
  'autoload -Uz compinit && compinit -u -D',
];

const terminals: readonly (readonly [string, () => Promise<ShellTerminal>])[] = [
  ['bash, sourced', async () => start('bash', [`source ${await install('bash', 'completion.bash')}`])],
  [
    'zsh, from its function path',
    async () => {
      await install('zsh', 'functions', '_sip2wa');
      return start('zsh', zshSetup(`fpath=(${join(folder, 'functions')} $fpath)`));
    },
  ],
  ['zsh, sourced', async () => start('zsh', [...zshSetup(), `source ${await install('zsh', 'completion.zsh')}`])],
];

describe.each(terminals)('Tab in %s', (_, open) => {
  let terminal: ShellTerminal;
  afterEach(() => terminal.stop());

  it('completes commands, options and files, and offers what there is to choose from', async () => {
    terminal = await open();
    // the very first Tab of the shell, too
    expect(await terminal.lineAfter('sip2wa settings app\t')).toBe('sip2wa settings apply ');
    expect(await terminal.lineAfter('sip2wa ca\t')).toBe('sip2wa call');
    expect(await terminal.screenAfter('sip2wa call\t\t', /\bcalls\b/)).toMatch(/\bcall\b/);
    expect(await terminal.screenAfter('sip2wa permissions \t\t', /\brequest\b/)).toMatch(/\bget\b/);
    expect(await terminal.lineAfter('sip2wa completion fi\t')).toBe('sip2wa completion fish ');
    expect(await terminal.lineAfter('sip2wa call trace 01M82J --pc\t')).toBe('sip2wa call trace 01M82J --pcap ');
    expect(await terminal.lineAfter('sip2wa check --config bridge-\t')).toMatch(
      /^sip2wa check --config bridge-of-mine\.yaml ?$/,
    );
  });

  it('offers nothing that belongs to another command', async () => {
    terminal = await open();
    expect(await terminal.lineAfter('sip2wa calls --wat\t')).toBe('sip2wa calls --watch ');
    expect(await terminal.lineAfter('sip2wa call show --wat\t')).toBe('sip2wa call show --wat');
  });
});

describe('Tab in fish', () => {
  /** What is offered at the end of a line: words and their descriptions. */
  async function offered(line: string): Promise<Map<string, string>> {
    await install('fish', 'config', 'fish', 'completions', 'sip2wa.fish');
    const env = {
      PATH: path,
      HOME: folder,
      XDG_CONFIG_HOME: join(folder, 'config'),
      XDG_DATA_HOME: join(folder, 'data'),
    };
    const { stdout, stderr } = await run('fish', ['-c', `complete -C '${line}'`], { env, cwd: folder });
    expect(stderr).toBe('');
    const words = stdout
      .split('\n')
      .filter(Boolean)
      .map((one) => one.split('\t'));
    return new Map(words.map(([word = '', description = '']) => [word, description]));
  }

  it('offers commands, with their descriptions, options and files', async () => {
    const calls = await offered('sip2wa ca');
    expect([...calls.keys()].sort()).toEqual(['call', 'calls']);
    expect(calls.get('calls')).not.toBe('');
    expect([...(await offered('sip2wa settings app')).keys()]).toEqual(['apply']);
    expect([...(await offered('sip2wa permissions ')).keys()].sort()).toEqual(['get', 'request']);
    expect([...(await offered('sip2wa completion fi')).keys()]).toEqual(['fish']);
    expect([...(await offered('sip2wa call trace 01M82J --pc')).keys()]).toEqual(['--pcap']);
    expect([...(await offered('sip2wa check --config bridge-')).keys()]).toEqual(['bridge-of-mine.yaml']);
  });

  it('offers nothing that belongs to another command', async () => {
    expect([...(await offered('sip2wa calls --wat')).keys()]).toEqual(['--watch']);
    expect([...(await offered('sip2wa call show --wat')).keys()]).toEqual([]);
    expect([...(await offered('sip2wa call show ')).keys()]).toEqual([]);
  });
});
