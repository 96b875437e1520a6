import { beforeEach, expect, it } from 'vitest';
import { fineClock } from '../../../src/lib/fine-clock.js';

const at = { wallMs: 0, monotonicMs: 0 };
const clock = { now: () => at.wallMs, monotonicMs: () => at.monotonicMs };

beforeEach(() => Object.assign(at, { wallMs: 1_000_000, monotonicMs: 5.25 }));

it('what happens later within one millisecond has a later stamp', () => {
  const nowUs = fineClock(clock);
  expect(nowUs()).toBe(1_000_000_000);
  at.monotonicMs += 0.125;
  expect(nowUs()).toBe(1_000_000_125);
  at.monotonicMs += 0.5;
  expect(nowUs()).toBe(1_000_000_625);
});

it('is within the millisecond of the wall clock at once', () => {
  const nowUs = fineClock(clock);
  nowUs();
  // Where in its first millisecond the wall clock was nobody knew.
  [at.wallMs, at.monotonicMs] = [at.wallMs + 1, at.monotonicMs + 0.25];
  expect(nowUs()).toBe(1_000_001_000);
  [at.wallMs, at.monotonicMs] = [at.wallMs + 1, at.monotonicMs + 1.5];
  expect(nowUs()).toBe(1_000_002_500);
});

it('waits for a wall clock that is slower, rather than step back', () => {
  const nowUs = fineClock(clock);
  nowUs();
  at.monotonicMs += 40;
  expect(nowUs()).toBe(1_000_000_999);
  at.wallMs += 1;
  expect(nowUs()).toBe(1_000_001_000);
});

it('a wall clock that is set is followed, forwards and backwards', () => {
  const nowUs = fineClock(clock);
  nowUs();
  at.wallMs += 3_600_000;
  expect(nowUs()).toBe(at.wallMs * 1000);
  at.wallMs -= 7_200_000;
  expect(Math.floor(nowUs() / 1000)).toBe(at.wallMs);
});
