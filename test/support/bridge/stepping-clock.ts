import type { Clock, Timer } from '../../../src/lib/clock.js';

interface Pending {
  readonly atMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/** One turn of the event loop: every promise callback that is ready, and what follows from it, has run. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * A clock that stands still until a test moves it, and then lets the promises that hang on a timer run before the next one
 * fires, as in real time.
 */
export class SteppingClock implements Clock {
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
    const entry = { atMs: this.#elapsedMs + Math.max(0, delayMs), order: this.#order++, callback };
    this.#pending.add(entry);
    return { cancel: () => void this.#pending.delete(entry) };
  }

  /** Timers armed and neither fired nor cancelled. */
  get armed(): number {
    return this.#pending.size;
  }

  /** Moves time on by `ms`, timer by timer; `between` runs whenever one has fired. */
  async run(ms: number, between: () => Promise<void> = turn): Promise<void> {
    const endMs = this.#elapsedMs + ms;
    for (let due = this.#next(endMs); due; due = this.#next(endMs)) {
      this.#pending.delete(due);
      this.#elapsedMs = due.atMs;
      due.callback();
      await between();
    }
    this.#elapsedMs = endMs;
  }

  #next(endMs: number): Pending | undefined {
    let best: Pending | undefined;
    for (const entry of this.#pending) {
      if (entry.atMs > endMs) continue;
      if (!best || entry.atMs < best.atMs || (entry.atMs === best.atMs && entry.order < best.order)) best = entry;
    }
    return best;
  }
}
