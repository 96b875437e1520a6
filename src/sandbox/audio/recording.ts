import type { Pcm } from './pcm.js';

/** What was heard, and when: `startMs` is the monotonic time at which the first sample was heard. */
export interface Recording extends Pcm {
  readonly startMs: number;
}

/** One frame as it came: `position` counts samples on the sender's or the player's clock. */
interface Frame {
  readonly position: number;
  readonly atMs: number;
  readonly samples: Float32Array;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

/** An hour at the highest rate in use; a stray timestamp must not make us allocate more. */
const MAX_SAMPLES = 48_000 * 3600;

/** Collects frames and lays them on one time line; what never came stays silent. */
export class Recorder {
  readonly #frames: Frame[] = [];
  #next = 0;

  constructor(readonly rateHz: number) {}

  /** Adds a frame heard at `atMs` (monotonic); `position` in samples, by default right behind the one before. */
  add(samples: Float32Array, atMs: number, position = this.#next): void {
    this.#frames.push({ position, atMs, samples });
    this.#next = position + samples.length;
  }

  /** Frames so far. */
  get frames(): number {
    return this.#frames.length;
  }

  /** Monotonic time of the first frame louder than `peak`, a share of full scale. */
  firstLouderThan(peak: number): number | undefined {
    return this.#frames.find((frame) => frame.samples.some((value) => Math.abs(value) > peak))?.atMs;
  }

  /**
   * The whole recording. The time of its first sample is the median over all frames of arrival minus position, so that
   * one late frame, or a burst after a stall, does not shift it.
   */
  recording(): Recording {
    const origin = Math.min(...this.#frames.map((frame) => frame.position));
    const end = Math.max(...this.#frames.map((frame) => frame.position + frame.samples.length));
    if (this.#frames.length === 0 || end - origin > MAX_SAMPLES) {
      return { rateHz: this.rateHz, startMs: 0, samples: new Float32Array() };
    }
    const samples = new Float32Array(end - origin);
    for (const frame of this.#frames) samples.set(frame.samples, frame.position - origin);
    const starts = this.#frames.map((frame) => frame.atMs - ((frame.position - origin) / this.rateHz) * 1000);
    return { rateHz: this.rateHz, startMs: median(starts), samples };
  }
}
