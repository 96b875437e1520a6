import { afterEach, expect, it } from 'vitest';
import type { SipScriptPeer } from '../../support/sip-script-peer.js';
import { PEER_SDP } from '../../support/sip-script-peer.js';
import { Bench } from './bench.js';

let bench: Bench;
afterEach(() => bench.stop());

const start = async (t1Ms: number, t2Ms: number): Promise<void> => {
  bench = await Bench.start({ timers: { t1Ms, t2Ms, t4Ms: t2Ms, timerAExtraMs: 0 } });
};

/** When the copies of a message came, milliseconds after the first. */
async function arrivals(matches: Parameters<SipScriptPeer['count']>[0], copies: number): Promise<number[]> {
  const atMs: number[] = [];
  for (let n = 0; n < copies; n++) {
    await bench.peer.next(matches, `copy ${n + 1}`);
    atMs.push(performance.now());
  }
  return atMs.map((time) => time - (atMs[0] ?? 0));
}

it('requests of ours are repeated by the configured T1 and T2', async () => {
  await start(50, 100);
  bench.srf.request(bench.peerUri, { method: 'OPTIONS' }, () => undefined);
  const [, second = 0, third = 0, fourth = 0] = await arrivals(({ method }) => method === 'OPTIONS', 4);
  // Timer E: T1, then twice as much, but no more than T2. Timers may be late, never early.
  expect(second).toBeGreaterThanOrEqual(40);
  expect(third - second).toBeGreaterThanOrEqual(90);
  expect(fourth - third).toBeGreaterThanOrEqual(90);
  expect(fourth).toBeLessThan(2_000);
});

it('our 200 is repeated by them, too', async () => {
  await start(50, 100);
  bench.answerCalls();
  await bench.routed();
  bench.send('INVITE', { body: PEER_SDP });
  const times = await arrivals(({ status }) => status === 200, 3);
  expect(times[2]).toBeGreaterThanOrEqual(140);
  expect(times[2]).toBeLessThan(2_000);
});

it.each([
  [20, 408],
  [500, 408],
])('a request nobody answers fails after 64 times a T1 of %i ms', async (t1Ms, status) => {
  await start(t1Ms, 8 * t1Ms);
  const statuses: number[] = [];
  bench.srf.request(bench.peerUri, { method: 'OPTIONS' }, (_err, req) => {
    req?.on('response', (res) => statuses.push(res.status));
  });
  await bench.peer.request('OPTIONS');
  bench.clock.skip(32 * t1Ms);
  await bench.routed();
  expect(statuses).toEqual([]);
  bench.clock.skip(32 * t1Ms);
  await bench.quiet();
  await bench.routed();
  expect(statuses).toEqual([status]);
});

it('an application may take a minute for its first answer, however short T1 is', async () => {
  await start(20, 40);
  const pending = bench.handle('invite');
  await bench.routed();
  bench.send('INVITE', { body: PEER_SDP });
  const { res } = await pending;
  bench.clock.skip(59_000);
  await bench.routed();
  expect(bench.peer.count(({ status }) => status !== undefined && status > 100)).toBe(0);
  res.send(180);
  await bench.peer.response(180, 'INVITE');
  // Ringing has no end of its own here: how long it may last is the application's to say.
  bench.clock.skip(600_000);
  await bench.routed();
  expect(bench.peer.count(({ status }) => status !== undefined && status > 180)).toBe(0);
  res.send(486);
  await bench.peer.response(486, 'INVITE');
});

it('an INVITE of ours that rings is not given up by T1 either', async () => {
  await start(20, 40);
  const calling = bench.srf.createUAC(bench.peerUri, { localSdp: PEER_SDP });
  const invite = await bench.peer.request('INVITE');
  bench.peer.reply(invite, 180, 'Ringing', { toTag: 'peer1' });
  await bench.routed();
  bench.clock.skip(300_000);
  await bench.routed();
  bench.peer.reply(invite, 200, 'OK', { toTag: 'peer1', body: PEER_SDP });
  const dialog = await calling;
  await bench.appHangsUp(dialog);
});
