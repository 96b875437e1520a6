/**
 * One sub-band of ITU-T G.722: adaptive quantiser scale and a predictor of two poles and six zeros. All arithmetic is that of
 * the Recommendation's 16-bit words with saturation, so that coder and decoder stay equal bit by bit.
 */

/** Linear values of the fractional part of the logarithmic scale factor (G.722 table 11). */
const scaleTable = Int16Array.from({ length: 32 }, (_, i) => Math.round(2048 * 2 ** (i / 32)));
const maxPole2 = 12_288;
const maxPoleSum = 15_360;
/** Leaks of the coefficients: 255/256 for all but the second pole, whose is 127/128. */
const [leak, leakPole2] = [32_640, 32_512];
const zeros = 6;

/** Bounds of one band's scale factor. */
export interface ScaleLimits {
  /** Highest value of the logarithmic scale factor. */
  readonly most: number;
  /** By how much its exponent is turned round. */
  readonly exponent: number;
  /** Linear scale factor at the start. */
  readonly initial: number;
}

export const lowerBandScale: ScaleLimits = { most: 18_432, exponent: 8, initial: 32 };
export const higherBandScale: ScaleLimits = { most: 22_528, exponent: 10, initial: 8 };

export class G722Band {
  /** Linear scale factor of the quantiser. */
  scale: number;
  /** What the next sample is predicted to be. */
  predicted = 0;
  #logScale = 0;
  /** Zero section's share of the prediction. */
  #zeroPrediction = 0;
  #pole1 = 0;
  #pole2 = 0;
  /** Last two reconstructed samples and partially reconstructed ones, newest first. */
  #sample1 = 0;
  #sample2 = 0;
  #partial1 = 0;
  #partial2 = 0;
  readonly #zeros = new Int32Array(zeros);
  /** Last quantised differences, newest first. */
  readonly #differences = new Int32Array(zeros);

  constructor(private readonly limits: ScaleLimits) {
    this.scale = limits.initial;
  }

  /** Moves the scale factor by the step that belongs to a code word (LOGSCL, SCALEL). */
  adapt(step: number): void {
    const { most, exponent } = this.limits;
    this.#logScale = Math.min(most, Math.max(0, ((this.#logScale * 127) >> 7) + step));
    const shift = exponent - (this.#logScale >> 11);
    const fraction = scaleTable[(this.#logScale >> 6) & 31] ?? 0;
    this.scale = (shift < 0 ? fraction << -shift : fraction >> shift) << 2;
  }

  /** Takes the quantised difference of this sample and predicts the next one (block 4 of G.722). */
  predict(difference: number): void {
    const sample = saturate(this.predicted + difference);
    const partial = saturate(this.#zeroPrediction + difference);
    this.#adaptPoles(partial);
    this.#adaptZeros(difference);
    this.#partial2 = this.#partial1;
    this.#partial1 = partial;
    this.#sample2 = this.#sample1;
    this.#sample1 = sample;
    const poles =
      ((this.#pole1 * saturate(2 * this.#sample1)) >> 15) + ((this.#pole2 * saturate(2 * this.#sample2)) >> 15);
    this.#zeroPrediction = this.#filterZeros();
    this.predicted = saturate(saturate(poles) + this.#zeroPrediction);
  }

  #adaptPoles(partial: number): void {
    const isSame1 = sameSign(partial, this.#partial1);
    const turned = saturate(this.#pole1 << 2);
    const wanted = Math.min(32_767, isSame1 ? -turned : turned) >> 7;
    const pole2 = (sameSign(partial, this.#partial2) ? 128 : -128) + wanted + ((this.#pole2 * leakPole2) >> 15);
    this.#pole2 = Math.min(maxPole2, Math.max(-maxPole2, pole2));
    const pole1 = saturate((isSame1 ? 192 : -192) + ((this.#pole1 * leak) >> 15));
    const most = maxPoleSum - this.#pole2;
    this.#pole1 = Math.min(most, Math.max(-most, pole1));
  }

  #adaptZeros(difference: number): void {
    const step = difference === 0 ? 0 : 128;
    for (let i = zeros - 1; i >= 0; i--) {
      const before = this.#differences[i] ?? 0;
      const turn = sameSign(difference, before) ? step : -step;
      this.#zeros[i] = saturate(turn + (((this.#zeros[i] ?? 0) * leak) >> 15));
      this.#differences[i] = i === 0 ? difference : (this.#differences[i - 1] ?? 0);
    }
  }

  #filterZeros(): number {
    let sum = 0;
    for (let i = 0; i < zeros; i++) {
      sum += ((this.#zeros[i] ?? 0) * saturate(2 * (this.#differences[i] ?? 0))) >> 15;
    }
    return saturate(sum);
  }
}

/** Into 16 bits. */
export function saturate(value: number): number {
  return value > 32_767 ? 32_767 : value < -32_768 ? -32_768 : value;
}

function sameSign(a: number, b: number): boolean {
  return a < 0 === b < 0;
}
