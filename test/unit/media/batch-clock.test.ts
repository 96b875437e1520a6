import { expect, it } from 'vitest';
import type { RemoteInfo } from 'node:dgram';
import { FakeClock } from '../../../src/lib/clock.js';
import { BatchClock } from '../../../src/media/batch-clock.js';
import { arrived, batchDatagrams } from '../../../src/media/udp-batches.js';

const source: RemoteInfo = { address: '127.0.0.1', family: 'IPv4', port: 4000, size: 1 };
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('stands still while a batch of packets is worked on, and in nothing else', async () => {
  const below = new FakeClock();
  const clock = new BatchClock(below);
  const seen: [string, number][] = [];
  const take = (datagram: Buffer): void => {
    seen.push([datagram.toString('latin1', 1), clock.monotonicMs()]);
    below.advance(3);
  };
  batchDatagrams(false);
  for (const text of ['1', '2']) arrived(take, Buffer.from(`\u0080${text}`, 'latin1'), source);
  // What is no packet of media waits for no batch.
  arrived(take, Buffer.from('\u0000stun', 'latin1'), source);
  await nextTurn();
  expect(clock.monotonicMs()).toBe(9);
  arrived(take, Buffer.from('\u00803', 'latin1'), source);
  await nextTurn();
  expect(seen).toEqual([
    ['stun', 0],
    ['1', 3],
    ['2', 3],
    ['3', 9],
  ]);
  expect([clock.monotonicMs(), clock.now() - below.now()]).toEqual([12, 0]);
});
