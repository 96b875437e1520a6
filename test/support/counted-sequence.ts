import { readFileSync, writeFileSync } from 'node:fs';
import { amplitudeAt } from '../../src/sandbox/audio/measure.js';
import { concat, silence, type Pcm } from '../../src/sandbox/audio/pcm.js';
import { tone } from '../../src/sandbox/audio/signals.js';
import { readWav, writeWav } from '../../src/sandbox/audio/wav.js';

/** Ten "syllables", each with a pitch of its own, as close together as in quick speech. */
export const syllablesHz = Array.from({ length: 10 }, (_, i) => 480 + 150 * i);
export const syllableMs = 120;
const gapMs = 60;
const peak = 0.3;
/** Length of the whole sequence, gaps included. */
export const sequenceMs = syllablesHz.length * (syllableMs + gapMs);

/** The sequence, from the first syllable's first sample on. */
export function countedSequence(rateHz: number): Pcm {
  const parts = syllablesHz.map((hz) => concat(tone(rateHz, hz, syllableMs, peak), silence(rateHz, gapMs)));
  return concat(silence(rateHz, 0), ...parts);
}

export interface HeardSyllable {
  readonly hz: number;
  /** From the recording's start. */
  readonly atMs: number;
  readonly lengthMs: number;
}

const hopMs = 5;
const windowMs = 20;

/** Where and for how long each syllable sounds at half its amplitude or more; its longest unbroken stretch. */
export function heardSyllables(pcm: Pcm): (HeardSyllable | undefined)[] {
  return syllablesHz.map((hz) => longestStretch(pcm, hz));
}

function longestStretch(pcm: Pcm, hz: number): HeardSyllable | undefined {
  const [hop, size] = [hopMs, windowMs].map((ms) => Math.round((pcm.rateHz * ms) / 1000)) as [number, number];
  const amplitudes: number[] = [];
  for (let at = 0; at + size <= pcm.samples.length; at += hop) {
    amplitudes.push(amplitudeAt(pcm.samples.subarray(at, at + size), pcm.rateHz, hz));
  }
  let best: HeardSyllable | undefined;
  let began = -1;
  amplitudes.push(0);
  amplitudes.forEach((value, i) => {
    if (value >= peak / 2) {
      if (began < 0) began = i;
      return;
    }
    // A window is half full at either end of the stretch: both ends are half a window off, inwards.
    const lengthMs = began < 0 ? 0 : (i - 1 - began) * hopMs + hopMs;
    if (lengthMs > (best?.lengthMs ?? 20)) best = { hz, atMs: began * hopMs + windowMs / 2, lengthMs };
    began = -1;
  });
  return best;
}

/** Stores a recording as WAV and reads it back: what is judged is the file. */
export function throughFile(file: string, pcm: Pcm): Pcm {
  writeFileSync(file, writeWav(pcm));
  return readWav(readFileSync(file));
}
