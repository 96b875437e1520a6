/**
 * The 24-tap quadrature mirror filter of ITU-T G.722 (table 12). Every other tap is of the first samples of pairs, in order, and of the
 * second ones in reverse order. Samples are 16-bit words, the oldest of the 24 at `at`.
 */
import { sumOf } from './band';

/** What the second samples of pairs come to and what the first ones do, together. */
@inline
export function sumAt(at: usize): i32 {
  return sumOf(
    i32x4.add(
      i32x4.add(
        i32x4.dot_i16x8_s(v128.load(at), i16x8(3, -11, -11, 53, 12, -156, 32, 362)),
        i32x4.dot_i16x8_s(v128.load(at, 16), i16x8(-210, -805, 951, 3876, 3876, 951, -805, -210)),
      ),
      i32x4.dot_i16x8_s(v128.load(at, 32), i16x8(362, 32, -156, 12, 53, -11, -11, 3)),
    ),
  );
}

/** By how much the second samples come to more than the first ones. */
@inline
export function differenceAt(at: usize): i32 {
  return sumOf(
    i32x4.add(
      i32x4.add(
        i32x4.dot_i16x8_s(v128.load(at), i16x8(-3, -11, 11, 53, -12, -156, -32, 362)),
        i32x4.dot_i16x8_s(v128.load(at, 16), i16x8(210, -805, -951, 3876, -3876, 951, 805, -210)),
      ),
      i32x4.dot_i16x8_s(v128.load(at, 32), i16x8(-362, 32, 156, 12, -53, -11, 11, 3)),
    ),
  );
}
