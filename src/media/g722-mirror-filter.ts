/** Every other tap of the 24-tap quadrature mirror filter; the others are the same in reverse order (G.722 table 12). */
const coefficients = Int32Array.of(3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11);
const half = coefficients.length;

/** The last 24 samples of G.722's filter bank, in pairs. Each is kept twice, so that the newest always lie in one piece. */
export class MirrorFilter {
  readonly #odd = new Int32Array(2 * half);
  readonly #even = new Int32Array(2 * half);
  /** Where the oldest pair is. */
  #start = 0;

  push(odd: number, even: number): void {
    const at = this.#start;
    this.#odd[at] = odd;
    this.#odd[at + half] = odd;
    this.#even[at] = even;
    this.#even[at + half] = even;
    this.#start = at + 1 === half ? 0 : at + 1;
  }

  /** Sum over the first samples of all pairs. */
  odd(): number {
    const [from, samples] = [this.#start, this.#odd];
    let sum = 0;
    for (let i = 0; i < half; i++) sum += (samples[from + i] ?? 0) * (coefficients[i] ?? 0);
    return sum;
  }

  /** Sum over the second samples of all pairs. */
  even(): number {
    const [from, samples] = [this.#start, this.#even];
    let sum = 0;
    for (let i = 0; i < half; i++) sum += (samples[from + i] ?? 0) * (coefficients[half - 1 - i] ?? 0);
    return sum;
  }
}
