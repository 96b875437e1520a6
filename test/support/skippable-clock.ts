import type { Clock, Timer } from '../../src/lib/clock.js';

interface Pending {
  dueMs: number;
  callback: () => void;
  handle: NodeJS.Timeout;
}

/**
 * Real time that a test can move forward: for tests with real sockets that would else wait out timers whose length is
 * not what they are about.
 */
export class SkippableClock implements Clock {
  #offsetMs = 0;
  readonly #pending = new Set<Pending>();

  now(): number {
    return Date.now() + this.#offsetMs;
  }

  monotonicMs(): number {
    return performance.now() + this.#offsetMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const entry: Pending = {
      dueMs: this.monotonicMs() + delayMs,
      callback,
      handle: undefined as unknown as NodeJS.Timeout,
    };
    this.#pending.add(entry);
    this.#arm(entry);
    return {
      cancel: () => {
        clearTimeout(entry.handle);
        this.#pending.delete(entry);
      },
    };
  }

  /** Timers armed and neither fired nor cancelled. */
  get armed(): number {
    return this.#pending.size;
  }

  /** Whether a timer is armed that falls due from `fromMs` to `toMs` from now. */
  isArmedWithin(fromMs: number, toMs: number): boolean {
    const nowMs = this.monotonicMs();
    return [...this.#pending].some(({ dueMs }) => dueMs - nowMs >= fromMs && dueMs - nowMs <= toMs);
  }

  /** Moves time on; what falls due fires in order on the coming turns of the event loop. */
  skip(ms: number): void {
    this.#offsetMs += ms;
    for (const entry of [...this.#pending].sort((a, b) => a.dueMs - b.dueMs)) {
      clearTimeout(entry.handle);
      this.#arm(entry);
    }
  }

  #arm(entry: Pending): void {
    const delayMs = Math.max(0, entry.dueMs - this.monotonicMs());
    entry.handle = setTimeout(() => {
      this.#pending.delete(entry);
      entry.callback();
    }, delayMs);
    entry.handle.unref();
  }
}
