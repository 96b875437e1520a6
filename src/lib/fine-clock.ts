import type { Clock } from './clock.js';

const usPerMs = 1000;

/**
 * Whole microseconds since the Unix epoch. The wall clock knows whole milliseconds alone: within each of them the monotonic clock
 * tells. However the two run apart, a stamp lies in the millisecond that the wall clock shows and is never before an earlier one,
 * unless the wall clock is set back: then stamps go back with it, since they are read beside those of other machines and logs.
 */
export function fineClock(clock: Pick<Clock, 'now' | 'monotonicMs'>): () => number {
  // All in whole microseconds: sums of fractions would now and then come out one too few.
  let offsetUs = Number.NEGATIVE_INFINITY;
  return () => {
    const wallUs = Math.floor(clock.now()) * usPerMs;
    const monotonicUs = Math.floor(clock.monotonicMs() * usPerMs);
    const nowUs = Math.min(wallUs + usPerMs - 1, Math.max(wallUs, offsetUs + monotonicUs));
    offsetUs = nowUs - monotonicUs;
    return nowUs;
  };
}
