import { SPEECH_PCMU_BASE64 } from '../assets/speech-clip.js';
import { decodeG711 } from './g711.js';
import { between, levelDbfs, locate, strongestHz, toneLoss } from './measure.js';
import { concat, durationMs, resample, silence } from './pcm.js';
import type { Pcm } from './pcm.js';
import type { Recording } from './recording.js';
import { marker, tone } from './signals.js';

/** The spoken sentence that ships with the sandbox. */
export function speech(rateHz: number): Pcm {
  return resample({ rateHz: 8000, samples: decodeG711('PCMU', Buffer.from(SPEECH_PCMU_BASE64, 'base64')) }, rateHz);
}

/** A sound made to be measured at the far end: speech for those who listen in, markers, and a tone. */
export interface Programme {
  readonly pcm: Pcm;
  readonly toneHz: number;
  readonly toneMs: number;
  readonly marker: Pcm;
  /** Milliseconds from the programme's start; the first is before the tone, the others behind it. */
  readonly markersAtMs: readonly [number, ...number[]];
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
const MARKER_MS = 400;
const PAUSE_MS = 200;

/**
 * Speech comes first: meanwhile jitter buffers recover from what the call's set-up did to them. One marker before the
 * tone and two behind it show the delay at three times.
 */
export function makeProgramme(options: ProgrammeOptions): Programme {
  const { rateHz, toneHz, toneMs = 1600, leadMs = 600, withSpeech = true } = options;
  const mark = marker(rateHz, MARKER_MS, PEAK);
  const pause = silence(rateHz, PAUSE_MS);
  const opening = concat(silence(rateHz, leadMs), ...(withSpeech ? [speech(rateHz), pause, pause] : []));
  const toneAtMs = durationMs(opening) + MARKER_MS + PAUSE_MS;
  const afterToneMs = toneAtMs + toneMs + PAUSE_MS;
  return {
    pcm: concat(opening, mark, pause, tone(rateHz, toneHz, toneMs, PEAK), pause, mark, pause, mark, pause),
    toneHz,
    toneMs,
    marker: mark,
    markersAtMs: [durationMs(opening), afterToneMs, afterToneMs + MARKER_MS + PAUSE_MS],
    toneAtMs,
  };
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

/** Less like the marker than this, and it is chance. Speech codecs and jitter buffers leave 0.6 to 0.97. */
const MIN_LIKENESS = 0.4;
/** Kept off both ends of the tone: ramps, and what the jitter buffer shifts meanwhile. */
const GUARD_MS = 120;
/** How much earlier and later than it was played a marker is looked for. */
const EARLY_MS = 500;
const LATE_MS = 1500;
/** Another marker follows so soon that a late one must not be taken for it. */
const NEXT_MARKER_MS = MARKER_MS + PAUSE_MS - 50;

interface Sighting {
  readonly delayMs: number;
  readonly likeness: number;
}

/** Looks for one marker around the time at which it was played. */
function sight(recording: Recording, mark: Pcm, dueMs: number, lateMs: number, earlyMs: number): Sighting | undefined {
  const fromMs = Math.max(recording.startMs, dueMs - earlyMs);
  const near = between(recording, fromMs, dueMs + durationMs(mark) + lateMs);
  const found = locate({ ...near, startMs: fromMs }, mark);
  return found && { delayMs: found.atMs - dueMs, likeness: found.likeness };
}

/**
 * The delay at three times, the median of those times: a jitter buffer that has just met a stall of the machine is not
 * what is to be judged. NaN if not one marker is to be found.
 */
function delayOf(recording: Recording, { marker: mark, markersAtMs }: Programme, playedAtMs: number): Sighting {
  const [firstAtMs, ...others] = markersAtMs;
  const first = sight(recording, mark, playedAtMs + firstAtMs, LATE_MS, EARLY_MS);
  const earlyMs = Math.min(EARLY_MS, NEXT_MARKER_MS);
  const lateMs = Math.min(LATE_MS, NEXT_MARKER_MS);
  const later = others.map((atMs) => sight(recording, mark, playedAtMs + atMs, lateMs, earlyMs));
  const seen = [first, ...later].filter((sighting) => sighting !== undefined);
  const sure = seen.filter(({ likeness }) => likeness >= MIN_LIKENESS).sort((a, b) => a.delayMs - b.delayMs);
  const best = Math.max(0, ...seen.map(({ likeness }) => likeness));
  return sure[sure.length >> 1] ?? { delayMs: NaN, likeness: best };
}

/** Judges a recording against the programme that was played from `playedAtMs` (monotonic) on. */
export function judge(recording: Recording, programme: Programme, playedAtMs: number): Heard {
  const { delayMs, likeness } = delayOf(recording, programme, playedAtMs);
  if (Number.isNaN(delayMs)) {
    return { toneHz: undefined, levelDb: levelDbfs(recording), loss: 1, delayMs: undefined, likeness };
  }
  const toneAtMs = playedAtMs + programme.toneAtMs + delayMs;
  const part = between(recording, toneAtMs + GUARD_MS, toneAtMs + programme.toneMs - GUARD_MS);
  const cutOff = Math.max(0, 1 - durationMs(part) / (programme.toneMs - 2 * GUARD_MS));
  return {
    toneHz: strongestHz(part),
    levelDb: levelDbfs(part),
    loss: Math.min(1, toneLoss(part, programme.toneHz) * (1 - cutOff) + cutOff),
    delayMs,
    likeness,
  };
}
