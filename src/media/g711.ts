/**
 * G.711 by tables: 65536 entries each way to code, 256 to decode. Decision values and output levels are those of
 * ITU-T G.711 tables 1a/1b (A-law) and 2a/2b (µ-law) for 16-bit samples, whose low bits are cut off.
 */

/** Added to µ-law magnitudes so that every segment begins at a power of two. */
const ulawBias = 33;

/** Output level of each A-law octet, as a 16-bit sample. */
export const alawDecodeTable = Int16Array.from({ length: 256 }, (_, octet) => alawLevel(octet));
/** Output level of each µ-law octet, as a 16-bit sample. */
export const ulawDecodeTable = Int16Array.from({ length: 256 }, (_, octet) => ulawLevel(octet));
/** A-law octet of each 16-bit sample, indexed by its unsigned reading. */
export const alawEncodeTable = Uint8Array.from({ length: 65_536 }, (_, index) => alawOctet((index << 16) >> 16));
/** µ-law octet of each 16-bit sample, indexed by its unsigned reading. */
export const ulawEncodeTable = Uint8Array.from({ length: 65_536 }, (_, index) => ulawOctet((index << 16) >> 16));
/** Straight from one law to the other, by way of the output level (ITU-T G.711 §4). */
export const alawToUlawTable = Uint8Array.from(alawDecodeTable, ulawOctet);
export const ulawToAlawTable = Uint8Array.from(ulawDecodeTable, alawOctet);

/** Decodes `octets` into `pcm` from its start; returns how many samples that were. */
export function decodeG711(table: Int16Array, octets: Uint8Array, pcm: Int16Array): number {
  const count = Math.min(octets.length, pcm.length);
  for (let i = 0; i < count; i++) pcm[i] = table[octets[i] ?? 0] ?? 0;
  return count;
}

/** Codes the first `count` samples of `pcm` into `octets`. */
export function encodeG711(table: Uint8Array, pcm: Int16Array, count: number, octets: Uint8Array): void {
  for (let i = 0; i < count; i++) octets[i] = table[(pcm[i] ?? 0) & 0xffff] ?? 0;
}

/** Recodes octets in place, one law to the other. */
export function recodeG711(table: Uint8Array, octets: Uint8Array): void {
  for (let i = 0; i < octets.length; i++) octets[i] = table[octets[i] ?? 0] ?? 0;
}

function alawLevel(octet: number): number {
  // Even bits are inverted on the wire; the sign bit is 1 for positive values.
  const code = octet ^ 0x55;
  const segment = (code >> 4) & 7;
  const step = code & 15;
  const magnitude = segment === 0 ? (step << 4) + 8 : ((step << 4) + 0x108) << (segment - 1);
  return code & 0x80 ? magnitude : -magnitude;
}

function alawOctet(sample: number): number {
  // 13-bit one's complement: -1 and 0 share a magnitude, as in the table's two symmetric halves.
  const magnitude = (sample < 0 ? ~sample : sample) >> 4;
  const segment = Math.max(0, 28 - Math.clz32(magnitude));
  const step = segment === 0 ? magnitude : (magnitude >> (segment - 1)) & 15;
  const code = (segment << 4) | step | (sample < 0 ? 0 : 0x80);
  return code ^ 0x55;
}

function ulawLevel(octet: number): number {
  // All bits are inverted on the wire; the sign bit is 1 for positive values.
  const code = ~octet & 0x7f;
  const magnitude = ((((code & 15) << 1) + ulawBias) << (code >> 4)) - ulawBias;
  return (octet & 0x80 ? magnitude : -magnitude) << 2;
}

function ulawOctet(sample: number): number {
  const magnitude = Math.min(0x1fff, ((sample < 0 ? ~sample : sample) >> 2) + ulawBias);
  const segment = Math.max(0, 26 - Math.clz32(magnitude));
  const step = (magnitude >> (segment + 1)) & 15;
  return (~((segment << 4) | step) & 0x7f) | (sample < 0 ? 0 : 0x80);
}
