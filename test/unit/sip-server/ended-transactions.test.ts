import { expect, it } from 'vitest';
import { FakeClock, guardedClock } from '../../../src/lib/clock.js';
import { DEFAULT_TIMERS, transactionLifeMs } from '../../../src/sip-server/timers.js';
import { EndedTransactions } from '../../../src/sip-server/transaction/ended-transactions.js';

const LIFE_MS = transactionLifeMs(DEFAULT_TIMERS);

it('ends each 64·T1 after it was kept, with one timer for all, at most 20 ms late', () => {
  const clock = new FakeClock();
  const ended = new EndedTransactions(clock, DEFAULT_TIMERS);
  const lateMs: number[] = [];
  for (let n = 0; n < 5000; n++) {
    const dueMs = clock.monotonicMs() + LIFE_MS;
    ended.keep({ terminate: () => lateMs.push(clock.monotonicMs() - dueMs) });
    expect(clock.armed).toBe(1);
    clock.advance(1);
  }
  clock.advance(LIFE_MS - 5000 - 1);
  expect(lateMs).toEqual([]);
  clock.advance(5000 + 20);
  expect(lateMs).toHaveLength(5000);
  expect(lateMs[0]).toBe(0);
  expect(Math.max(...lateMs)).toBeLessThanOrEqual(20);
  expect(clock.armed).toBe(0);
});

it('one that throws does not keep the others', () => {
  const clock = new FakeClock();
  const thrown: unknown[] = [];
  const ended = new EndedTransactions(
    guardedClock(clock, (err) => thrown.push(err)),
    DEFAULT_TIMERS,
  );
  let over = 0;
  ended.keep({ terminate: () => (over += 1) });
  ended.keep({
    terminate: () => {
      throw new Error('boom');
    },
  });
  ended.keep({ terminate: () => (over += 1) });
  clock.advance(LIFE_MS + 20);
  expect([over, thrown.length]).toEqual([2, 1]);
});

it('forgets all when it is stopped', () => {
  const clock = new FakeClock();
  const ended = new EndedTransactions(clock, DEFAULT_TIMERS);
  ended.keep({ terminate: () => expect.unreachable() });
  ended.stop();
  expect(clock.armed).toBe(0);
  clock.advance(2 * LIFE_MS);
});
