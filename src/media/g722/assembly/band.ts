/**
 * One sub-band of ITU-T G.722: adaptive quantiser scale and a predictor of two poles and six zeros. All arithmetic is that of
 * the Recommendation's 16-bit words with saturation, so that coder and decoder stay equal bit by bit.
 */

/** Linear values of the fractional part of the logarithmic scale factor (G.722 table 11): 2048 · 2^(i/32). */
const scaleTable = memory.data<i16>([
  2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025, 3091,
  3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
]);
const maxPole2: i32 = 12_288;
const maxPoleSum: i32 = 15_360;
/** Leaks of the coefficients: 255/256 for all but the second pole, whose is 127/128. */
const leak: i32 = 32_640;
const leakPole2: i32 = 32_512;

/** With what a vector's place wants behind it. */
export const bandBytes: usize = 80;

/** What is kept of a band from sample to sample. */
@unmanaged
export class Band {
  /** Six coefficients, and six quantised differences, newest first; two places are empty. */
  zeros: v128;
  differences: v128;
  /** Linear scale factor of the quantiser. */
  scale: i32;
  /** What the next sample is predicted to be. */
  predicted: i32;
  /** Highest value of the logarithmic scale factor, and by how much its exponent is turned round. */
  mostLogScale: i32;
  exponent: i32;
  logScale: i32;
  /** Zero section's share of the prediction. */
  zeroPrediction: i32;
  pole1: i32;
  pole2: i32;
  /** The last reconstructed sample, and the last two partially reconstructed ones. */
  sample1: i32;
  partial1: i32;
  partial2: i32;

  /** Into the state that the Recommendation begins with. */
  begin(mostLogScale: i32, exponent: i32, scale: i32): void {
    memory.fill(changetype<usize>(this), 0, bandBytes);
    this.mostLogScale = mostLogScale;
    this.exponent = exponent;
    this.scale = scale;
  }

  /** Moves the scale factor by the step that belongs to a code word (LOGSCL, SCALEL). */
  adapt(step: i32): void {
    const logScale = min(this.mostLogScale, max(0, ((this.logScale * 127) >> 7) + step));
    this.logScale = logScale;
    const shift = this.exponent - (logScale >> 11);
    const fraction = <i32>load<i16>(scaleTable + (((logScale >> 6) & 31) << 1));
    this.scale = (shift < 0 ? fraction << -shift : fraction >> shift) << 2;
  }

  /** Takes the quantised difference of this sample and predicts the next one (block 4 of G.722). */
  predict(difference: i32): void {
    const sample = saturate(this.predicted + difference);
    this.adaptPoles(saturate(this.zeroPrediction + difference));
    const poles = ((this.pole1 * saturate(2 * sample)) >> 15) + ((this.pole2 * saturate(2 * this.sample1)) >> 15);
    this.sample1 = sample;
    const zeroPrediction = this.adaptZeros(difference);
    this.zeroPrediction = zeroPrediction;
    this.predicted = saturate(saturate(poles) + zeroPrediction);
  }

  private adaptPoles(partial: i32): void {
    const isSame = sameSign(partial, this.partial1);
    const turned = saturate(this.pole1 << 2);
    const wanted = min(32_767, isSame ? -turned : turned) >> 7;
    const moved = (sameSign(partial, this.partial2) ? 128 : -128) + wanted + ((this.pole2 * leakPole2) >> 15);
    const pole2 = min(maxPole2, max(-maxPole2, moved));
    const most = maxPoleSum - pole2;
    this.pole1 = min(most, max(-most, (isSame ? 192 : -192) + ((this.pole1 * leak) >> 15)));
    this.pole2 = pole2;
    this.partial2 = this.partial1;
    this.partial1 = partial;
  }

  /** All six at once; returns what they predict. */
  private adaptZeros(difference: i32): i32 {
    const newest = i16x8.splat(<i16>difference);
    const differs = i16x8.shr_s(v128.xor(newest, this.differences), 15);
    const step = difference == 0 ? i16x8.splat(0) : i16x8(128, 128, 128, 128, 128, 128, 0, 0);
    // Minus the step where the signs differ.
    const turn = i16x8.sub(v128.xor(step, differs), differs);
    const zeros = i16x8.add(turn, scaled(this.zeros, i16x8.splat(<i16>leak)));
    this.zeros = zeros;
    const differences = i16x8.shuffle(newest, this.differences, 0, 8, 9, 10, 11, 12, 6, 7);
    this.differences = differences;
    const twice = i16x8.add_sat_s(differences, differences);
    const products = i32x4.add(
      i32x4.shr_s(i32x4.extmul_low_i16x8_s(zeros, twice), 15),
      i32x4.shr_s(i32x4.extmul_high_i16x8_s(zeros, twice), 15),
    );
    return saturate(sumOf(products));
  }
}

/** Products of 16-bit fractions, rounded down. */
@inline
function scaled(a: v128, b: v128): v128 {
  return i16x8.narrow_i32x4_s(
    i32x4.shr_s(i32x4.extmul_low_i16x8_s(a, b), 15),
    i32x4.shr_s(i32x4.extmul_high_i16x8_s(a, b), 15),
  );
}

/** Of four 32-bit numbers. */
@inline
export function sumOf(x: v128): i32 {
  const pairs = i32x4.add(x, i32x4.shuffle(x, x, 2, 3, 0, 1));
  return i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1);
}

/** Into 16 bits. */
@inline
export function saturate(value: i32): i32 {
  return min(32_767, max(-32_768, value));
}

@inline
function sameSign(a: i32, b: i32): bool {
  return (a ^ b) >= 0;
}
