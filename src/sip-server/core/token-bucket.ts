/** Lets so many through a second, and a burst of `size` after a pause. Time is the caller's, milliseconds. */
export class TokenBucket {
  #tokens: number;
  #filledMs: number;

  constructor(
    private readonly perSecond: number,
    private readonly size: number,
    nowMs: number,
  ) {
    this.#tokens = size;
    this.#filledMs = nowMs;
  }

  /** Takes a token; false when there is none. */
  take(nowMs: number): boolean {
    const grown = this.#tokens + ((nowMs - this.#filledMs) * this.perSecond) / 1000;
    this.#tokens = Math.min(this.size, grown);
    this.#filledMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
