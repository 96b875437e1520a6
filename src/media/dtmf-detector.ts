import { dtmfTones, type TonePair } from './dtmf-tones.js';
import { ToneMeter } from './tone-meter.js';

export interface DtmfDetectorOptions {
  /** A tone is over; `durationMs` is how long it was heard. */
  readonly onDigit: (digit: string, durationMs: number) => void;
}

/** Rate of the samples it hears, in Hz. */
export const detectorSampleRate = 8000;

/** 20 ms, looked at every 5 ms: what is shorter than 23 ms never fills enough looks, 40 ms always do (ITU-T Q.24). */
const windowSamples = 160;
const hopSamples = 40;
const hopMs = (hopSamples * 1000) / detectorSampleRate;
/** So many looks in a row make a digit. */
const looksToBegin = 5;
/** From the second one on the tone is kept from the far end. */
const looksToMute = 2;
/** A tone may break off for 10 ms and go on (Q.24); a pause of 40 ms parts two digits. */
const missesToEnd = 6;
/** Each of both tones, in dBm0: Q.24's administrations want -25 to -29 heard. */
const leastLevelDb = -32;
/** High group against low group in dB: Q.24's widest is +4 to -8, heard here with a little room. */
const mostTwistDb = 5.5;
const leastTwistDb = -9.5;
/** Share of all energy that the two tones hold: speech leaves much elsewhere, noise 12 dB below the tones leaves 6 %. */
const leastShare = 0.88;
/** Deviation of either frequency: 1.8 % has to be heard, 3.5 % must not be (Q.24). */
const mostDeviation = 0.022;
/** Full scale of 16 bits in dBm0 (ITU-T G.711: a sine of full scale is 3.14 dBm0). */
const fullScaleDb = 3.14;
/** What a window that holds less than this of a tone misses at its two ends. */
const lookLeadMs = 5;

const leastPower = 0.5 * (32_768 * 10 ** ((leastLevelDb - fullScaleDb) / 20)) ** 2;

interface Tone {
  readonly digit: string;
  looks: number;
  /** Time from its first look to its last, in ms. */
  heardMs: number;
  misses: number;
}

/**
 * Hears DTMF digits in audio of 8000 Hz. Every 5 ms it looks at the last 20: exactly two tones, one of each group, at their
 * frequencies, with hardly anything beside them, five looks in a row, are a digit (ITU-T Q.23, Q.24).
 */
export class DtmfDetector {
  readonly #meter = new ToneMeter(dtmfTones.all, detectorSampleRate, windowSamples, hopSamples);
  readonly #ring = new Float64Array(windowSamples);
  #next = 0;
  #untilLook = windowSamples;
  #tone: Tone | undefined;

  constructor(private readonly options: DtmfDetectorOptions) {}

  /** What is heard now is, or may well be, a digit. */
  get active(): boolean {
    return this.#tone !== undefined && this.#tone.looks >= looksToMute;
  }

  /** Takes samples as they come. */
  listen(samples: Int16Array): void {
    for (let i = 0; i < samples.length; i++) {
      this.#ring[this.#next] = samples[i] ?? 0;
      this.#next = (this.#next + 1) % windowSamples;
      if (--this.#untilLook === 0) {
        this.#untilLook = hopSamples;
        this.#look();
      }
    }
  }

  /** Audio of this length is missing: a tone that goes on behind it went on meanwhile. */
  skip(durationMs: number): void {
    if (this.#tone) this.#tone.heardMs += durationMs;
  }

  /** No audio comes any more: what was being heard is over. */
  finish(): void {
    const tone = this.#tone;
    this.#tone = undefined;
    if (!tone || tone.looks < looksToBegin) return;
    this.options.onDigit(tone.digit, Math.round(Math.max(hopMs, tone.heardMs + windowMs - 2 * lookLeadMs + hopMs)));
  }

  #look(): void {
    const digit = this.#judge();
    const tone = this.#tone;
    if (tone && digit === tone.digit) {
      tone.looks++;
      tone.heardMs += hopMs * (1 + tone.misses);
      tone.misses = 0;
      return;
    }
    if (tone && digit === undefined && tone.looks >= looksToBegin && ++tone.misses < missesToEnd) return;
    this.finish();
    if (digit !== undefined) this.#tone = { digit, looks: 1, heardMs: 0, misses: 0 };
  }

  /** The digit that the last 20 ms are, if they are one. */
  #judge(): string | undefined {
    const meter = this.#meter;
    const total = meter.measure(this.#ring, this.#next);
    if (total < 2 * leastPower * 10 ** (leastTwistDb / 10)) return undefined;
    const pair = this.#strongest();
    const low = meter.power(pair.low);
    const high = meter.power(pair.high);
    if (low < leastPower || high < leastPower) return undefined;
    const twistDb = 10 * Math.log10(high / low);
    if (twistDb > mostTwistDb || twistDb < leastTwistDb) return undefined;
    if (low + high < leastShare * total) return undefined;
    if (Math.abs(meter.deviation(pair.low)) > mostDeviation) return undefined;
    if (Math.abs(meter.deviation(pair.high)) > mostDeviation) return undefined;
    return pair.digit;
  }

  #strongest(): TonePair {
    const { meter, first, last } = { meter: this.#meter, first: 0, last: dtmfTones.lows };
    let low = first;
    for (let i = 1; i < last; i++) if (meter.raw(i) > meter.raw(low)) low = i;
    let high = last;
    for (let i = last + 1; i < dtmfTones.all.length; i++) if (meter.raw(i) > meter.raw(high)) high = i;
    return { low, high, digit: dtmfTones.digitOf(low, high) };
  }
}

const windowMs = (windowSamples * 1000) / detectorSampleRate;
