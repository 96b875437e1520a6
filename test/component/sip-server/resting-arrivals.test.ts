import { createSocket } from 'node:dgram';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { DatagramBatches } from '../../../src/lib/datagram-batches.js';
import { restingArrivals } from '../../../src/sip-server/transport/arrivals.js';
import { UdpTransport } from '../../../src/sip-server/transport/udp.js';
import { eventually } from '../../support/eventually.js';

const ending: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
  vi.restoreAllMocks();
});

const LOOPBACK = '127.0.0.1';

/** Sends `count` numbered datagrams `perTurn` at a time, five of which make a millisecond; the numbers in the order in which the transport had them. */
async function numbersHeard(count: number, perTurn: number): Promise<number[]> {
  const heard: number[] = [];
  const arrivals = restingArrivals(() => heard.length / 5);
  const sink = {
    onMessage: (bytes: Buffer) => void heard.push(Number(bytes.toString().slice(6))),
    onSent: () => undefined,
    onError: (_what: string, error: unknown) => expect.unreachable(String(error)),
  };
  const transport = await UdpTransport.bind({ host: LOOPBACK, port: 0 }, sink, arrivals);
  const peer = createSocket('udp4');
  ending.push(
    () => transport.stop(),
    () => peer.close(),
  );
  for (let number = 0; number < count; number += perTurn) {
    for (let i = number; i < number + perTurn; i++) peer.send(`number${i}`, transport.local.port, LOOPBACK);
    await eventually(() => heard.length === number + perTurn, `number ${number + perTurn}`);
  }
  return heard;
}

describe('datagrams that a busy server lets wait for others', () => {
  it('are all heard, in order, though it rests', async () => {
    const blocked = vi.spyOn(Atomics, 'wait');
    expect(await numbersHeard(1500, 10)).toEqual(Array.from({ length: 1500 }, (_, i) => i));
    // The first tenth of a second says that it is busy.
    expect(blocked.mock.calls.length).toBeGreaterThanOrEqual(90);
    for (const [, , , ms] of blocked.mock.calls) expect(ms).toBeLessThanOrEqual(8);
  });

  it('are heard no more once the listener has stopped', async () => {
    const turns: (() => void)[] = [];
    const arrivals = new DatagramBatches({ defer: (run) => turns.push(run), nowMs: () => 0 });
    const onMessage = vi.fn();
    const sink = { onMessage, onSent: () => undefined, onError: () => undefined };
    const transport = await UdpTransport.bind({ host: LOOPBACK, port: 0 }, sink, arrivals);
    const peer = createSocket('udp4');
    ending.push(() => peer.close());
    peer.send('a message', transport.local.port, LOOPBACK);
    await eventually(() => turns.length === 1, 'the datagram');
    await transport.stop();
    turns.forEach((turn) => turn());
    expect(onMessage).not.toHaveBeenCalled();
  });
});
