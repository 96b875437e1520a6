import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { EXIT } from '../../../src/cli/console-io.js';
import { sandboxCommand, type SandboxCommandOptions } from '../../../src/cli/sandbox.js';
import { CapturedConsole } from '../../support/captured-console.js';
import { ConfigFile } from '../../support/config-file.js';

let said: CapturedConsole;
const folder = new ConfigFile();
beforeEach(() => void (said = new CapturedConsole()));
afterAll(() => folder.remove());

const file = (text: string): string => folder.beside('sip2wa.yaml', text);
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
  sandboxCommand({ user: '+12025550173', name: 'Rehearsal', port: '0', ...options }, said, () => {
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
    expect(said.err).toMatch(message);
    expect(said.err).toMatch(/^sip2wa sandbox: .*\n$/);
    expect(said.out).toBe('');
  });

  it('a PBX beside a file that has trunks of its own', async () => {
    expect(await run({ config: configured(), pbx: '127.0.0.1:5060' })).toBe(EXIT.usage);
    expect(said.err).toContain('--pbx goes without --config');
  });

  it('a number that the file does not have, and says which it may be', async () => {
    expect(await run({ config: configured(), number: 'suport' })).toBe(EXIT.usage);
    expect(said.err).toContain('did you mean support?');
  });

  it('a file without a number', async () => {
    const config = file('graph: { access_token: token, app_secret: secret }\nwebhook: { verify_token: verify }\n');
    expect(await run({ config })).not.toBe(EXIT.ok);
    expect(said.err).toMatch(/no number to rehearse with|numbers/);
  });

  it('a file with mistakes, each at its place', async () => {
    const config = file(`graph: { acces_token: token }\n${trunk}\n`);
    expect(await run({ config })).toBe(EXIT.failed);
    expect(said.err).toMatch(/acces_token/);
    expect(said.out).toBe('');
  });

  it('a file that is not there', async () => {
    expect(await run({ config: join(folder.folder, 'none.yaml') })).toBe(EXIT.failed);
    expect(said.err).toContain('none.yaml');
  });
});
