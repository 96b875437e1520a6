import type { Clock } from './clock.js';

/** The wall clock may run so far from the monotonic one, in milliseconds, before it counts as set. */
const TOLERANCE_MS = 2;

/**
 * Microseconds since the Unix epoch. The wall clock knows whole milliseconds alone: within them the monotonic clock tells, so that
 * what happens later has a later stamp. A wall clock that is set is followed.
 */
export function fineClock(clock: Pick<Clock, 'now' | 'monotonicMs'>): () => number {
  let offsetMs = clock.now() - clock.monotonicMs();
  return () => {
    const [wallMs, monotonicMs] = [clock.now(), clock.monotonicMs()];
    if (Math.abs(wallMs - offsetMs - monotonicMs) > TOLERANCE_MS) offsetMs = wallMs - monotonicMs;
    return Math.round((offsetMs + monotonicMs) * 1000);
  };
}
