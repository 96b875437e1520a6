/** Mean square of 16-bit samples of a sine of full scale, which is 0 dBFS (AES17). */
const fullScale = 32_768 ** 2 / 2;
/** Digital silence is told as this, a little below the smallest sample's level. */
const lowestDbfs = -96;

/** How loud the audio of one direction is: the effective value of its samples. Allocates nothing per frame. */
export class LevelMeter {
  /** Sum of squares, and how many. */
  readonly #sums = new Float64Array(2);

  /** Takes the first `count` samples of `pcm`. */
  add(pcm: Int16Array, count: number): void {
    let squares = 0;
    for (let i = 0; i < count; i++) {
      const sample = pcm[i] ?? 0;
      squares += sample * sample;
    }
    const sums = this.#sums;
    sums[0] = (sums[0] ?? 0) + squares;
    sums[1] = (sums[1] ?? 0) + count;
  }

  /** Since this was asked last, in dBFS; undefined if there was no audio. */
  take(): number | undefined {
    const [squares = 0, count = 0] = this.#sums;
    this.#sums.fill(0);
    if (count === 0) return undefined;
    return Math.max(lowestDbfs, 10 * Math.log10(squares / count / fullScale));
  }
}
