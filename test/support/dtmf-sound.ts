import { dtmfTones } from '../../src/media/dtmf-tones.js';

export const soundRate = 8000;

export interface ToneOptions {
  /** Of either tone, in dBm0. */
  readonly lowDb?: number;
  readonly highDb?: number;
  /** Both frequencies off by this share. */
  readonly deviation?: number;
  /** White noise so much below the two tones together, in dB. */
  readonly noiseDb?: number;
  readonly leadMs?: number;
  /** The tone breaks off for so long in its middle. */
  readonly brokenMs?: number;
}

/** The same numbers each time: 0 to 1. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const amplitude = (db: number): number => 32_768 * 10 ** ((db - 3.14) / 20);

/** A digit of `toneMs` between two silences of 100 ms at 8000 Hz. */
export function dtmfSound(digit: string, toneMs: number, options: ToneOptions = {}): Int16Array {
  const { lowDb = -9, highDb = -7, deviation = 0, leadMs = 100, brokenMs = 0 } = options;
  const [low, high] = (dtmfTones.frequenciesOf(digit) ?? [0, 0]).map((hz) => hz * (1 + deviation)) as [number, number];
  const power = (amplitude(lowDb) ** 2 + amplitude(highDb) ** 2) / 2;
  const noise = options.noiseDb === undefined ? 0 : Math.sqrt(power / 10 ** (options.noiseDb / 10));
  const random = seeded(digit.charCodeAt(0) * 1000 + Math.round(toneMs * 10));
  const [from, samples] = [Math.round(leadMs * 8), Math.round(toneMs * 8)];
  return Int16Array.from({ length: from + samples + 800 }, (_, i) => {
    const at = i - from;
    const isOn = at >= 0 && at < samples && Math.abs(at - samples / 2) >= (brokenMs * 8) / 2;
    const seconds = at / soundRate;
    const tone = isOn
      ? amplitude(lowDb) * Math.sin(2 * Math.PI * low * seconds) +
        amplitude(highDb) * Math.sin(2 * Math.PI * high * seconds + 1)
      : 0;
    const hiss = noise * Math.sqrt(-2 * Math.log(random() + 1e-9)) * Math.cos(2 * Math.PI * random());
    return Math.max(-32_768, Math.min(32_767, Math.round(tone + hiss)));
  });
}

/** Formants of vowels, in Hz: a, e, i, o, u, ö and a nasal; F1 to F4. */
const vowels = [
  [730, 1090, 2440, 3400],
  [530, 1840, 2480, 3500],
  [270, 2290, 3010, 3600],
  [570, 840, 2410, 3300],
  [300, 870, 2240, 3300],
  [490, 1350, 1690, 3300],
  [280, 900, 2200, 2700],
] as const;

/**
 * What a voice does that may be taken for DTMF: vowels of four formants that glide into each other, over a pitch from 75 to 600 Hz
 * that moves, stands and breaks, with hisses and pauses between, at all levels.
 */
export function voiceLikeSound(seconds: number, seed: number): Int16Array {
  const random = seeded(seed);
  const out = new Int16Array(seconds * soundRate);
  const state = Array.from({ length: 4 }, () => [0, 0] as [number, number]);
  let formants = [...vowels[0]] as number[];
  let [phase, pitch, toPitch, level, left, isVoiced] = [0, 120, 120, 3000, 0, true];
  let target: readonly number[] = vowels[0];
  for (let i = 0; i < out.length; i++) {
    if (left-- <= 0) {
      left = Math.round((0.04 + 0.25 * random()) * soundRate);
      target = vowels[Math.floor(random() * vowels.length)] ?? vowels[0];
      toPitch = random() < 0.3 ? pitch : 75 * 8 ** random();
      level = random() < 0.15 ? 0 : 400 * 20 ** random();
      isVoiced = random() < 0.8;
    }
    pitch += (toPitch - pitch) * 0.0008;
    formants = formants.map((hz, n) => hz + ((target[n] ?? hz) - hz) * 0.002);
    phase += pitch / soundRate;
    const isPulse = phase >= 1;
    if (isPulse) phase -= 1;
    const source = isVoiced ? (isPulse ? 1 : 0) : (random() - 0.5) * 0.3;
    let sound = 0;
    for (const [n, memory] of state.entries()) {
      const r = Math.exp((-Math.PI * (60 + 40 * n)) / soundRate);
      const value =
        source + 2 * r * Math.cos((2 * Math.PI * (formants[n] ?? 500)) / soundRate) * memory[0] - r * r * memory[1];
      memory[1] = memory[0];
      memory[0] = value;
      sound += value / (1 + n);
    }
    out[i] = Math.max(-32_768, Math.min(32_767, Math.round(sound * level)));
  }
  return out;
}
