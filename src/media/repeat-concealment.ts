/** Samples kept of the last good audio: 20 ms at 8 kHz. */
const historySamples = 160;
/** Share of its amplitude that a repeated sample keeps from one to the next: silence after about 60 ms. */
const decayPerSample = 0.99;

/**
 * Covers gaps of codecs without concealment of their own: the last 20 ms again and again, each time softer, played
 * backwards and forwards in turn so that the seams do not click.
 */
export class RepeatConcealment {
  readonly #history = new Int16Array(historySamples);
  #gain = 0;
  #position = historySamples - 1;
  #step = -1;

  /** Takes note of good audio. */
  remember(pcm: Int16Array, count: number): void {
    const kept = Math.min(count, historySamples);
    this.#history.copyWithin(0, kept);
    for (let i = 0; i < kept; i++) this.#history[historySamples - kept + i] = pcm[count - kept + i] ?? 0;
    this.#gain = 1;
    this.#position = historySamples - 1;
    this.#step = -1;
  }

  /** Writes `samples` samples of fading repetition to the start of `pcm`. */
  conceal(samples: number, pcm: Int16Array): void {
    for (let i = 0; i < samples; i++) {
      pcm[i] = Math.trunc((this.#history[this.#position] ?? 0) * this.#gain);
      this.#gain *= decayPerSample;
      this.#position += this.#step;
      if (this.#position <= 0 || this.#position >= historySamples - 1) this.#step = -this.#step;
    }
  }
}
