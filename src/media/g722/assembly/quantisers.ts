/** Quantisers of ITU-T G.722 and their inverses; tables are those of the Recommendation. */
import { sumOf } from './band';

/**
 * Decision levels of the lower band's 60-level quantiser (table 3), from the second on, behind three that anything reaches, so that
 * they fill eight vectors.
 */
const lowerDecisions = memory.data<i32>([
  0, 0, 0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219,
  1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
]);
const decisionBytes: usize = 128;
const alwaysReached: i32 = 3;
/** Decision level of the higher band's quantiser. */
const higherDecision: i32 = 564;

/** By the upper 4 bits of the lower code (table 8); `0000` and `1111` are no code words of a 64 kbit/s coder. */
const inverse4 = memory.data<i16>([
  0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
]);
/** By all 6 bits (table 7): 0 to 3 are no code words, 62 and 63 the two smallest negative levels. */
const inverse6 = memory.data<i16>([
  -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
  -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040, -728, 24808,
  21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456, 4944, 4464, 4008,
  3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
]);
/** Output levels of the higher band (table 9). */
const inverse2 = memory.data<i16>([-7408, -1616, 7408, 1616]);
/** By how much a code word moves the logarithmic scale factor (tables 10): the larger its level, the more. */
const lowerSteps = memory.data<i16>([
  -60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60,
]);
const higherSteps = memory.data<i16>([798, -214, 798, -214]);

/** Code word of a lower-band difference: intervals count from the smallest level, negative codes from 63 and 31 down. */
export function lowerCode(difference: i32, scale: i32): i32 {
  const reached = levelsReached(magnitudeOf(difference), scale);
  if (difference >= 0) return 61 - reached;
  return reached < 2 ? 63 - reached : 33 - reached;
}

@inline
export function higherCode(difference: i32, scale: i32): i32 {
  const isLarge = magnitudeOf(difference) >= (higherDecision * scale) >> 12;
  if (difference >= 0) return isLarge ? 2 : 3;
  return isLarge ? 0 : 1;
}

@inline
export function lowerLevel4(code: i32, scale: i32): i32 {
  return scaledLevel(inverse4, code >> 2, scale);
}

@inline
export function lowerLevel6(code: i32, scale: i32): i32 {
  return scaledLevel(inverse6, code, scale);
}

@inline
export function higherLevel(code: i32, scale: i32): i32 {
  return scaledLevel(inverse2, code, scale);
}

@inline
export function lowerStep(code: i32): i32 {
  return entry(lowerSteps, code >> 2);
}

@inline
export function higherStep(code: i32): i32 {
  return entry(higherSteps, code);
}

/** How many of the 29 decision levels are reached: all are looked at, as steps that depend on sound are hard to predict. */
@inline
function levelsReached(magnitude: i32, scale: i32): i32 {
  const magnitudes = i32x4.splat(magnitude);
  // A level is a 16-bit word and a zero word, so that this is a product.
  const scales = i16x8.splat(<i16>scale);
  let reached = i32x4.splat(0);
  for (let at: usize = 0; at < decisionBytes; at += 16) {
    const level = i32x4.shr_s(i32x4.dot_i16x8_s(v128.load(lowerDecisions + at), scales), 12);
    reached = i32x4.sub(reached, i32x4.ge_s(magnitudes, level));
  }
  return sumOf(reached) - alwaysReached;
}

/** One's complement of what is negative. */
@inline
function magnitudeOf(difference: i32): i32 {
  return difference ^ (difference >> 31);
}

@inline
function scaledLevel(table: usize, place: i32, scale: i32): i32 {
  return (scale * entry(table, place)) >> 15;
}

@inline
function entry(table: usize, place: i32): i32 {
  return <i32>load<i16>(table + (<usize>place << 1));
}
