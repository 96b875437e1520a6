import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EXIT, type ConsoleIo } from '../../../src/cli/console-io.js';
import { sandboxCommand, type SandboxCommandOptions } from '../../../src/cli/sandbox.js';

let folder: string;
let out: string;
let err: string;
const io: ConsoleIo = {
  stdout: (text) => (out += text),
  stderr: (text) => (err += text),
  env: {},
  isTerminal: false,
};
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sip2wa-sandbox-'));
  out = err = '';
});
afterEach(() => rmSync(folder, { recursive: true }));

const file = (text: string): string => {
  const path = join(folder, 'sip2wa.yaml');
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};
const trunk = 'trunks: [{ name: pbx, servers: [{ hostname: 127.0.0.1 }] }]';
const numbers = (...names: string[]): string =>
  names
    .map((name, i) => `  - { id: "10561555571585${i}", number: "+1202555014${i}", name: ${name}, trunk: pbx }`)
    .join('\n');
const configured = (): string =>
  file(
    `graph: { access_token: token, app_secret: secret }\nwebhook: { verify_token: verify }\n${trunk}\nnumbers:\n${numbers('sales', 'support')}\n`,
  );

/** Runs the command to its end; it must never get so far as to wait for a signal. */
const run = (options: Partial<SandboxCommandOptions>): Promise<number> =>
  sandboxCommand({ user: '+12025550173', name: 'Rehearsal', port: '0', ...options }, io, () => {
    throw new Error('it started');
  });

describe('sip2wa sandbox refuses before it starts anything', () => {
  it.each<[string, Partial<SandboxCommandOptions>, RegExp]>([
    ['a user without country code', { user: '0171' }, /--user is a number with country code/],
    ['a user that is no number', { user: 'anna' }, /--user is a number with country code/],
    ['a port that is none', { port: 'http' }, /--port is a number from 0 to 65535/],
    ['a port beyond the last', { port: '65536' }, /--port is a number from 0 to 65535/],
    ['a negative port', { port: '-1' }, /--port is a number from 0 to 65535/],
    ['a number without a file', { number: 'sales' }, /--number goes with --config/],
    ['a PBX that is no address', { pbx: 'http://pbx' }, /--pbx wants HOST:PORT, for example/],
    ['a PBX with a port that is none', { pbx: 'pbx:99999' }, /--pbx wants HOST:PORT, for example/],
  ])('%s', async (_, options, message) => {
    expect(await run(options)).toBe(EXIT.usage);
    expect(err).toMatch(message);
    expect(err).toMatch(/^sip2wa sandbox: .*\n$/);
    expect(out).toBe('');
  });

  it('a PBX beside a file that has trunks of its own', async () => {
    expect(await run({ config: configured(), pbx: '127.0.0.1:5060' })).toBe(EXIT.usage);
    expect(err).toContain('--pbx goes without --config');
  });

  it('a number that the file does not have, and says which it may be', async () => {
    expect(await run({ config: configured(), number: 'suport' })).toBe(EXIT.usage);
    expect(err).toContain('did you mean support?');
  });

  it('a file without a number', async () => {
    const config = file('graph: { access_token: token, app_secret: secret }\nwebhook: { verify_token: verify }\n');
    expect(await run({ config })).not.toBe(EXIT.ok);
    expect(err).toMatch(/no number to rehearse with|numbers/);
  });

  it('a file with mistakes, each at its place', async () => {
    const config = file(`graph: { acces_token: token }\n${trunk}\n`);
    expect(await run({ config })).toBe(EXIT.failed);
    expect(err).toMatch(/acces_token/);
    expect(out).toBe('');
  });

  it('a file that is not there', async () => {
    expect(await run({ config: join(folder, 'none.yaml') })).toBe(EXIT.failed);
    expect(err).toContain('none.yaml');
  });
});
