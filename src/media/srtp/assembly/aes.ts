/**
 * AES-128 (FIPS 197) in counter mode, encryption alone. A block is one vector of bytes, column by column. Bytes are substituted by
 * sixteen look-ups within registers, so that neither time nor cache tells anything about key or data.
 */
import { keyAt, lastBlockAt, roundKeysAt, saltAt, sBoxAt } from './memory';

/** Fills in the S-box (FIPS 197 §5.1.1): `p` runs through the powers of 3, `q` through their inverses. */
export function makeSBox(): void {
  let p: u32 = 1;
  let q: u32 = 1;
  do {
    p ^= doubled(p);
    q ^= q << 1;
    q ^= q << 2;
    q ^= q << 4;
    q &= 0xff;
    if (q & 0x80) q ^= 0x09;
    const twice = q | (q << 8);
    store<u8>(sBoxAt + p, q ^ (twice >> 7) ^ (twice >> 6) ^ (twice >> 5) ^ (twice >> 4) ^ 0x63);
  } while (p != 1);
  store<u8>(sBoxAt, 0x63);
}

/** The round keys of the key at `keyAt` (§5.2). Words are little-endian here, hence the turn to the right. */
export function expandKey(): void {
  memory.copy(roundKeysAt, keyAt, 16);
  let factor: u32 = 1;
  for (let at: usize = 16; at < 176; at += 4) {
    let word = load<u32>(roundKeysAt + at - 4);
    if (at % 16 == 0) {
      word = i32x4.extract_lane(substituted(i32x4.splat(rotr<u32>(word, 8))), 0) ^ factor;
      factor = doubled(factor);
    }
    store<u32>(roundKeysAt + at, load<u32>(roundKeysAt + at - 16) ^ word);
  }
}

/**
 * Encrypts or decrypts the bytes between `start` and `end` (RFC 3711 §4.1.1): IV = (salt · 2^16) XOR (SSRC · 2^64) XOR (index · 2^16),
 * the last two bytes count blocks. `high` are the upper 32 bits of the index, `low` the lower 16.
 */
export function applyKeyStream(start: usize, end: usize, ssrc: u32, high: u32, low: u32): void {
  const packet = i32x4.replace_lane(i32x4.replace_lane(lane3(low << 16), 2, bswap<u32>(high)), 1, bswap<u32>(ssrc));
  const first = v128.xor(v128.load(saltAt), packet);
  let at = start;
  let block: u32 = 0;
  for (; at + 16 <= end; at += 16) {
    v128.store(at, v128.xor(v128.load(at), encrypted(v128.xor(first, lane3(block)))));
    block++;
  }
  if (at == end) return;
  v128.store(lastBlockAt, encrypted(v128.xor(first, lane3(block))));
  for (let i: usize = 0; at + i < end; i++) store<u8>(at + i, load<u8>(at + i) ^ load<u8>(lastBlockAt + i));
}

function encrypted(block: v128): v128 {
  let state = v128.xor(block, v128.load(roundKeysAt));
  for (let at: usize = 16; at < 160; at += 16) {
    state = v128.xor(mixedColumns(shiftedRows(substituted(state))), v128.load(roundKeysAt + at));
  }
  return v128.xor(shiftedRows(substituted(state)), v128.load(roundKeysAt + 160));
}

/** A big-endian number in the last four bytes. */
@inline
function lane3(value: u32): v128 {
  return i32x4.replace_lane(i32x4.splat(0), 3, bswap<u32>(value));
}

@inline
function substituted(x: v128): v128 {
  let a = v128.or(i8x16.swizzle(v128.load(sBoxAt), x), sixteenth(x, 1));
  let b = v128.or(sixteenth(x, 2), sixteenth(x, 3));
  let c = v128.or(sixteenth(x, 4), sixteenth(x, 5));
  let d = v128.or(sixteenth(x, 6), sixteenth(x, 7));
  a = v128.or(a, v128.or(sixteenth(x, 8), sixteenth(x, 9)));
  b = v128.or(b, v128.or(sixteenth(x, 10), sixteenth(x, 11)));
  c = v128.or(c, v128.or(sixteenth(x, 12), sixteenth(x, 13)));
  d = v128.or(d, v128.or(sixteenth(x, 14), sixteenth(x, 15)));
  return v128.or(v128.or(a, b), v128.or(c, d));
}

/** What the bytes from 16·part to 16·part + 15 become; zero for all others, as an index beyond the vector gives. */
@inline
function sixteenth(x: v128, part: i32): v128 {
  return i8x16.swizzle(v128.load(sBoxAt + (part << 4)), i8x16.sub(x, i8x16.splat(<i8>(part << 4))));
}

@inline
function shiftedRows(x: v128): v128 {
  return i8x16.shuffle(x, x, 0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11);
}

/** Each byte becomes 2·itself + 3·the next + the two after that of its column (§5.1.3). */
@inline
function mixedColumns(x: v128): v128 {
  const next = i8x16.shuffle(x, x, 1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12);
  const sum = v128.xor(x, next);
  const others = i8x16.shuffle(sum, sum, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
  return v128.xor(v128.xor(doubledBytes(sum), next), others);
}

@inline
function doubledBytes(x: v128): v128 {
  const overflow = v128.and(i8x16.lt_s(x, i8x16.splat(0)), i8x16.splat(0x1b));
  return v128.xor(i8x16.add(x, x), overflow);
}

/** Times x in the field of AES. */
function doubled(x: u32): u32 {
  return ((x << 1) ^ (x & 0x80 ? 0x11b : 0)) & 0xff;
}
