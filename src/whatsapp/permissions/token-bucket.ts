import type { Clock } from '../../lib/clock.js';

/** Lets so many a second through, and as many at once after a pause. */
export class TokenBucket {
  #tokens: number;
  #filledAtMs: number;

  constructor(
    private readonly clock: Clock,
    private readonly perSecond: number,
  ) {
    this.#tokens = perSecond;
    this.#filledAtMs = clock.monotonicMs();
  }

  /** Takes one if there is one. */
  take(): boolean {
    this.#fill();
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** The other side says it is too many: none for the next `pauseMs`. */
  drain(pauseMs: number): void {
    this.#fill();
    this.#tokens = Math.min(this.#tokens, 1 - (pauseMs / 1000) * this.perSecond);
  }

  #fill(): void {
    const nowMs = this.clock.monotonicMs();
    this.#tokens = Math.min(this.perSecond, this.#tokens + ((nowMs - this.#filledAtMs) / 1000) * this.perSecond);
    this.#filledAtMs = nowMs;
  }
}
