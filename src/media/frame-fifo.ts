/** Cuts a stream of samples into frames of one length, whatever lengths it comes in. */
export class FrameFifo {
  readonly #frame: Int16Array;
  #filled = 0;

  /** `onFrame` gets a frame that is valid during the call. */
  constructor(
    frameSamples: number,
    private readonly onFrame: (frame: Int16Array) => void,
  ) {
    this.#frame = new Int16Array(frameSamples);
  }

  /** Samples that wait for the rest of their frame. */
  get pending(): number {
    return this.#filled;
  }

  /** Takes the first `count` samples of `pcm`. */
  write(pcm: Int16Array, count: number): void {
    const frame = this.#frame;
    for (let i = 0; i < count; i++) {
      frame[this.#filled++] = pcm[i] ?? 0;
      if (this.#filled === frame.length) {
        this.#filled = 0;
        this.onFrame(frame);
      }
    }
  }

  /** Samples missing to the rest of the frame that waits; a whole frame's if none does. */
  get missing(): number {
    return this.#frame.length - this.#filled;
  }

  /** The samples that wait, and the first of `rest` behind them to make up a frame; valid until the next write. */
  complete(rest: Int16Array): Int16Array {
    this.#frame.set(rest.subarray(0, this.missing), this.#filled);
    this.#filled = 0;
    return this.#frame;
  }

  /** Forgets samples that wait: what comes next does not continue them. */
  clear(): void {
    this.#filled = 0;
  }
}
