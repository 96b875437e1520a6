import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../../../src/cli/run.js';
import type { Daemon, DaemonOptions } from '../../../src/daemon.js';
import { eventually, settled } from '../../support/eventually.js';
import { Lines } from '../observability/lines.js';

const TOKEN = 'token-of-the-test';
const folder = mkdtempSync(join(tmpdir(), 'sip2wa-run-'));
const file = join(folder, 'sip2wa.yaml');
writeFileSync(
  file,
  `
graph: { access_token: ${TOKEN}, app_secret: app-secret-of-the-test }
webhook: { verify_token: verify-of-the-test }
trunks: [{ name: pbx, servers: [{ hostname: 10.0.0.5 }], dtmf: inband }]
numbers: [{ id: "105615555715855", number: "+15551112222", name: sales, trunk: pbx }]
`,
  { mode: 0o600 },
);
afterAll(() => rmSync(folder, { recursive: true }));

/** `process` as far as a command sees it. */
class Host extends EventEmitter {
  readonly exits: number[] = [];

  exit(code: number): void {
    this.exits.push(code);
  }
}

describe('sip2wa run', () => {
  let host: Host;
  let log: Lines;
  let started: number;
  let stopped: number;
  let errors: string;
  /** What `stop()` of the daemon does. */
  let onStop: () => Promise<void>;

  beforeEach(() => {
    host = new Host();
    log = new Lines();
    [started, stopped, errors] = [0, 0, ''];
    onStop = () => Promise.resolve();
  });

  const startDaemon = ({ config }: DaemonOptions): Promise<Daemon> => {
    started += 1;
    expect(config.numbers).toHaveLength(1);
    const stop = (): Promise<void> => {
      stopped += 1;
      return onStop();
    };
    return Promise.resolve({ stop } as Partial<Daemon> as Daemon);
  };
  const run = (start: (options: DaemonOptions) => Promise<Daemon> = startDaemon, config = file): Promise<number> => {
    const io = { stdout: () => undefined, stderr: (text: string) => void (errors += text), env: {}, isTerminal: false };
    return runCommand({ config }, { io, host, start, log });
  };
  const messages = (): unknown[] => log.records.map(({ level, msg }) => `${String(level)} ${String(msg)}`);

  it.each(['SIGTERM', 'SIGINT'] as const)('stops the daemon at %s and exits with 0', async (signal) => {
    const code = run();
    await settled();
    expect([started, stopped]).toEqual([1, 0]);
    host.emit(signal, signal);
    expect(await code).toBe(0);
    expect(stopped).toBe(1);
    expect(messages()).toEqual(['warn configuration', 'info configuration read', 'info stopping']);
    expect(log.records.at(-1)).toMatchObject({ signal });
    expect(host.exits).toEqual([]);
  });

  it('ends the process at once at a second signal', async () => {
    onStop = () => new Promise(() => undefined);
    void run();
    await settled();
    host.emit('SIGTERM', 'SIGTERM');
    await settled();
    expect([stopped, host.exits]).toEqual([1, []]);
    host.emit('SIGINT', 'SIGINT');
    expect(host.exits).toEqual([1]);
  });

  it.each([
    ['uncaughtException', new Error(`Graph said ${TOKEN}`)],
    ['unhandledRejection', new Error(`Graph said ${TOKEN}`)],
    ['unhandledRejection', `Graph said ${TOKEN}`],
  ])('stops the daemon at an %s, says so without secrets, and exits with 1', async (kind, reason) => {
    const code = run();
    await settled();
    host.emit(kind, reason);
    expect(await code).toBe(1);
    expect(stopped).toBe(1);
    expect(log.records.at(-1)).toMatchObject({ level: 'error', kind });
    expect(log.text).toContain('Graph said [redacted]');
    expect(log.text).not.toContain(TOKEN);
    expect(errors).toBe('');
  });

  it('goes on stopping whatever fails meanwhile, and does not fill the log with it', async () => {
    let isDone = (): void => undefined;
    onStop = () => new Promise((resolve) => (isDone = resolve));
    const code = run();
    await settled();
    host.emit('SIGTERM', 'SIGTERM');
    await eventually(() => stopped === 1, 'stop');
    for (let fault = 0; fault < 1_000; fault++) host.emit('uncaughtException', new Error('again'));
    isDone();
    expect(await code).toBe(1);
    expect(stopped).toBe(1);
    expect(host.exits).toEqual([]);
    expect(log.records.filter(({ level }) => level === 'error')).toHaveLength(20);
  });

  it('stops a daemon that was still starting', async () => {
    let isUp = (_daemon: Daemon): void => undefined;
    const code = run(() => new Promise((resolve) => (isUp = resolve)));
    await settled();
    host.emit('uncaughtException', new Error('early'));
    await settled();
    expect(stopped).toBe(0);
    isUp(await startDaemon({ config: { numbers: [{}] } } as unknown as DaemonOptions));
    expect(await code).toBe(1);
    expect(stopped).toBe(1);
  });

  it('exits with 1 when the daemon does not start, or does not stop', async () => {
    expect(await run(() => Promise.reject(new Error(`no socket for ${TOKEN}`)))).toBe(1);
    expect(log.records.at(-1)).toMatchObject({ msg: 'start failed', err: { message: 'no socket for [redacted]' } });
    onStop = () => Promise.reject(new Error('stuck'));
    const code = run();
    await settled();
    host.emit('SIGTERM', 'SIGTERM');
    expect(await code).toBe(1);
    expect(log.records.at(-1)).toMatchObject({ msg: 'stop failed', err: { message: 'stuck' } });
  });

  it('starts nothing with a bad configuration', async () => {
    const bad = join(folder, 'bad.yaml');
    writeFileSync(bad, 'webhook: { listne: x }\n', { mode: 0o600 });
    expect(await run(startDaemon, bad)).toBe(1);
    expect(started).toBe(0);
    expect(errors).toContain('did you mean listen?');
    expect(host.listenerCount('SIGTERM')).toBe(0);
  });
});
