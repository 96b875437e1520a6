/** HMAC-SHA1 (RFC 2104, FIPS 180-4 §6.1). Of the padded keys the hash after their block is kept, which saves two blocks a packet. */
import { hashAt, innerAt, keyAt, outerAt, scheduleAt, tailAt } from './memory';

const blockBytes: usize = 64;
const hashBytes: usize = 20;

/** Readies the state for the key at `keyAt`, 64 bytes with zeros behind it. */
export function keyMac(): void {
  hashPad(0x36, innerAt);
  hashPad(0x5c, outerAt);
}

/** Leaves the MAC of the bytes at `hashAt`. */
export function mac(start: usize, bytes: usize): void {
  copyHash(hashAt, innerAt);
  hashRest(start, bytes);
  copyHash(keyAt, hashAt);
  copyHash(hashAt, outerAt);
  hashRest(keyAt, hashBytes);
}

function hashPad(pad: u8, at: usize): void {
  for (let i: usize = 0; i < blockBytes; i++) store<u8>(tailAt + i, load<u8>(keyAt + i) ^ pad);
  store<u32>(hashAt, 0x67452301);
  store<u32>(hashAt + 4, 0xefcdab89);
  store<u32>(hashAt + 8, 0x98badcfe);
  store<u32>(hashAt + 12, 0x10325476);
  store<u32>(hashAt + 16, 0xc3d2e1f0);
  compress(tailAt);
  copyHash(at, hashAt);
}

@inline
function copyHash(to: usize, from: usize): void {
  v128.store(to, v128.load(from));
  store<u32>(to + 16, load<u32>(from + 16));
}

/** Goes on with the hash, one block of which is done, and finishes it: padding, length, big-endian words. */
function hashRest(start: usize, bytes: usize): void {
  const end = start + bytes;
  let at = start;
  for (; at + blockBytes <= end; at += blockBytes) compress(at);
  const rest = end - at;
  const tailBytes: usize = rest + 9 <= blockBytes ? blockBytes : 2 * blockBytes;
  for (let i: usize = 0; i < tailBytes; i += 16) v128.store(tailAt + i, i32x4.splat(0));
  for (let i: usize = 0; i < rest; i++) store<u8>(tailAt + i, load<u8>(at + i));
  store<u8>(tailAt + rest, 0x80);
  store<u32>(tailAt + tailBytes - 4, bswap<u32>(<u32>((blockBytes + bytes) << 3)));
  compress(tailAt);
  if (tailBytes > blockBytes) compress(tailAt + blockBytes);
  for (let i: usize = 0; i < hashBytes; i += 4) store<u32>(hashAt + i, bswap<u32>(load<u32>(hashAt + i)));
}

/** One block. Five rounds at a time, in which the five words change their parts instead of their places. */
function compress(at: usize): void {
  for (let i: usize = 0; i < blockBytes; i += 4) store<u32>(scheduleAt + i, bswap<u32>(load<u32>(at + i)));
  let a = load<u32>(hashAt);
  let b = load<u32>(hashAt + 4);
  let c = load<u32>(hashAt + 8);
  let d = load<u32>(hashAt + 12);
  let e = load<u32>(hashAt + 16);
  for (let t: usize = 0; t < 20; t += 5) {
    e += rotl<u32>(a, 5) + choice(b, c, d) + 0x5a827999 + word(t);
    b = rotl<u32>(b, 30);
    d += rotl<u32>(e, 5) + choice(a, b, c) + 0x5a827999 + word(t + 1);
    a = rotl<u32>(a, 30);
    c += rotl<u32>(d, 5) + choice(e, a, b) + 0x5a827999 + word(t + 2);
    e = rotl<u32>(e, 30);
    b += rotl<u32>(c, 5) + choice(d, e, a) + 0x5a827999 + word(t + 3);
    d = rotl<u32>(d, 30);
    a += rotl<u32>(b, 5) + choice(c, d, e) + 0x5a827999 + word(t + 4);
    c = rotl<u32>(c, 30);
  }
  for (let t: usize = 20; t < 40; t += 5) {
    e += rotl<u32>(a, 5) + (b ^ c ^ d) + 0x6ed9eba1 + nextWord(t);
    b = rotl<u32>(b, 30);
    d += rotl<u32>(e, 5) + (a ^ b ^ c) + 0x6ed9eba1 + nextWord(t + 1);
    a = rotl<u32>(a, 30);
    c += rotl<u32>(d, 5) + (e ^ a ^ b) + 0x6ed9eba1 + nextWord(t + 2);
    e = rotl<u32>(e, 30);
    b += rotl<u32>(c, 5) + (d ^ e ^ a) + 0x6ed9eba1 + nextWord(t + 3);
    d = rotl<u32>(d, 30);
    a += rotl<u32>(b, 5) + (c ^ d ^ e) + 0x6ed9eba1 + nextWord(t + 4);
    c = rotl<u32>(c, 30);
  }
  for (let t: usize = 40; t < 60; t += 5) {
    e += rotl<u32>(a, 5) + majority(b, c, d) + 0x8f1bbcdc + nextWord(t);
    b = rotl<u32>(b, 30);
    d += rotl<u32>(e, 5) + majority(a, b, c) + 0x8f1bbcdc + nextWord(t + 1);
    a = rotl<u32>(a, 30);
    c += rotl<u32>(d, 5) + majority(e, a, b) + 0x8f1bbcdc + nextWord(t + 2);
    e = rotl<u32>(e, 30);
    b += rotl<u32>(c, 5) + majority(d, e, a) + 0x8f1bbcdc + nextWord(t + 3);
    d = rotl<u32>(d, 30);
    a += rotl<u32>(b, 5) + majority(c, d, e) + 0x8f1bbcdc + nextWord(t + 4);
    c = rotl<u32>(c, 30);
  }
  for (let t: usize = 60; t < 80; t += 5) {
    e += rotl<u32>(a, 5) + (b ^ c ^ d) + 0xca62c1d6 + nextWord(t);
    b = rotl<u32>(b, 30);
    d += rotl<u32>(e, 5) + (a ^ b ^ c) + 0xca62c1d6 + nextWord(t + 1);
    a = rotl<u32>(a, 30);
    c += rotl<u32>(d, 5) + (e ^ a ^ b) + 0xca62c1d6 + nextWord(t + 2);
    e = rotl<u32>(e, 30);
    b += rotl<u32>(c, 5) + (d ^ e ^ a) + 0xca62c1d6 + nextWord(t + 3);
    d = rotl<u32>(d, 30);
    a += rotl<u32>(b, 5) + (c ^ d ^ e) + 0xca62c1d6 + nextWord(t + 4);
    c = rotl<u32>(c, 30);
  }
  store<u32>(hashAt, load<u32>(hashAt) + a);
  store<u32>(hashAt + 4, load<u32>(hashAt + 4) + b);
  store<u32>(hashAt + 8, load<u32>(hashAt + 8) + c);
  store<u32>(hashAt + 12, load<u32>(hashAt + 12) + d);
  store<u32>(hashAt + 16, load<u32>(hashAt + 16) + e);
}

@inline
function choice(x: u32, y: u32, z: u32): u32 {
  return z ^ (x & (y ^ z));
}

@inline
function majority(x: u32, y: u32, z: u32): u32 {
  return (x & y) | (z & (x | y));
}

/** Word `t` of the schedule: of the block for the first sixteen rounds, made from earlier ones afterwards. */
function word(t: usize): u32 {
  return t < 16 ? load<u32>(scheduleAt + (t << 2)) : nextWord(t);
}

@inline
function nextWord(t: usize): u32 {
  const made = rotl<u32>(earlier(t - 3) ^ earlier(t - 8) ^ earlier(t - 14) ^ earlier(t - 16), 1);
  store<u32>(scheduleAt + ((t & 15) << 2), made);
  return made;
}

@inline
function earlier(t: usize): u32 {
  return load<u32>(scheduleAt + ((t & 15) << 2));
}
