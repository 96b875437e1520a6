/** Packets behind the newest one that are told apart from replays (RFC 3711 §3.3.2 asks for 64 at least); a power of two. */
const windowSize = 128;

/** What has been received of one stream, by packet index. */
export class ReplayWindow {
  readonly #seen = new Float64Array(windowSize).fill(-1);
  #highest = -1;

  /** Highest index accepted so far; -1 before the first. */
  get highest(): number {
    return this.#highest;
  }

  /** False for an index that was accepted before, or is too old to tell. */
  isNew(index: number): boolean {
    return index > this.#highest - windowSize && this.#seen[index & (windowSize - 1)] !== index;
  }

  /** Takes note of a packet that proved authentic. */
  accept(index: number): void {
    this.#seen[index & (windowSize - 1)] = index;
    if (index > this.#highest) this.#highest = index;
  }
}
