import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/program.js';
import { loadConfig } from '../../../src/config/load-config.js';
import { CapturedConsole } from '../../support/captured-console.js';
import { ConfigFile } from '../../support/config-file.js';

const SECRETS = {
  WA_TOKEN: 'canary-token',
  APP_SECRET: 'canary-app-secret',
  OLD_SECRET: 'canary-old-secret',
  VERIFY_TOKEN: 'canary-verify',
  ADMIN_TOKEN: 'canary-admin',
  PBX_PASSWORD: 'canary-password',
};

const FILE = `
graph:
  access_token: \${env:WA_TOKEN}
  app_secret:
    - \${env:APP_SECRET}
    - canary-literal-secret
webhook: { verify_token: "\${env:VERIFY_TOKEN}" }
admin: { token: "\${file:./admin-token}" }
log: { level: warn }
trunk_defaults:
  codecs: [PCMU]
  permission: check
  auth: { username: sip2wa, password: "\${env:PBX_PASSWORD}" }
trunks:
  - name: pbx
    servers:
      - { hostname: 10.0.0.5 }
      - { hostname: pbx.example, transport: udp }
      - { hostname: pbx.example.net }
    qualify: 0s
  - name: other
    servers: [{ hostname: 10.0.0.6, port: 5070, request_uri_user_params: { tgrp: wa } }]
    permission: ask
    auth: { username: other, password: canary-other-password }
numbers:
  - id: "105615555715855"
    number: "+15551112222"
    trunk: pbx
    settings:
      calling:
        call_hours:
          status: ENABLED
          timezone_id: America/Manaus
          weekly_operating_hours: [{ day_of_week: MONDAY, open_time: "0900", close_time: "1700" }]
        sip: { servers: [{ hostname: sip.example.com, sip_user_password: canary-sip-user }] }
  - { id: "105615555715866", number: "+15551113333", name: help, trunk: other }
routes: [{ from: "+49*", trunk: other, to: canary-literal-secret }]
`;

const file = new ConfigFile(FILE);
file.beside('admin-token', 'canary-admin-file\n');
afterAll(() => file.remove());

let said: CapturedConsole;
const run = async (env: NodeJS.ProcessEnv, ...args: string[]): Promise<number> => {
  said = new CapturedConsole(env);
  const code = await runCli(args, said);
  expect(said.out + said.err).not.toContain('canary');
  return code;
};
const print = (env: NodeJS.ProcessEnv = {}, ...args: string[]) =>
  run({ ...SECRETS, ...env }, 'print-config', '--config', file.path, ...args);
/** The values of `--json`, by key. */
const valuesOf = async (env: NodeJS.ProcessEnv = {}): Promise<Map<string, { value: unknown; from: unknown }>> => {
  expect(await print(env, '--json')).toBe(0);
  const { ok, values } = JSON.parse(said.out) as {
    ok: boolean;
    values: { key: string; value: unknown; from: unknown }[];
  };
  expect(ok).toBe(true);
  return new Map(values.map(({ key, value, from }) => [key, { value, from }]));
};
/** The number of the first line of the file that holds a text. */
const lineOf = (text: string): number => FILE.split('\n').findIndex((line) => line.includes(text)) + 1;

describe('print-config', () => {
  it('shows scalars of the file, of the environment and by default', async () => {
    const values = await valuesOf({ SIP2WA_LOG_FORMAT: 'pretty', SIP2WA_DRACHTIO_PORT: '9100', SIP2WA_CDR_FILE: '' });
    expect(values.get('log.level')).toEqual({ value: 'warn', from: { kind: 'file', line: lineOf('level: warn') } });
    expect(values.get('log.format')).toEqual({ value: 'pretty', from: { kind: 'env', name: 'SIP2WA_LOG_FORMAT' } });
    expect(values.get('sip.drachtio.port')).toEqual({
      value: 9100,
      from: { kind: 'env', name: 'SIP2WA_DRACHTIO_PORT' },
    });
    expect(values.get('cdr.file')).toEqual({ value: './var/cdr.jsonl', from: { kind: 'default' } });
    expect(values.get('sip.listen')).toEqual({
      value: ['udp://0.0.0.0:5060', 'tcp://0.0.0.0:5060'],
      from: { kind: 'default' },
    });
    const levels = await valuesOf({ SIP2WA_LOG_LEVEL: 'error' });
    expect(levels.get('log.level')).toEqual({ value: 'error', from: { kind: 'env', name: 'SIP2WA_LOG_LEVEL' } });
  });

  it('shows secrets as stars, and what they are read from', async () => {
    const values = await valuesOf();
    const stars = '********';
    const line = lineOf('access_token');
    expect(values.get('graph.access_token')).toEqual({ value: stars, from: { kind: 'env', name: 'WA_TOKEN', line } });
    expect(values.get('graph.app_secret[1]')).toEqual({ value: stars, from: { kind: 'file', line: line + 3 } });
    const admin = { kind: 'file', line: lineOf('admin:'), named: './admin-token' };
    expect(values.get('admin.token')).toEqual({ value: stars, from: admin });
    expect(values.get('sip.drachtio.secret')).toEqual({ value: '', from: { kind: 'default' } });
    expect(values.get('trunks[1].auth.password')?.value).toBe(stars);
    expect(values.get('numbers[0].settings.calling.sip.servers[0].sip_user_password')?.value).toBe(stars);
    // Pasted where none belongs.
    expect(values.get('routes[0].to')?.value).toBe(stars);
  });

  it('shows trunks with trunk_defaults in them, numbers with what their trunk says', async () => {
    const values = await valuesOf();
    const inDefaults = (key: string, text: string) => ({
      kind: 'file',
      line: lineOf(text),
      key: `trunk_defaults.${key}`,
    });
    expect(values.get('trunks[0].codecs')).toEqual({ value: ['PCMU'], from: inDefaults('codecs', 'codecs:') });
    expect(values.get('trunks[0].auth.username')).toEqual({
      value: 'sip2wa',
      from: inDefaults('auth.username', 'username: sip2wa'),
    });
    expect(values.get('trunks[1].auth.username')?.value).toBe('other');
    expect(values.get('trunks[0].max_calls')).toEqual({ value: 100, from: { kind: 'default' } });
    expect(values.get('numbers[0].permission')).toEqual({
      value: 'check',
      from: inDefaults('permission', 'permission: check'),
    });
    expect(values.get('numbers[1].permission')).toEqual({
      value: 'ask',
      from: { kind: 'file', line: lineOf('permission: ask'), key: 'trunks[1].permission' },
    });
    expect(values.get('numbers[0].name')).toMatchObject({ value: '105615555715855', from: { key: 'numbers[0].id' } });
    expect(values.get('routes[0].hours')).toEqual({ value: 'open', from: { kind: 'default' } });
  });

  it('shows of settings only what the file says', async () => {
    const values = await valuesOf();
    const keys = [...values.keys()].filter((key) => key.startsWith('numbers[0].settings.')).map((key) => key.slice(28));
    expect(keys).toEqual([
      ...['call_hours.status', 'call_hours.timezone_id'],
      ...['day_of_week', 'open_time', 'close_time'].map((key) => `call_hours.weekly_operating_hours[0].${key}`),
      ...['sip.servers[0].hostname', 'sip.servers[0].sip_user_password'],
    ]);
  });

  it('leaves port and transport to DNS where the daemon does', async () => {
    const values = await valuesOf();
    const site = (index: number) =>
      ['port', 'transport'].map((key) => values.get(`trunks[0].servers[${index}].${key}`)?.value);
    expect([site(0), site(1), site(2)]).toEqual([
      [5060, 'udp'],
      [null, 'udp'],
      [null, null],
    ]);
  });

  it('prints YAML with the places behind', async () => {
    expect(await print({ SIP2WA_LOG_FORMAT: 'pretty' })).toBe(0);
    const lines = said.out.split('\n').map((line) => line.replace(/ {2,}# /, ' # ').replaceAll(file.path, 'c.yaml'));
    for (const line of [
      'graph:',
      '  base_url: https://graph.facebook.com # default',
      `  access_token: "********" # environment variable WA_TOKEN, named in c.yaml:${lineOf('access_token')}`,
      `    - "********" # c.yaml:${lineOf('canary-literal')}`,
      `  token: "********" # file ./admin-token, named in c.yaml:${lineOf('admin:')}`,
      '  format: pretty # environment variable SIP2WA_LOG_FORMAT',
      `  - name: pbx # c.yaml:${lineOf('name: pbx')}`,
      `      - hostname: 10.0.0.5 # c.yaml:${lineOf('10.0.0.5')}`,
      `    codecs: [ PCMU ] # c.yaml:${lineOf('codecs:')} trunk_defaults.codecs`,
      `    number: "+15551112222" # c.yaml:${lineOf('+15551112222')}`,
    ]) {
      expect(lines).toContain(line);
    }
  });

  it('what it prints is the configuration: loaded with the secrets put back, it is the same', async () => {
    const text = FILE.replace('canary-literal-secret }]', '"600" }]').replace(
      ', sip_user_password: canary-sip-user',
      '',
    );
    file.write(text);
    const env = { ...SECRETS, SIP2WA_MEDIA_RTP_PORTS: '30000-30999', SIP2WA_SIP_SERVER: 'embedded' };
    expect(await run(env, 'print-config', '--config', file.path)).toBe(0);
    const secrets = ['WA_TOKEN', 'APP_SECRET', 'canary-literal-secret', 'VERIFY_TOKEN', './admin-token'];
    const passwords = ['PBX_PASSWORD', 'canary-other-password', 'PBX_PASSWORD'];
    const written = [...secrets, ...passwords].map((name) => {
      if (name.startsWith('.')) return `\${file:${name}}`;
      return name.startsWith('canary') ? name : `\${env:${name}}`;
    });
    const again = file.beside(
      'again.yaml',
      said.out.replace(/\*{8}/g, () => written.shift() ?? 'too many'),
    );
    const [first, second] = [loadConfig({ file: file.path, env }), loadConfig({ file: again, env: SECRETS })];
    file.write(FILE);
    expect(second).toMatchObject({ ok: true });
    if (!first.ok || !second.ok) throw new Error('not loaded');
    expect(written).toEqual([]);
    // What the first leaves unsaid stands in the second as the default that it is.
    const [asWritten, asShown] = [first, second].map(({ config }) => JSON.parse(JSON.stringify(config)) as object);
    expect(asShown).toMatchObject(asWritten ?? {});
  });

  it('an empty file is all defaults', async () => {
    const empty = file.beside('empty.yaml', '');
    expect(await run({}, 'print-config', '--json', '--config', empty)).toBe(0);
    const { values } = JSON.parse(said.out) as { values: { key: string; from: { kind: string } }[] };
    expect(values.length).toBeGreaterThan(40);
    expect(values.filter(({ from }) => from.kind !== 'default')).toEqual([]);
  });

  it('errors are those of check, with its exit code', async () => {
    const broken = file.beside('broken.yaml', FILE.replace('warn', 'canary-level'));
    expect(await run(SECRETS, 'print-config', '--config', broken)).toBe(1);
    expect([said.out, said.err.includes(`broken.yaml:${lineOf('level:')}`)]).toEqual(['', true]);
    expect(await run(SECRETS, 'print-config', '--json', '--config', broken)).toBe(1);
    expect(JSON.parse(said.out)).toMatchObject({ ok: false });
  });

  it('every key of example.yaml has its line', async () => {
    const example = readFileSync('config/example.yaml', 'utf8');
    const text = example.replaceAll(/\$\{[^}]*\}/g, 'canary-of-the-example').replace(/^ {2}tls:\n(?: {4}.*\n)+/m, '');
    const copy = file.beside('example.yaml', text);
    const code = await run({}, 'print-config', '--json', '--config', copy);
    expect([said.err, code]).toEqual(['', 0]);
    const { values } = JSON.parse(said.out) as { values: { key: string; from: { line?: number } }[] };
    const lines = text.split('\n');
    for (const { key, from } of values.filter((one) => one.from.line !== undefined)) {
      const own =
        key
          .replace(/\[\d+\]$/, '')
          .split('.')
          .at(-1) ?? '';
      const around = lines.slice(Math.max(0, (from.line ?? 0) - 2), from.line).join('\n');
      expect(around).toContain(key === 'numbers[0].name' ? '' : own.replace(/\[\d+\]$/, ''));
    }
  });
});
