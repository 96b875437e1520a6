import type { Clock } from '../lib/clock.js';

/**
 * Lets at most `limit` calls through in any stretch of `windowMs`, wherever it begins: the times of the last `limit` calls are
 * kept, and the next call waits until the oldest of them has left the window. A token bucket would let up to twice as many
 * through around a full bucket.
 */
export class CallWindow {
  readonly #times: number[] = [];
  /** Place of the oldest time once there are `limit`. */
  #oldest = 0;

  constructor(
    private readonly clock: Clock,
    private readonly limit: number,
    private readonly windowMs: number,
  ) {}

  /** How long until a call fits, in milliseconds; 0: it fits now. */
  get waitMs(): number {
    if (this.#times.length < this.limit) return 0;
    const oldest = this.#times[this.#oldest] ?? Number.NEGATIVE_INFINITY;
    return Math.max(0, oldest + this.windowMs - this.clock.monotonicMs());
  }

  /** Counts a call that fits. */
  add(): void {
    const now = this.clock.monotonicMs();
    if (this.#times.length < this.limit) {
      this.#times.push(now);
      return;
    }
    this.#times[this.#oldest] = now;
    this.#oldest = (this.#oldest + 1) % this.limit;
  }
}
