/** Packets behind the newest one that are told apart from replays (RFC 3711 §3.3.2 asks for 64 at least); a power of two. */
const windowSize = 128;
const wordBits = 32;

/** What has been received of one stream, by packet index. */
export class ReplayWindow {
  /** A bit for each index of the window: which were accepted. */
  readonly #seen = new Int32Array(windowSize / wordBits);
  #highest = -1;

  /** Highest index accepted so far; -1 before the first. */
  get highest(): number {
    return this.#highest;
  }

  /** False for an index that was accepted before, or is too old to tell. */
  isNew(index: number): boolean {
    if (index > this.#highest) return true;
    return index > this.#highest - windowSize && ((this.#seen[wordOf(index)] ?? 0) & bitOf(index)) === 0;
  }

  /** Takes note of a packet that proved authentic. */
  accept(index: number): void {
    if (index > this.#highest) this.#moveTo(index);
    const word = wordOf(index);
    this.#seen[word] = (this.#seen[word] ?? 0) | bitOf(index);
  }

  /** Where indexes enter the window others have left it. */
  #moveTo(index: number): void {
    for (let entering = Math.max(this.#highest + 1, index - windowSize + 1); entering <= index; entering++) {
      const word = wordOf(entering);
      this.#seen[word] = (this.#seen[word] ?? 0) & ~bitOf(entering);
    }
    this.#highest = index;
  }
}

/** An index has 48 bits, of which the lowest seven count here. */
function wordOf(index: number): number {
  return (index & (windowSize - 1)) >> 5;
}

function bitOf(index: number): number {
  return 1 << (index & (wordBits - 1));
}
