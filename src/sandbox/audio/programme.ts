import { SPEECH_PCMU_BASE64 } from '../assets/speech-clip.js';
import { decodeG711 } from './g711.js';
import { between, levelDbfs, locate, strongestHz, toneLoss } from './measure.js';
import type { Found } from './measure.js';
import { concat, durationMs, resample, silence, slice } from './pcm.js';
import type { Pcm } from './pcm.js';
import type { Recording } from './recording.js';
import { marker, tone } from './signals.js';

/** The spoken sentence that ships with the sandbox. */
export function speech(rateHz: number): Pcm {
  return resample({ rateHz: 8000, samples: decodeG711('PCMU', Buffer.from(SPEECH_PCMU_BASE64, 'base64')) }, rateHz);
}

/** A sound made to be measured at the far end: speech for those who listen in, a marker, and a tone. */
export interface Programme {
  readonly pcm: Pcm;
  readonly toneHz: number;
  readonly toneMs: number;
  readonly marker: Pcm;
  /** Milliseconds from the programme's start. */
  readonly markerAtMs: number;
  readonly toneAtMs: number;
}

export interface ProgrammeOptions {
  readonly rateHz: number;
  readonly toneHz: number;
  readonly toneMs?: number;
  /** Quiet before the first sound. Default 600. */
  readonly leadMs?: number;
  readonly withSpeech?: boolean;
}

const PEAK = 0.35;
const MARKER_MS = 600;
const PAUSE_MS = 200;

export function makeProgramme(options: ProgrammeOptions): Programme {
  const { rateHz, toneHz, toneMs = 2000, leadMs = 600, withSpeech = true } = options;
  const mark = marker(rateHz, MARKER_MS, PEAK);
  const pause = silence(rateHz, PAUSE_MS);
  const sound = tone(rateHz, toneHz, toneMs, PEAK);
  // Speech comes first: meanwhile jitter buffers recover from what the call's set-up did to them.
  const opening = concat(silence(rateHz, leadMs), ...(withSpeech ? [speech(rateHz), pause, pause] : []));
  const pcm = concat(opening, mark, pause, sound, pause);
  const markerAtMs = durationMs(opening);
  return { pcm, toneHz, toneMs, marker: mark, markerAtMs, toneAtMs: markerAtMs + MARKER_MS + PAUSE_MS };
}

/** Length of a programme in milliseconds. */
export function programmeMs(programme: Programme): number {
  return durationMs(programme.pcm);
}

/** What was heard of a programme; undefined where there was nothing to measure. */
export interface Heard {
  readonly toneHz: number | undefined;
  /** dBFS of the tone; a sine of full scale is 0. */
  readonly levelDb: number;
  /** Share of the tone that was missing, 0 to 1. */
  readonly loss: number;
  /** From the sender's hand to the listener's ear, one way. */
  readonly delayMs: number | undefined;
  /** How like the marker the sound at that place was, 0 to 1. */
  readonly likeness: number;
}

/** Less like the marker than this, and it is chance. Speech codecs and jitter buffers leave 0.6 to 0.95. */
const MIN_LIKENESS = 0.3;
const SURE_LIKENESS = 0.6;
/** Kept off both ends of the tone: ramps, and what the jitter buffer shifts between marker and tone. */
const GUARD_MS = 120;

/**
 * Finds the marker; where a jitter buffer stretched time in the middle of it, by its later half alone, which came
 * after the buffer had settled.
 */
function findMarker(recording: Recording, whole: Pcm): Found | undefined {
  const found = locate(recording, whole);
  if (!found || found.likeness >= SURE_LIKENESS) return found;
  const halfMs = durationMs(whole) / 2;
  const later = locate(recording, slice(whole, halfMs, 2 * halfMs));
  if (!later || later.likeness < SURE_LIKENESS) return found;
  return { atMs: later.atMs - halfMs, likeness: later.likeness };
}

/** How much earlier and later than it was played the marker is looked for. */
const EARLY_MS = 500;
const LATE_MS = 1500;

/** Judges a recording against the programme that was played from `playedAtMs` (monotonic) on. */
export function judge(recording: Recording, programme: Programme, playedAtMs: number): Heard {
  const dueMs = playedAtMs + programme.markerAtMs;
  const fromMs = Math.max(recording.startMs, dueMs - EARLY_MS);
  const near = between(recording, fromMs, dueMs + durationMs(programme.marker) + LATE_MS);
  const found = findMarker({ ...near, startMs: fromMs }, programme.marker);
  if (!found || found.likeness < MIN_LIKENESS) {
    const likeness = found?.likeness ?? 0;
    return { toneHz: undefined, levelDb: levelDbfs(recording), loss: 1, delayMs: undefined, likeness };
  }
  const toneAtMs = found.atMs + programme.toneAtMs - programme.markerAtMs;
  const part = between(recording, toneAtMs + GUARD_MS, toneAtMs + programme.toneMs - GUARD_MS);
  const wantedMs = programme.toneMs - 2 * GUARD_MS;
  const cutOff = Math.max(0, 1 - durationMs(part) / wantedMs);
  return {
    toneHz: strongestHz(part),
    levelDb: levelDbfs(part),
    loss: Math.min(1, toneLoss(part, programme.toneHz) * (1 - cutOff) + cutOff),
    delayMs: found.atMs - dueMs,
    likeness: found.likeness,
  };
}
