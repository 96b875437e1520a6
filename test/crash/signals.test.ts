import { afterEach, describe, expect, it } from 'vitest';
import { header } from '../../src/sandbox/pbx/sip-message.js';
import { until } from '../support/until.js';
import { CountingPbx } from './counting-pbx.js';
import { ProcessScene } from './process-scene.js';

let scene: ProcessScene;
afterEach(() => scene.close());

/** Holds all the time up to a moment of the monotonic clock. */
async function holdsUntil(momentMs: number, check: () => boolean, what: string): Promise<void> {
  await until(
    () => {
      if (!check()) throw new Error(`no longer so: ${what}\n${scene.daemon.tail()}`);
      return performance.now() >= momentMs;
    },
    what,
    60_000,
  );
}

const stopping = (): Promise<void> =>
  until(async () => (await scene.admin.status()).drain.state === 'stopping', 'the drain');

describe('signals to the daemon as a process', () => {
  it('SIGTERM with 20 calls up: none is cut before the limit, none is taken, exit code 0', async () => {
    const limitMs = 3_000;
    scene = await ProcessScene.start(`calls: { drain_timeout: ${limitMs}ms }`);
    const { meta, pbx, daemon, sip } = scene;
    await scene.talk(10);
    meta.script = () => ({ replyMs: 5, ringMs: 20, answerMs: 50, rejectMs: undefined, hangupMs: undefined });
    for (let at = 0; at < 5; at++) pbx.place(`49170000005${at}`, sip, { cancelMs: undefined, hangupMs: undefined });
    const connected = async (): Promise<boolean> =>
      (await scene.states()).filter((one) => one === 'connected').length === 15;
    await until(connected, 'calls of the PBX', 10_000);
    // five more are in set-up
    pbx.script = () => ({ ringMs: 0, hasEarlyMedia: false, answerMs: undefined, hangupMs: undefined });
    for (let at = 0; at < 5; at++) meta.userCall(`49170000007${at}`);
    await until(async () => (await scene.states()).filter((one) => one === 'alerting').length === 5, 'calls that ring');
    const isAllUp = (): boolean => meta.up.length === 20 && pbx.up.length === 20;
    expect(isAllUp()).toBe(true);

    const atMs = performance.now();
    daemon.signal('SIGTERM');
    await stopping();
    expect((await scene.admin.status()).ready).toBe(false);
    const late = meta.userCall('491700000099');
    await until(() => !late.up, 'the rejection of a late call');
    expect(late.history).toEqual(['reject', 'ended by us']);
    const placed = pbx.place('491700000098', sip, { cancelMs: undefined, hangupMs: undefined });
    await until(() => placed.refusal !== undefined, 'the refusal of a late INVITE');
    expect(placed.refusal?.status).toBe(503);
    expect(Number(header(placed.refusal!, 'retry-after'))).toBeGreaterThan(0);
    expect(await scene.states()).toHaveLength(20);
    await holdsUntil(atMs + limitMs - 200, isAllUp, '20 calls up on both sides');

    expect(await daemon.exited()).toBe(0);
    expect(performance.now() - atMs).toBeGreaterThanOrEqual(limitMs);
    await until(() => meta.up.length === 0 && pbx.up.length === 0, 'no leg is left');
    const codes = scene.records.map(({ code }) => code);
    expect(codes).toEqual(Array.from({ length: 21 }, () => 'shutdown'));
    expect(scene.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('SIGTERM: ends as soon as the last call is over', async () => {
    scene = await ProcessScene.start('calls: { drain_timeout: 1h }');
    await scene.talk(2);
    scene.daemon.signal('SIGTERM');
    await stopping();
    for (const call of scene.meta.up) scene.meta.hangup(call);
    expect(await scene.daemon.exited(8_000)).toBe(0);
    expect(scene.records.map(({ code }) => code)).toEqual(['hangup', 'hangup']);
  });

  it('a second SIGTERM ends the calls at once, on both sides', async () => {
    scene = await ProcessScene.start('calls: { drain_timeout: 1h }');
    const { meta, pbx, daemon } = scene;
    await scene.talk(3);
    daemon.signal('SIGTERM');
    await stopping();
    expect([meta.up.length, pbx.up.length]).toEqual([3, 3]);
    daemon.signal('SIGTERM');
    expect(await daemon.exited(8_000)).toBe(0);
    expect([meta.up.length, pbx.up.length]).toEqual([0, 0]);
    expect(scene.records.map(({ code }) => code)).toEqual(['shutdown', 'shutdown', 'shutdown']);
  });

  it('SIGHUP with a broken file keeps the calls and the old configuration; with a good one the next call goes by it', async () => {
    scene = await ProcessScene.start();
    const { meta, pbx, daemon } = scene;
    await scene.talk(3);
    scene.write('nonsense: 1', (yaml) => yaml.replace('trunk: pbx }', 'trunk: nowhere }'));
    daemon.signal('SIGHUP');
    await until(async () => (await scene.admin.status()).reload?.result === 'refused', 'the refusal');
    const errors = scene.log.filter(({ level, msg }) => level === 'error' && msg === 'configuration');
    expect(errors.map(({ key }) => key).sort()).toEqual(['nonsense', 'numbers[0].trunk']);
    expect(errors.every(({ line }) => Number(line) > 1)).toBe(true);
    expect([meta.up.length, pbx.up.length]).toEqual([3, 3]);
    await scene.talk(1);
    expect((await scene.admin.trunks()).map(({ name }) => name)).toEqual(['pbx']);

    const other = await CountingPbx.start();
    scene.write('', (yaml) =>
      yaml
        .replace(
          'numbers:',
          `  - { name: other, servers: [{ hostname: 127.0.0.1, port: ${other.port} }], qualify: 0s }\nnumbers:`,
        )
        .replace('trunk: pbx }', 'trunk: other }'),
    );
    daemon.signal('SIGHUP');
    await until(async () => (await scene.admin.status()).reload?.result === 'ok', 'the reload');
    meta.userCall('491700000050');
    await until(() => other.up.some(({ state }) => state === 'answered'), 'the call at the other PBX');
    expect(pbx.up).toHaveLength(4);
    expect((await scene.admin.calls()).map(({ trunk }) => trunk).sort()).toEqual(['other', 'pbx', 'pbx', 'pbx', 'pbx']);
    for (const call of meta.up) meta.hangup(call);
    await until(() => pbx.up.length + other.up.length === 0, 'the end of all calls');
    daemon.signal('SIGTERM');
    expect(await daemon.exited()).toBe(0);
    await other.close();
  });
});
