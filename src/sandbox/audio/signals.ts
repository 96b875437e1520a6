import type { Pcm } from './pcm.js';

/** Fades the ends of a sound over `rampMs` so that it starts and stops without a click. */
function ramped(samples: Float32Array, rateHz: number, rampMs: number): Float32Array {
  const ramp = Math.min(Math.round((rateHz * rampMs) / 1000), samples.length >> 1);
  for (let i = 0; i < ramp; i++) {
    const gain = 0.5 - 0.5 * Math.cos((Math.PI * (i + 0.5)) / ramp);
    const end = samples.length - 1 - i;
    samples[i] = (samples[i] ?? 0) * gain;
    samples[end] = (samples[end] ?? 0) * gain;
  }
  return samples;
}

/** A sum of sines of `hz`, each with amplitude `peak` (1 is full scale). */
export function tone(rateHz: number, hz: number | readonly number[], lengthMs: number, peak: number): Pcm {
  const samples = new Float32Array(Math.round((rateHz * lengthMs) / 1000));
  for (const frequency of typeof hz === 'number' ? [hz] : hz) {
    const step = (2 * Math.PI * frequency) / rateHz;
    for (let i = 0; i < samples.length; i++) samples[i] = (samples[i] ?? 0) + peak * Math.sin(step * i);
  }
  return { rateHz, samples: ramped(samples, rateHz, 5) };
}

/** Loudness steps that never repeat: a small linear congruence with a fixed seed. */
function loudness(count: number): Float32Array {
  let state = 7;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return 0.35 + (0.65 * ((state >> 16) % 1000)) / 1000;
  });
}

const MARKER_FROM_HZ = 500;
const MARKER_TO_HZ = 3000;
const MARKER_STEP_MS = 40;

/**
 * A sound that looks like no other part of itself: a sweep from 500 to 3000 Hz under pseudo-random loudness. Its
 * correlation has one peak, half a millisecond wide, so a delay read off it is unambiguous.
 */
export function marker(rateHz: number, lengthMs: number, peak: number): Pcm {
  const samples = new Float32Array(Math.round((rateHz * lengthMs) / 1000));
  const levels = loudness(Math.ceil(lengthMs / MARKER_STEP_MS) + 2);
  const slope = (MARKER_TO_HZ - MARKER_FROM_HZ) / (lengthMs / 1000);
  for (let i = 0; i < samples.length; i++) {
    const t = i / rateHz;
    const step = (t * 1000) / MARKER_STEP_MS;
    const low = levels[Math.floor(step)] ?? 1;
    const high = levels[Math.floor(step) + 1] ?? 1;
    const level = low + (high - low) * (step - Math.floor(step));
    samples[i] = peak * level * Math.sin(2 * Math.PI * (MARKER_FROM_HZ * t + (slope * t * t) / 2));
  }
  return { rateHz, samples: ramped(samples, rateHz, 10) };
}

const DTMF_ROWS_HZ = [697, 770, 852, 941];
const DTMF_COLUMNS_HZ = [1209, 1336, 1477, 1633];
const DTMF_KEYS = '123A456B789C*0#D';

/** The two tones of a key (ITU-T Q.23), for a phone that can only press keys in band. @throws RangeError for no key. */
export function dtmfTone(rateHz: number, key: string, lengthMs: number, peak = 0.3): Pcm {
  const index = key.length === 1 ? DTMF_KEYS.indexOf(key.toUpperCase()) : -1;
  if (index < 0) throw new RangeError('not a DTMF key');
  return tone(rateHz, [DTMF_ROWS_HZ[index >> 2] ?? 0, DTMF_COLUMNS_HZ[index & 3] ?? 0], lengthMs, peak);
}
