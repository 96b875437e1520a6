import { G722Band, higherBandScale, lowerBandScale, saturate } from './g722-band.js';
import { MirrorFilter } from './g722-mirror-filter.js';

/*
 * ITU-T G.722 at 64 kbit/s (mode 1): two samples at 16 kHz become one octet, 6 bits of the lower sub-band and 2 of the higher.
 * Tables are those of the Recommendation. The lower sub-band by itself is narrowband sound at 8 kHz, half as loud.
 */

/** Decision levels of the lower band's 60-level quantiser (table 3). */
const lowerDecisions = Int32Array.from([
  ...[0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650],
  ...[714, 786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919],
]);
const lowerIntervals = 29;
/** Decision level of the higher band's quantiser. */
const higherDecision = 564;

/** Positive output levels of the 4-bit and 6-bit inverse quantisers of the lower band, the largest first (tables 8, 7). */
const levels4 = [20_456, 12_896, 8968, 6288, 4240, 2584, 1200];
const levels6 = [
  ...[24_808, 21_904, 19_008, 16_704, 14_984, 13_512, 12_280, 11_192, 10_232, 9360],
  ...[8576, 7856, 7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576],
  ...[3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136],
];
const negated = (values: readonly number[]): number[] => values.map((value) => -value);

/** By the upper 4 bits of the lower code; `0000` and `1111` are no code words of a 64 kbit/s coder. */
const inverse4 = Int32Array.from([0, ...negated(levels4), ...levels4, 0]);
/** By all 6 bits: 0 to 3 are no code words, 62 and 63 the two smallest negative levels. */
const inverse6 = Int32Array.from([
  ...[-136, -136, -136, -136],
  ...negated(levels6.slice(0, 28)),
  ...levels6,
  ...[-432, -136],
]);
/** Output levels of the higher band (table 9). */
const inverse2 = Int32Array.of(-7408, -1616, 7408, 1616);
/** By how much a code word moves the logarithmic scale factor (tables 10). */
const lowerSteps = stepsByCode([-60, -30, 58, 172, 334, 538, 1198, 3042]);
const higherSteps = Int32Array.of(798, -214, 798, -214);

/** The larger the level that the code stands for, the larger the step. */
function stepsByCode(byMagnitude: readonly number[]): Int32Array {
  const places = [0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0];
  return Int32Array.from(places, (place) => byMagnitude[place] ?? 0);
}

/** Code word of a lower-band difference: intervals count from the smallest level, negative codes from 63 and 31 down. */
function lowerCode(difference: number, scale: number): number {
  const magnitude = difference >= 0 ? difference : -(difference + 1);
  let interval = 1;
  while (interval <= lowerIntervals && magnitude >= ((lowerDecisions[interval] ?? 0) * scale) >> 12) interval++;
  if (difference >= 0) return 62 - interval;
  return interval <= 2 ? 64 - interval : 34 - interval;
}

function higherCode(difference: number, scale: number): number {
  const magnitude = difference >= 0 ? difference : -(difference + 1);
  const isLarge = magnitude >= (higherDecision * scale) >> 12;
  if (difference >= 0) return isLarge ? 2 : 3;
  return isLarge ? 0 : 1;
}

export class G722Encoder {
  readonly #lower = new G722Band(lowerBandScale);
  readonly #higher = new G722Band(higherBandScale);
  readonly #history = new MirrorFilter();

  /** Codes pairs of samples; returns the octets written. */
  encode(pcm: Int16Array, octets: Uint8Array): number {
    const count = pcm.length >> 1;
    for (let i = 0; i < count; i++) octets[i] = this.#encodePair(pcm[2 * i] ?? 0, pcm[2 * i + 1] ?? 0);
    return count;
  }

  /** Codes samples at 8 kHz, an octet each: the higher sub-band stays empty. */
  encodeNarrow(pcm: Int16Array, octets: Uint8Array): number {
    for (let i = 0; i < pcm.length; i++) {
      octets[i] = (this.#encodeHigher(0) << 6) | this.#encodeLower((pcm[i] ?? 0) >> 1);
    }
    return pcm.length;
  }

  #encodePair(first: number, second: number): number {
    const history = this.#history;
    history.push(first, second);
    const [odd, even] = [history.odd(), history.even()];
    return (this.#encodeHigher((even - odd) >> 14) << 6) | this.#encodeLower((even + odd) >> 14);
  }

  #encodeLower(sample: number): number {
    const band = this.#lower;
    const code = lowerCode(saturate(sample - band.predicted), band.scale);
    const difference = (band.scale * (inverse4[code >> 2] ?? 0)) >> 15;
    band.adapt(lowerSteps[code >> 2] ?? 0);
    band.predict(difference);
    return code;
  }

  #encodeHigher(sample: number): number {
    const band = this.#higher;
    const code = higherCode(saturate(sample - band.predicted), band.scale);
    const difference = (band.scale * (inverse2[code] ?? 0)) >> 15;
    band.adapt(higherSteps[code] ?? 0);
    band.predict(difference);
    return code;
  }
}

/** Range of a sub-band's samples behind the decoder. */
const [lowestBand, highestBand] = [-16_384, 16_383];

export class G722Decoder {
  readonly #lower = new G722Band(lowerBandScale);
  readonly #higher = new G722Band(higherBandScale);
  readonly #history = new MirrorFilter();

  /** Decodes into the start of `pcm`, two samples an octet; returns the samples written. */
  decode(octets: Uint8Array, pcm: Int16Array): number {
    const count = Math.min(octets.length, pcm.length >> 1);
    for (let i = 0; i < count; i++) this.#decodeOctet(octets[i] ?? 0, pcm, 2 * i);
    return 2 * count;
  }

  /** Decodes the lower sub-band alone into the start of `pcm`, a sample at 8 kHz an octet; returns the samples written. */
  decodeNarrow(octets: Uint8Array, pcm: Int16Array): number {
    const count = Math.min(octets.length, pcm.length);
    for (let i = 0; i < count; i++) pcm[i] = 2 * this.#decodeLower((octets[i] ?? 0) & 63);
    return count;
  }

  #decodeOctet(octet: number, pcm: Int16Array, at: number): void {
    const low = this.#decodeLower(octet & 63);
    const high = this.#decodeHigher(octet >> 6);
    const history = this.#history;
    history.push(low + high, low - high);
    pcm[at] = saturate(history.even() >> 11);
    pcm[at + 1] = saturate(history.odd() >> 11);
  }

  #decodeLower(code: number): number {
    const band = this.#lower;
    const sample = band.predicted + ((band.scale * (inverse6[code] ?? 0)) >> 15);
    const difference = (band.scale * (inverse4[code >> 2] ?? 0)) >> 15;
    band.adapt(lowerSteps[code >> 2] ?? 0);
    band.predict(difference);
    return Math.min(highestBand, Math.max(lowestBand, sample));
  }

  #decodeHigher(code: number): number {
    const band = this.#higher;
    const difference = (band.scale * (inverse2[code] ?? 0)) >> 15;
    const sample = band.predicted + difference;
    band.adapt(higherSteps[code] ?? 0);
    band.predict(difference);
    return Math.min(highestBand, Math.max(lowestBand, sample));
  }
}
