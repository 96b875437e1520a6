import { expect, it } from 'vitest';
import { fineClock } from '../../../src/lib/fine-clock.js';

const at = { wallMs: 1_000_000, monotonicMs: 5.25 };
const clock = { now: () => at.wallMs, monotonicMs: () => at.monotonicMs };

it('what happens later within one millisecond has a later stamp', () => {
  const nowUs = fineClock(clock);
  expect(nowUs()).toBe(1_000_000_000);
  at.monotonicMs += 0.125;
  expect(nowUs()).toBe(1_000_000_125);
  [at.wallMs, at.monotonicMs] = [at.wallMs + 1, at.monotonicMs + 0.5];
  expect(nowUs()).toBe(1_000_000_625);
});

it('a wall clock that is set is followed, forwards and backwards', () => {
  const nowUs = fineClock(clock);
  at.wallMs += 3_600_000;
  expect(nowUs()).toBe(at.wallMs * 1000);
  at.wallMs -= 7_200_000;
  expect(nowUs()).toBe(at.wallMs * 1000);
});
