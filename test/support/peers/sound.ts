import type { Sound } from './wav.js';

/** A sine of half scale (-9 dBFS RMS). */
export function sine(hz: number, durationMs: number, rateHz: number): Sound {
  const samples = new Float64Array(Math.round((rateHz * durationMs) / 1000));
  return { rateHz, samples: samples.map((_, index) => 0.5 * Math.sin((2 * Math.PI * hz * index) / rateHz)) };
}

/** What a recording tells about the tone that was played into the other end. */
export interface ToneReport {
  /** Frequency of the strongest part between 200 and 3600 Hz, to about 1 Hz; 0 when nothing was heard. */
  readonly hz: number;
  /** Share of the sounding part's energy that lies at that frequency, 0 to 1. */
  readonly purity: number;
  /** Level of the sounding part, dBFS (RMS; a half-scale sine has -9). */
  readonly levelDb: number;
  /** From the first sounding window to the last. */
  readonly activeMs: number;
  /** Silence inside the sounding part, added up. */
  readonly silentMs: number;
}

const windowMs = 20;
const silenceRms = 0.003; // -50 dBFS

/** Judges a recording of one steady tone. */
export function judgeTone(sound: Sound): ToneReport {
  const size = Math.round((sound.rateHz * windowMs) / 1000);
  const count = Math.floor(sound.samples.length / size);
  const rms = Array.from({ length: count }, (_, index) =>
    rmsOf(sound.samples.subarray(index * size, (index + 1) * size)),
  );
  const first = rms.findIndex((value) => value > silenceRms);
  if (first < 0) return { hz: 0, purity: 0, levelDb: -Infinity, activeMs: 0, silentMs: 0 };
  const last = rms.findLastIndex((value) => value > silenceRms);
  const silent = rms.slice(first, last + 1).filter((value) => value <= silenceRms).length;
  // The edges carry the start of the codec and of echo cancelling; the middle is what a listener hears.
  const margin = Math.min(10, Math.floor((last - first) / 4));
  const middle = sound.samples.subarray((first + margin) * size, (last + 1 - margin) * size);
  const hz = strongestHz(middle, sound.rateHz);
  return {
    hz,
    purity: purityAt(middle, sound.rateHz, hz),
    levelDb: 20 * Math.log10(rmsOf(middle)),
    activeMs: (last - first + 1) * windowMs,
    silentMs: silent * windowMs,
  };
}

/** A stretch of one tone in a recording. */
export interface ToneStretch {
  readonly hz: number;
  readonly levelDb: number;
  readonly durationMs: number;
}

const stretchMs = 60;
const shortestMs = 240;

/**
 * The tones of a recording one after the other, with their levels; only the named frequencies are known. Silence and what is
 * no such tone (a change from one to the next) stand between them and are left out, as is what lasts less than 240 ms.
 */
export function tonesIn(sound: Sound, frequencies: readonly number[]): ToneStretch[] {
  const size = Math.round((sound.rateHz * stretchMs) / 1000);
  const found: { hz: number; levels: number[] }[] = [];
  for (let at = 0; at + size <= sound.samples.length; at += size) {
    const piece = sound.samples.subarray(at, at + size);
    const rms = rmsOf(piece);
    const hz =
      rms > silenceRms ? frequencies.find((one) => powerAt(piece, sound.rateHz, one) > 0.8 * rms * rms) : undefined;
    const last = found.at(-1);
    if (hz === undefined) found.push({ hz: 0, levels: [] });
    else if (last?.hz === hz) last.levels.push(20 * Math.log10(rms));
    else found.push({ hz, levels: [20 * Math.log10(rms)] });
  }
  return joined(found.filter(({ hz, levels }) => hz > 0 && levels.length * stretchMs >= shortestMs));
}

/** A hole within a tone does not make two of it. */
function joined(stretches: readonly { hz: number; levels: number[] }[]): ToneStretch[] {
  const all: { hz: number; levels: number[] }[] = [];
  for (const { hz, levels } of stretches) {
    const last = all.at(-1);
    if (last?.hz === hz) last.levels.push(...levels);
    else all.push({ hz, levels: [...levels] });
  }
  return all.map(({ hz, levels }) => ({
    hz,
    levelDb: [...levels].sort((a, b) => a - b)[Math.floor(levels.length / 2)] ?? 0,
    durationMs: levels.length * stretchMs,
  }));
}

function rmsOf(samples: Float64Array): number {
  return Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / Math.max(1, samples.length));
}

/** Power of one frequency in a stretch of sound, 1 for a sine of that frequency and unit RMS (Goertzel's algorithm). */
function powerAt(samples: Float64Array, rateHz: number, hz: number): number {
  const factor = 2 * Math.cos((2 * Math.PI * hz) / rateHz);
  let before = 0;
  let last = 0;
  for (const value of samples) [before, last] = [last, value + factor * last - before];
  return (2 * (last * last + before * before - factor * last * before)) / (samples.length * samples.length);
}

function strongestHz(samples: Float64Array, rateHz: number): number {
  const piece = samples.subarray(0, Math.min(samples.length, rateHz));
  const strongest = (from: number, to: number, step: number): number => {
    let best = { hz: from, power: -1 };
    for (let hz = from; hz <= to; hz += step) {
      const power = powerAt(piece.subarray(0, Math.round(Math.min(piece.length, rateHz / step))), rateHz, hz);
      if (power > best.power) best = { hz, power };
    }
    return best.hz;
  };
  const coarse = strongest(200, 3600, 10);
  return strongest(coarse - 12, coarse + 12, 1);
}

/** Share of energy at one frequency, judged window by window, so that a jump of phase at a lost packet costs one window only. */
function purityAt(samples: Float64Array, rateHz: number, hz: number): number {
  const size = Math.round((rateHz * 2 * windowMs) / 1000);
  const shares: number[] = [];
  for (let at = 0; at + size <= samples.length; at += size) {
    const piece = samples.subarray(at, at + size);
    const energy = rmsOf(piece) ** 2;
    if (energy > silenceRms ** 2) shares.push(Math.min(1, powerAt(piece, rateHz, hz) / energy));
  }
  shares.sort((a, b) => a - b);
  return shares[Math.floor(shares.length / 2)] ?? 0;
}
