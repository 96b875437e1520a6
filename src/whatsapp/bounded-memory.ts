import type { SeenKeys } from '../call/journal.js';
import type { Clock } from '../lib/clock.js';

/** A map that forgets: entries older than `ttlMs`, and the oldest beyond `capacity`. Needs no timers. */
export class BoundedMemory<Value> {
  readonly #entries = new Map<string, { readonly value: Value; readonly untilMs: number }>();

  constructor(
    private readonly clock: Clock,
    private readonly ttlMs: number,
    private readonly capacity: number,
    /** Told of every entry that was forgotten rather than taken. */
    private readonly onForgotten: (key: string, value: Value) => void = () => undefined,
  ) {}

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Value | undefined {
    this.#forgetOld();
    return this.#entries.get(key)?.value;
  }

  has(key: string): boolean {
    this.#forgetOld();
    return this.#entries.has(key);
  }

  /** Remembers; a key that is known keeps its place and its end. */
  add(key: string, value: Value): void {
    this.#forgetOld();
    if (this.#entries.has(key)) return;
    this.#entries.set(key, { value, untilMs: this.clock.monotonicMs() + this.ttlMs });
    if (this.#entries.size > this.capacity) this.#forgetFirst();
  }

  /** Takes an entry out. */
  take(key: string): Value | undefined {
    const value = this.get(key);
    this.#entries.delete(key);
    return value;
  }

  /** All entries live equally long, so that the oldest stand first. */
  #forgetOld(): void {
    const nowMs = this.clock.monotonicMs();
    for (const { untilMs } of this.#entries.values()) {
      if (untilMs > nowMs) return;
      this.#forgetFirst();
    }
  }

  #forgetFirst(): void {
    for (const [key, { value }] of this.#entries) {
      this.#entries.delete(key);
      this.onForgotten(key, value);
      return;
    }
  }
}

/** Keys that are known for `ttlMs`, in memory only. */
export function boundedKeys(clock: Clock, ttlMs: number, capacity: number): SeenKeys {
  const memory = new BoundedMemory<true>(clock, ttlMs, capacity);
  return { has: (key) => memory.has(key), add: (key) => memory.add(key, true) };
}
