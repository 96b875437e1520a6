/**
 * ITU-T G.722 at 64 kbit/s (mode 1), compiled to WebAssembly with vectors: two samples at 16 kHz become one octet, 6 bits of the
 * lower sub-band and 2 of the higher. The lower sub-band by itself is narrowband sound at 8 kHz, half as loud.
 */
import { Band, bandBytes, saturate } from './band';
import { differenceAt, sumAt } from './filter';
import { historyAt, historyBytes, octetsAt, samplesAt, stateAt } from './memory';
import { higherCode, higherLevel, higherStep, lowerCode, lowerLevel4, lowerLevel6, lowerStep } from './quantisers';

export { historyAt, mostOctets, octetsAt, samplesAt, stateAt } from './memory';

/** Of the coder that is worked with: both bands, and the samples that the filter looks back on. */
const lower = changetype<Band>(stateAt);
const higher = changetype<Band>(stateAt + bandBytes);
const keptAt: usize = stateAt + 2 * bandBytes;
export const stateBytes: usize = 2 * bandBytes + historyBytes;

/** Range of a sub-band's samples behind the decoder. */
const lowestBand: i32 = -16_384;
const highestBand: i32 = 16_383;

/** Puts the state that every coder begins with in place. */
export function begin(): void {
  lower.begin(18_432, 8, 32);
  higher.begin(22_528, 10, 8);
  memory.fill(keptAt, 0, historyBytes);
}

/** Codes pairs of samples, one octet each. */
export function encode(octets: usize): void {
  memory.copy(historyAt, keptAt, historyBytes);
  for (let i: usize = 0; i < octets; i++) {
    const at = historyAt + (i << 2);
    const low = encodeLower(sumAt(at) >> 14);
    store<u8>(octetsAt + i, (encodeHigher(differenceAt(at) >> 14) << 6) | low);
  }
  memory.copy(keptAt, historyAt + (octets << 2), historyBytes);
}

/** Codes samples at 8 kHz, an octet each: the higher sub-band stays empty. */
export function encodeNarrow(octets: usize): void {
  for (let i: usize = 0; i < octets; i++) {
    const low = encodeLower(<i32>load<i16>(samplesAt + (i << 1)) >> 1);
    store<u8>(octetsAt + i, (encodeHigher(0) << 6) | low);
  }
}

/** Decodes to two samples an octet, which take the places of those that the filter needs no more. */
export function decode(octets: usize): void {
  memory.copy(historyAt, keptAt, historyBytes);
  for (let i: usize = 0; i < octets; i++) {
    const octet = <i32>load<u8>(octetsAt + i);
    const low = decodeLower(octet & 63);
    const high = decodeHigher(octet >> 6);
    const at = historyAt + (i << 2);
    store<i16>(at + historyBytes, <i16>(low + high));
    store<i16>(at + historyBytes, <i16>(low - high), 2);
    const sum = sumAt(at);
    const difference = differenceAt(at);
    store<i16>(at, <i16>saturate((sum + difference) >> 12));
    store<i16>(at, <i16>saturate((sum - difference) >> 12), 2);
  }
  memory.copy(keptAt, historyAt + (octets << 2), historyBytes);
}

/** Decodes the lower sub-band alone, to a sample at 8 kHz an octet. */
export function decodeNarrow(octets: usize): void {
  for (let i: usize = 0; i < octets; i++) {
    store<i16>(historyAt + (i << 1), <i16>(2 * decodeLower(<i32>load<u8>(octetsAt + i) & 63)));
  }
}

function encodeLower(sample: i32): i32 {
  const code = lowerCode(saturate(sample - lower.predicted), lower.scale);
  takeLower(code);
  return code;
}

function encodeHigher(sample: i32): i32 {
  const code = higherCode(saturate(sample - higher.predicted), higher.scale);
  takeHigher(code);
  return code;
}

function decodeLower(code: i32): i32 {
  const sample = lower.predicted + lowerLevel6(code, lower.scale);
  takeLower(code);
  return inBand(sample);
}

function decodeHigher(code: i32): i32 {
  const sample = higher.predicted + higherLevel(code, higher.scale);
  takeHigher(code);
  return inBand(sample);
}

/** What coder and decoder alike learn of a code word. */
@inline
function takeLower(code: i32): void {
  const difference = lowerLevel4(code, lower.scale);
  lower.adapt(lowerStep(code));
  lower.predict(difference);
}

@inline
function takeHigher(code: i32): void {
  const difference = higherLevel(code, higher.scale);
  higher.adapt(higherStep(code));
  higher.predict(difference);
}

@inline
function inBand(sample: i32): i32 {
  return min(highestBand, max(lowestBand, sample));
}
