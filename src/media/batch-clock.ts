import type { Clock, Timer } from '../lib/clock.js';
import { batchUnderWay } from './udp-batches.js';

/**
 * A clock that stands still while a batch of datagrams is worked on: all of them have arrived before it, so one reading does for them all,
 * and what we take to get through them is no jitter of theirs.
 */
export class BatchClock implements Clock {
  /** The batch of the last reading. */
  #batch = 0;
  #readMs = 0;

  constructor(private readonly clock: Clock) {}

  now(): number {
    return this.clock.now();
  }

  monotonicMs(): number {
    const batch = batchUnderWay();
    if (batch === 0) return this.clock.monotonicMs();
    if (batch !== this.#batch) {
      this.#batch = batch;
      this.#readMs = this.clock.monotonicMs();
    }
    return this.#readMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    return this.clock.after(delayMs, callback);
  }
}
