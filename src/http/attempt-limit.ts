import type { Clock } from '../lib/clock.js';

/** Sources remembered at once; the oldest is forgotten. */
const SOURCE_CAP = 1000;

/** Counts failed attempts of each source within a window of `windowMs`. */
export class AttemptLimit {
  readonly #failures = new Map<string, { count: number; readonly sinceMs: number }>();

  constructor(
    private readonly allowed: number,
    private readonly windowMs: number,
    private readonly clock: Clock,
  ) {}

  isUsedUp(source: string): boolean {
    const entry = this.#failures.get(source);
    return entry !== undefined && this.#isCurrent(entry.sinceMs) && entry.count >= this.allowed;
  }

  failed(source: string): void {
    const entry = this.#failures.get(source);
    if (entry && this.#isCurrent(entry.sinceMs)) {
      entry.count++;
      return;
    }
    this.#failures.delete(source);
    this.#failures.set(source, { count: 1, sinceMs: this.clock.monotonicMs() });
    const [oldest] = this.#failures.keys();
    if (this.#failures.size > SOURCE_CAP && oldest !== undefined) this.#failures.delete(oldest);
  }

  #isCurrent(sinceMs: number): boolean {
    return this.clock.monotonicMs() - sinceMs < this.windowMs;
  }
}
