import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { PEER_SDP } from '../../support/sip-script-peer.js';
import type { PeerMessage } from '../../support/sip-script-peer.js';
import { hopByHop } from '../../support/hop-by-hop.js';
import { Bench } from './bench.js';

/** So few new requests a second that none are added while a test runs. */
const SLOW = 0.01;

let bench: Bench;
afterEach(() => bench.stop());

const start = async (options: Parameters<typeof Bench.start>[0]): Promise<void> => {
  bench = await Bench.start(options);
  bench.srf.use('options', (_req, res) => res.send(200));
  await bench.routed();
};

const answersTo = (request: PeerMessage): PeerMessage[] =>
  bench.peer.received.filter((it) => (it.status ?? 0) >= 200 && it.get('Call-ID') === request.get('Call-ID'));

async function answerTo(request: PeerMessage): Promise<PeerMessage> {
  await eventually(() => answersTo(request).length > 0, 'a final answer');
  return answersTo(request)[0]!;
}

const isShed = (answer: PeerMessage): void => {
  expect(answer.status).toBe(503);
  const seconds = Number(answer.get('Retry-After'));
  expect(seconds).toBeGreaterThanOrEqual(5);
  expect(seconds).toBeLessThanOrEqual(15);
};

describe('a source that sends too much', () => {
  it('has new requests refused until it slows down, while its calls go on', async () => {
    await start({ sourceLimits: { perSecond: SLOW, burst: 2 } });
    const { invite, ok } = await bench.inboundCall();
    const taken = bench.send('OPTIONS');
    expect((await answerTo(taken)).status).toBe(200);
    const refused = bench.send('INVITE', { body: PEER_SDP });
    isShed(await answerTo(refused));
    bench.peer.send(hopByHop('ACK', refused, answersTo(refused)[0]!.get('To')), bench.sip);
    isShed(await answerTo(bench.send('MESSAGE')));
    bench.peer.send(bench.peer.inDialog('INVITE', invite, ok, { cseq: 2, body: PEER_SDP }), bench.sip);
    const again = await bench.peer.next((it) => it.status === 200 && it.get('CSeq') === '2 INVITE', '200 to re-INVITE');
    bench.peer.send(bench.peer.inDialog('ACK', invite, again, { cseq: 2 }), bench.sip);
    await bench.peerHangsUp(invite, ok, 3);
    bench.clock.skip(1000 / SLOW);
    expect((await answerTo(bench.send('OPTIONS'))).status).toBe(200);
    await bench.quiet();
  });

  it('may repeat an INVITE that was taken', async () => {
    await start({ sourceLimits: { perSecond: SLOW, burst: 1, unreadFactor: 100 } });
    const pending = bench.handle('invite');
    const text = bench.peer.newRequest('INVITE', bench.uri(), { body: PEER_SDP });
    bench.peer.send(text, bench.sip);
    const { res } = await pending;
    await bench.peer.response(100, 'INVITE');
    for (let n = 0; n < 3; n++) bench.peer.send(text, bench.sip);
    isShed(await answerTo(bench.send('OPTIONS')));
    expect(bench.peer.count((it) => it.status === 100)).toBe(4);
    expect(bench.peer.count((it) => it.status === 503 && it.get('CSeq').endsWith('INVITE'))).toBe(0);
    res.send(486);
    await bench.peer.response(486, 'INVITE');
  });

  it('is not even read when it sends a multiple of that', async () => {
    await start({ sourceLimits: { perSecond: SLOW, burst: 2, unreadFactor: 2 } });
    const sent = Array.from({ length: 20 }, () => bench.send('OPTIONS'));
    const last = bench.peer.newRequest('BYE', bench.uri());
    bench.peer.send(last, bench.sip);
    await bench.peer.response(481, 'BYE');
    await eventually(() => bench.peer.count((it) => it.status === 200) === 2, 'the answers of the app');
    expect(sent.filter((request) => answersTo(request)[0]?.status === 503)).toHaveLength(2);
    expect(sent.filter((request) => answersTo(request).length === 0)).toHaveLength(16);
  });
});

describe('overload', () => {
  it('by requests the application does not answer: refuses until half are gone, and says so', async () => {
    await start({ overloadLimits: { requests: [4, 2] } });
    const held: { send(status: number): void }[] = [];
    bench.srf.use('invite', (_req, res) => held.push(res));
    await bench.routed();
    const calls = Array.from({ length: 4 }, () => bench.send('INVITE', { body: PEER_SDP }));
    await eventually(() => held.length === 4, 'four calls in the app');
    bench.clock.skip(100);
    await eventually(() => bench.log.lines.some(({ message }) => message.startsWith('SIP overload:')), 'overload');
    isShed(await answerTo(bench.send('INVITE', { body: PEER_SDP })));
    held.pop()?.send(486);
    await bench.peer.response(486, 'INVITE');
    bench.clock.skip(100);
    isShed(await answerTo(bench.send('INVITE', { body: PEER_SDP })));
    for (const res of held.splice(0, 2)) res.send(486);
    await eventually(() => bench.log.lines.some(({ message }) => message === 'SIP overload is over'), 'its end');
    const later = bench.send('INVITE', { body: PEER_SDP });
    await eventually(() => held.length === 2, 'a call in the app again');
    expect(answersTo(later)).toEqual([]);
    expect(calls).toHaveLength(4);
  });
});
