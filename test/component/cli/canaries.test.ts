import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ConsoleIo } from '../../../src/cli/console-io.js';
import { runCli } from '../../../src/cli/program.js';
import { runCommand } from '../../../src/cli/run.js';
import { sandboxCommand } from '../../../src/cli/sandbox.js';
import { startSandbox, type Sandbox } from '../../../src/sandbox/sandbox.js';
import { FakeHost } from '../../support/fake-host.js';
import { freePort } from '../../support/ports.js';

const NUMBER_ID = '105615555715855';

/** Every secret that a file may hold, by its key; the sandbox knows the first two. */
const SECRETS = {
  access_token: 'canary1-access-token',
  app_secret: 'canary2-app-secret',
  verify_token: 'canary3-verify-token',
  admin_token: 'canary4-admin-token',
  auth_password: 'canary5-trunk-password',
  accept_password: 'canary6-accept-password',
  drachtio_secret: 'canary7-drachtio-secret',
  http_token: 'canary8-record-token',
  hep_password: 'canary9-hep-password',
  tracing_headers: 'x-scope=canary0-tracing-header',
} as const;
type Secret = keyof typeof SECRETS;
const names = Object.keys(SECRETS) as Secret[];

/** How a secret may be written; the last is what no file should hold, which makes an error. */
const sources = ['literal', 'env', 'file', 'misplaced'] as const;
type Source = (typeof sources)[number];

let sandbox: Sandbox;
let echo: Server;
let folder: string;

/** An impolite Graph API: it refuses everything and repeats what it was sent. */
const startEcho = async (): Promise<Server> => {
  const server = createServer((request, response) => {
    const message = `Malformed token ${request.headers.authorization}, at ${request.url}`;
    const error = {
      message,
      type: 'OAuthException',
      code: 190,
      error_data: { details: request.headers.authorization },
    };
    response.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
};

beforeAll(async () => {
  const { access_token: accessToken, app_secret: appSecret } = SECRETS;
  sandbox = await startSandbox({ ...{ accessToken, appSecret, numberId: NUMBER_ID }, businessNumber: '+12025550142' });
  echo = await startEcho();
  folder = mkdtempSync(join(tmpdir(), 'sip2wa-canaries-'));
  for (const name of names) writeFileSync(join(folder, name), `${SECRETS[name]}\n`, { mode: 0o600 });
});
afterAll(async () => {
  await sandbox.stop();
  echo.close();
  rmSync(folder, { recursive: true });
});

function fileWith(source: Source, baseUrl: string): string {
  const written = (name: Secret): string => {
    const forms = {
      literal: SECRETS[name],
      env: `\${env:${name}}`,
      file: `\${file:./${name}}`,
      misplaced: SECRETS[name],
    };
    return JSON.stringify(forms[source]);
  };
  const misplaced = `
log: { level: ${written('access_token')}, tokn: ${written('verify_token')} }
calls: { max_duration: ${written('app_secret')} }
routes: [{ trunk: ${written('auth_password')}, hours: ${written('drachtio_secret')}, ${SECRETS.admin_token}: 1 }]`;
  return `
graph: { base_url: "${baseUrl}", access_token: ${written('access_token')}, app_secret: ${written('app_secret')}, timeout: 2s }
webhook: { verify_token: ${written('verify_token')} }
admin: { listen: "127.0.0.1:${(echo.address() as AddressInfo).port}", token: ${written('admin_token')} }
sip: { server: drachtio, drachtio: { secret: ${written('drachtio_secret')} } }
cdr: { http_url: "http://127.0.0.1:9/records", http_token: ${written('http_token')}, http_spool_dir: "${join(folder, 'spool')}" }
hep: { address: "127.0.0.1:9", password: ${written('hep_password')} }
tracing: { otlp_url: "http://127.0.0.1:9", headers: ${written('tracing_headers')} }
trunks:
  - name: pbx
    servers: [{ hostname: 127.0.0.1 }]
    accept_from: [127.0.0.1/32]
    auth: { username: pbx, password: ${written('auth_password')} }
    accept_auth: { username: us, password: ${written('accept_password')} }
numbers:
  - id: "${NUMBER_ID}"
    number: "+12025550142"
    name: sales
    trunk: pbx
    settings: { calling: { callback_permission_status: ENABLED, sip: { servers: [{ hostname: localhost }] } } }
${source === 'misplaced' ? misplaced : ''}`;
}

const commands = [
  'check',
  'print-config',
  'hours sales',
  'hours nobody',
  'route-test --number sales --from +49301234567',
  'route-test --trunk pbx --to +49301234567',
  'route-test --trunk none --to 1',
  'settings pull --sip-credentials',
  'settings plan',
  'settings apply --yes --dry-run',
  'settings apply --yes',
  'settings drift',
  'permissions get sales +49301234567',
  'permissions request sales +49301234567',
  'calls',
  'call show 01JD3Q',
  'call trace 01JD3Q',
  'call trace 01JD3Q --pcap /nowhere/call.pcapng',
  'call hangup 01JD3Q',
  'trunks',
  'numbers',
  'drain',
  'reload',
  'log-level debug --for 10m',
  'completion bash',
];
/** It waits four seconds for a drachtio-server that is not there. */
const slowly = 'doctor';

/** All that a command prints, to both streams, on a terminal and to a pipe. */
async function printed(command: string, source: Source, baseUrl: string): Promise<string> {
  const file = join(folder, 'sip2wa.yaml');
  writeFileSync(file, fileWith(source, baseUrl), { mode: 0o600 });
  let text = '';
  const write = (more: string) => void (text += more);
  const io = { stdout: write, stderr: write, env: source === 'env' ? SECRETS : {}, isTerminal: true };
  const codes = [];
  for (const json of [[], ['--json']]) codes.push(await runCli([...command.split(' '), ...json, '-c', file], io));
  return `${text}\nexit ${codes.join(' ')}`;
}

function expectNoCanary(text: string): void {
  for (const secret of Object.values(SECRETS)) {
    for (const form of [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64')]) {
      expect(text).not.toContain(form);
    }
  }
  // A part of one is one too many.
  expect(text).not.toMatch(/canary\d/);
}

describe.each(sources)('secrets written as: %s', (source) => {
  it.each([...commands, ...(source === 'literal' ? [slowly] : [])])('%s prints none of them', async (command) => {
    const text = await printed(command, source, sandbox.graphUrl);
    expect(text.length).toBeGreaterThan(40);
    expectNoCanary(text);
  });
});

describe('where Meta refuses and repeats what it was told', () => {
  it.each([...commands, slowly])('%s prints no secret', async (command) => {
    const { port } = echo.address() as AddressInfo;
    const text = await printed(command, 'env', `http://127.0.0.1:${port}`);
    expectNoCanary(text);
    if (command.startsWith('settings') || command.startsWith('permissions')) expect(text).toContain('190');
  });
});

describe('commands that stay up', () => {
  const io = (write: (text: string) => void, source: Source): ConsoleIo => {
    return { stdout: write, stderr: write, env: source === 'env' ? SECRETS : {}, isTerminal: true };
  };
  /** What a command writes past its own streams, as its log does. */
  const written = async (source: Source, run: (io: ConsoleIo, log: Writable) => Promise<number>): Promise<string> => {
    let text = '';
    const take = (more: string): void => void (text += more);
    const log = new Writable({ write: (chunk: Buffer, _, done) => (take(chunk.toString()), done()) });
    const spies = [process.stdout, process.stderr].map((stream) =>
      vi.spyOn(stream, 'write').mockImplementation((chunk) => (take(String(chunk)), true)),
    );
    try {
      take(`exit ${await run(io(take, source), log)}`);
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
    return text;
  };
  /** The same file for a daemon of its own, at its most talkative. */
  const write = (source: Source): string => {
    const file = join(folder, 'sip2wa.yaml');
    const text = fileWith(source, sandbox.graphUrl)
      .replace(/^sip: .*$/m, 'sip: { listen: ["udp://127.0.0.1:0"] }')
      .replace(/^admin: \{ listen: "[^"]*"/m, 'admin: { listen: "127.0.0.1:0"');
    writeFileSync(file, source === 'misplaced' ? text : `log: { level: debug }${text}`, { mode: 0o600 });
    return file;
  };

  it.each(sources)('run: with secrets written as %s', async (source) => {
    const config = write(source);
    const text = await written(source, (streams, log) =>
      runCommand(
        { config },
        {
          ...{ io: streams, log, host: new FakeHost() },
          start: ({ config: read }) => Promise.reject(new Error(`cannot start: ${JSON.stringify(read)}`)),
        },
      ),
    );
    expect(text).toMatch(source === 'misplaced' ? /calls\.max_duration/ : /start failed/);
    expectNoCanary(text);
  });

  it.each(sources)('sandbox: with secrets written as %s', async (source) => {
    const config = write(source);
    const options = { config, user: '+12025550173', name: 'Rehearsal', port: '0' };
    const text = await written(source, (streams) => sandboxCommand(options, streams, () => Promise.resolve()));
    expect(text).toMatch(source === 'misplaced' ? /calls\.max_duration/ : /open http:.* in a browser/);
    expectNoCanary(text);
  });
});

describe('where nobody answers', () => {
  it.each(['settings plan', 'permissions get sales +49301234567'])('%s prints no secret', async (command) => {
    const text = await printed(command, 'literal', `http://127.0.0.1:${await freePort()}`);
    expect(text).toContain('exit 1 1');
    expectNoCanary(text);
  });
});
