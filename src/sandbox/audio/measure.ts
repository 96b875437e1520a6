import { correlate, fft, powerOfTwo } from './fft.js';
import { resample, slice } from './pcm.js';
import type { Pcm } from './pcm.js';
import type { Recording } from './recording.js';

/** Level of a sound in dBFS; a sine of full scale is 0 dBFS (AES17). Silence is -Infinity's stand-in, -120. */
export function levelDbfs(pcm: Pcm): number {
  let energy = 0;
  for (const value of pcm.samples) energy += value * value;
  return 10 * Math.log10(Math.max((2 * energy) / Math.max(1, pcm.samples.length), 1e-12));
}

/** Amplitude of the sine at `hz` in `samples` (Goertzel). */
export function amplitudeAt(samples: Float32Array, rateHz: number, hz: number): number {
  const coefficient = 2 * Math.cos((2 * Math.PI * hz) / rateHz);
  let [s1, s2] = [0, 0];
  for (const value of samples) [s1, s2] = [value + coefficient * s1 - s2, s1];
  return (2 * Math.sqrt(Math.max(0, s1 * s1 + s2 * s2 - coefficient * s1 * s2))) / Math.max(1, samples.length);
}

function windowed(samples: Float32Array): Float32Array {
  const n = samples.length;
  return samples.map((value, i) => value * (0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / n)));
}

/** The loudest frequency in Hz: an FFT finds the bin, a search on the exact transform refines it to 0.01 Hz. */
export function strongestHz(pcm: Pcm): number | undefined {
  if (pcm.samples.length < 64) return undefined;
  const shaped = windowed(pcm.samples);
  const n = powerOfTwo(shaped.length);
  const [re, im] = [new Float64Array(n), new Float64Array(n)];
  re.set(shaped);
  fft(re, im);
  let best = 0;
  let bestPower = 0;
  for (let k = 1; k < n / 2; k++) {
    const power = (re[k] ?? 0) ** 2 + (im[k] ?? 0) ** 2;
    if (power > bestPower) [best, bestPower] = [k, power];
  }
  if (best === 0) return undefined;
  const bin = pcm.rateHz / n;
  let [low, high] = [(best - 1) * bin, (best + 1) * bin];
  while (high - low > 0.01) {
    const third = (high - low) / 3;
    const rising = amplitudeAt(shaped, pcm.rateHz, low + third) < amplitudeAt(shaped, pcm.rateHz, high - third);
    if (rising) low += third;
    else high -= third;
  }
  return (low + high) / 2;
}

const WINDOW_MS = 20;
/** Half the usual amplitude: a window that lost more than this has lost the tone. */
const DROPPED = 0.5;
/** -60 dBFS: below this there is no tone at all. */
const AUDIBLE = 0.001;

function toneWindows(pcm: Pcm, hz: number): number[] {
  const size = Math.round((pcm.rateHz * WINDOW_MS) / 1000);
  const amplitudes: number[] = [];
  for (let at = 0; at + size <= pcm.samples.length; at += size) {
    amplitudes.push(amplitudeAt(pcm.samples.subarray(at, at + size), pcm.rateHz, hz));
  }
  return amplitudes;
}

/**
 * Share (0 to 1) of 20 ms windows in which the tone of `hz` is missing or has dropped by 6 dB and more, judged by the
 * windows where it is fully there. `pcm` must be the part in which it should sound; 1 if it is nowhere.
 */
export function toneLoss(pcm: Pcm, hz: number): number {
  const amplitudes = toneWindows(pcm, hz);
  const usual = [...amplitudes].sort((a, b) => a - b)[Math.floor(amplitudes.length * 0.9)] ?? 0;
  if (usual < AUDIBLE) return 1;
  return amplitudes.filter((value) => value < usual * DROPPED).length / amplitudes.length;
}

/** Silent stretches of 20 ms and more between the first and the last sound, milliseconds from the sound's start. */
export function gaps(pcm: Pcm): { readonly atMs: number; readonly lengthMs: number }[] {
  const size = Math.round(pcm.rateHz / 100);
  const loud: number[] = [];
  for (let at = 0; at + size <= pcm.samples.length; at += size) {
    if (pcm.samples.subarray(at, at + size).some((value) => Math.abs(value) > AUDIBLE)) loud.push(at / size);
  }
  return loud.flatMap((frame, i) => {
    const before = loud[i - 1] ?? frame;
    return frame - before > 2 ? [{ atMs: (before + 1) * 10, lengthMs: (frame - before - 1) * 10 }] : [];
  });
}

/** Where a sound was found again. */
export interface Found {
  /** Monotonic time at which its first sample was heard, in milliseconds. */
  readonly atMs: number;
  /** Likeness, 0 to 1: the normalised correlation there. */
  readonly likeness: number;
}

/** Twice what telephony needs: between samples of 8 kHz the peak of a 3 kHz sweep would be missed. */
const SEARCH_RATE_HZ = 16_000;

/** The vertex of the parabola through three neighbours, relative to the middle one. */
function vertex(left: number, middle: number, right: number): number {
  const bend = left - 2 * middle + right;
  return bend === 0 ? 0 : Math.max(-0.5, Math.min(0.5, (left - right) / (2 * bend)));
}

/** Finds `sound` in a recording by cross-correlation; the likeness says how sure that is. */
export function locate(recording: Recording, sound: Pcm): Found | undefined {
  const reference = resample(sound, SEARCH_RATE_HZ).samples;
  const signal = resample(recording, SEARCH_RATE_HZ).samples;
  const last = signal.length - reference.length;
  if (last < 0) return undefined;
  const products = correlate(reference, signal);
  const norm = reference.reduce((sum, value) => sum + value * value, 0);
  let energy = signal.subarray(0, reference.length).reduce((sum, value) => sum + value * value, 0);
  let best = { at: 0, likeness: 0 };
  for (let at = 0; at <= last; at++) {
    const likeness = Math.abs(products[at] ?? 0) / Math.sqrt(norm * Math.max(energy, 1e-6));
    if (likeness > best.likeness) best = { at, likeness };
    energy += (signal[at + reference.length] ?? 0) ** 2 - (signal[at] ?? 0) ** 2;
  }
  const near = [-1, 0, 1].map((d) => Math.abs(products[best.at + d] ?? 0));
  const exact = best.at + vertex(near[0] ?? 0, near[1] ?? 0, near[2] ?? 0);
  return { atMs: recording.startMs + (exact / SEARCH_RATE_HZ) * 1000, likeness: best.likeness };
}

/** The part of a recording between two monotonic times. */
export function between(recording: Recording, fromMs: number, toMs: number): Pcm {
  return slice(recording, fromMs - recording.startMs, toMs - recording.startMs);
}
