/** A timer that was armed; `cancel` is idempotent. */
export interface Timer {
  cancel(): void;
}

/** A timer that is armed again and again: arming it anew replaces what was armed. */
export interface ReusableTimer extends Timer {
  arm(delayMs: number): void;
}

/** Time as the daemon sees it. Injected everywhere, so that tests of 64·T1 run in microseconds. */
export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch. For stamps that leave the process, never for durations. */
  now(): number;
  /** Monotonic clock, milliseconds from an arbitrary origin. For durations. */
  monotonicMs(): number;
  /** Runs `callback` once after `delayMs`, or after 24 days if that is sooner. The timer never keeps the process alive. */
  after(delayMs: number, callback: () => void): Timer;
  /** A timer that costs nothing to arm anew; offered by clocks made for beats. See `reusableTimer`. */
  reusable?(callback: () => void): ReusableTimer;
}

/** A timer for what is armed many times a second; not armed yet. */
export function reusableTimer(clock: Clock, callback: () => void): ReusableTimer {
  let armed: Timer | undefined;
  const cancel = (): void => armed?.cancel();
  const arm = (delayMs: number): void => {
    cancel();
    armed = clock.after(delayMs, callback);
  };
  return clock.reusable?.(callback) ?? { arm, cancel };
}

/** What node can wait for, in milliseconds (24 days); for anything longer it would not wait at all. */
const longestDelayMs = 0x7fff_ffff;

/** The real clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, callback) => {
    const handle = setTimeout(callback, Math.min(delayMs, longestDelayMs));
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

/**
 * A clock whose callbacks cannot throw into the event loop, where an exception ends the process and every call with it:
 * `onError` is told instead.
 */
export function guardedClock(clock: Clock, onError: (error: unknown) => void): Clock {
  const guarded = (callback: () => void) => (): void => {
    try {
      callback();
    } catch (error) {
      onError(error);
    }
  };
  return {
    now: () => clock.now(),
    monotonicMs: () => clock.monotonicMs(),
    after: (delayMs, callback) => clock.after(delayMs, guarded(callback)),
    ...(clock.reusable && { reusable: (callback: () => void) => reusableTimer(clock, guarded(callback)) }),
  };
}

interface Pending {
  at: number;
  order: number;
  callback: () => void;
}

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #elapsedMs = 0;
  #order = 0;
  readonly #pending = new Set<Pending>();

  constructor(private readonly epochMs = Date.UTC(2026, 0, 1)) {}

  now(): number {
    return this.epochMs + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const entry = { at: this.#elapsedMs + Math.max(0, delayMs), order: this.#order++, callback };
    this.#pending.add(entry);
    return { cancel: () => this.#pending.delete(entry) };
  }

  /** Timers armed and neither fired nor cancelled. */
  get armed(): number {
    return this.#pending.size;
  }

  /** Moves time on, firing what falls due in order, timers armed on the way included. */
  advance(ms: number): void {
    const endMs = this.#elapsedMs + ms;
    while (this.fireNext(endMs));
    this.#elapsedMs = endMs;
  }

  /** Moves on to the next timer that falls due by `endMs` of the monotonic clock and fires it; false if there is none. */
  fireNext(endMs: number): boolean {
    const next = this.#nextDue(endMs);
    if (!next) return false;
    this.#pending.delete(next);
    this.#elapsedMs = next.at;
    next.callback();
    return true;
  }

  #nextDue(end: number): Pending | undefined {
    let best: Pending | undefined;
    for (const entry of this.#pending) {
      if (entry.at > end) continue;
      if (!best || entry.at < best.at || (entry.at === best.at && entry.order < best.order)) best = entry;
    }
    return best;
  }
}
