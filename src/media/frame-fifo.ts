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

  /** The samples that wait, the rest of their frame silent; valid until the next write. */
  take(): Int16Array {
    this.#frame.fill(0, this.#filled);
    this.#filled = 0;
    return this.#frame;
  }

  /** Forgets samples that wait: what comes next does not continue them. */
  clear(): void {
    this.#filled = 0;
  }
}
