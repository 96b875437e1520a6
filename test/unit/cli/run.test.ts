import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../../../src/cli/run.js';
import type { Daemon, DaemonOptions } from '../../../src/daemon.js';
import { CapturedConsole } from '../../support/captured-console.js';
import { ConfigFile } from '../../support/config-file.js';
import { eventually, settled } from '../../support/eventually.js';
import { FakeHost } from '../../support/fake-host.js';
import { Lines } from '../../support/lines.js';

const TOKEN = 'token-of-the-test';
const file = new ConfigFile(`
graph: { access_token: ${TOKEN}, app_secret: app-secret-of-the-test }
webhook: { verify_token: verify-of-the-test }
trunks: [{ name: pbx, servers: [{ hostname: 10.0.0.5 }] }]
numbers: [{ id: "105615555715855", number: +15551112222, name: sales, trunk: pbx }]
`);
afterAll(() => file.remove());

describe('sip2wa run', () => {
  let host: FakeHost;
  let log: Lines;
  let started: number;
  let stopped: number;
  let io: CapturedConsole;
  /** What `drain()` and `stop()` of the daemon do, and when the admin API asks it to stop. */
  let onDrain: () => Promise<void>;
  let onStop: () => Promise<void>;
  let stopAsked: Promise<unknown>;
  let reloads: number;

  beforeEach(() => {
    host = new FakeHost();
    log = new Lines();
    io = new CapturedConsole();
    [started, stopped, reloads] = [0, 0, 0];
    onDrain = () => Promise.resolve();
    onStop = () => Promise.resolve();
    stopAsked = new Promise(() => undefined);
  });

  const startDaemon = ({ config }: DaemonOptions): Promise<Daemon> => {
    started += 1;
    expect(config.numbers).toHaveLength(1);
    const stop = (): Promise<void> => {
      stopped += 1;
      return onStop();
    };
    const reload = () => {
      reloads += 1;
      return { result: 'impossible' } as const;
    };
    return Promise.resolve({ stop, reload, stopAsked, drain: () => onDrain() } as Partial<Daemon> as Daemon);
  };
  const run = (start: (options: DaemonOptions) => Promise<Daemon> = startDaemon, config = file.path) =>
    runCommand({ config }, { io, host, start, log });
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

  it('lets calls go on after a signal, ends them at a second one, and the process at a third', async () => {
    onDrain = () => new Promise(() => undefined);
    onStop = () => new Promise(() => undefined);
    void run();
    await settled();
    host.emit('SIGTERM', 'SIGTERM');
    await settled();
    expect([stopped, host.exits]).toEqual([0, []]);
    host.emit('SIGTERM', 'SIGTERM');
    await settled();
    expect([stopped, host.exits]).toEqual([1, []]);
    host.emit('SIGINT', 'SIGINT');
    expect(host.exits).toEqual([1]);
  });

  it('stops once the last call is over', async () => {
    let isDrained = (): void => undefined;
    onDrain = () => new Promise((resolve) => (isDrained = resolve));
    const code = run();
    await settled();
    host.emit('SIGTERM', 'SIGTERM');
    await settled();
    expect(stopped).toBe(0);
    isDrained();
    expect(await code).toBe(0);
    expect(stopped).toBe(1);
  });

  it('stops when the admin API asks for it', async () => {
    let ask = (_: unknown): void => undefined;
    stopAsked = new Promise((resolve) => (ask = resolve));
    const code = run();
    await settled();
    expect(stopped).toBe(0);
    ask(undefined);
    expect(await code).toBe(0);
    expect(stopped).toBe(1);
  });

  it('reloads at SIGHUP, also while it is starting, and goes on', async () => {
    let isUp = (_daemon: Daemon): void => undefined;
    const code = run(() => new Promise((resolve) => (isUp = resolve)));
    await settled();
    host.emit('SIGHUP', 'SIGHUP');
    await settled();
    expect(reloads).toBe(0);
    isUp(await startDaemon({ config: { numbers: [{}] } } as unknown as DaemonOptions));
    await settled();
    expect(reloads).toBe(1);
    host.emit('SIGHUP', 'SIGHUP');
    await settled();
    expect([reloads, stopped]).toEqual([2, 0]);
    host.emit('SIGTERM', 'SIGTERM');
    expect(await code).toBe(0);
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
    expect(io.err).toBe('');
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
    const bad = file.beside('bad.yaml', 'webhook: { listne: x }\n');
    expect(await run(startDaemon, bad)).toBe(1);
    expect(started).toBe(0);
    expect(io.err).toContain('did you mean listen?');
    expect(host.listenerCount('SIGTERM')).toBe(0);
  });
});
