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

/** Ten minutes are kept; a longer call, or a stray timestamp, must not fill the memory. */
const MAX_SECONDS = 600;

/** Collects frames and lays them on one time line; what never came stays silent. Frames beyond ten minutes are dropped. */
export class Recorder {
  readonly #frames: Frame[] = [];
  #next = 0;

  constructor(readonly rateHz: number) {}

  /** Adds a frame heard at `atMs` (monotonic); `position` in samples, by default right behind the one before. */
  add(samples: Float32Array, atMs: number, position = this.#next): void {
    this.#next = position + samples.length;
    const from = this.#frames[0]?.position ?? position;
    if (Math.abs(this.#next - from) <= MAX_SECONDS * this.rateHz) this.#frames.push({ position, atMs, samples });
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
    if (this.#frames.length === 0) return { rateHz: this.rateHz, startMs: 0, samples: new Float32Array() };
    let [origin, end] = [Infinity, -Infinity];
    for (const { position, samples } of this.#frames) {
      origin = Math.min(origin, position);
      end = Math.max(end, position + samples.length);
    }
    const samples = new Float32Array(end - origin);
    for (const frame of this.#frames) samples.set(frame.samples, frame.position - origin);
    const starts = this.#frames.map((frame) => frame.atMs - ((frame.position - origin) / this.rateHz) * 1000);
    return { rateHz: this.rateHz, startMs: median(starts), samples };
  }
}
