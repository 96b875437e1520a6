import { deferred } from '../../lib/deferred.js';
import { resample } from './pcm.js';
import type { Pcm } from './pcm.js';

/** A sound that is being played. */
export interface Playing {
  /** Monotonic time, in milliseconds, at which its first sample was due; it is never handed on earlier. */
  readonly started: Promise<number>;
  readonly finished: Promise<void>;
}

interface Entry {
  readonly samples: Float32Array;
  position: number;
  readonly started: (atMs: number) => void;
  readonly finished: () => void;
}

/** Sounds to be played one after the other, taken out frame by frame; silence in between. */
export class Playlist {
  readonly #entries: Entry[] = [];

  constructor(private readonly rateHz: number) {}

  /** Adds a sound behind those already there. */
  play(pcm: Pcm): Playing {
    const started = deferred<number>();
    const finished = deferred<undefined>();
    this.#entries.push({
      samples: resample(pcm, this.rateHz).samples,
      position: 0,
      started: (atMs) => started.resolve(atMs),
      finished: () => finished.resolve(undefined),
    });
    return { started: started.promise, finished: finished.promise };
  }

  /** The next `length` samples, due at `atMs`; undefined if there is nothing to play. */
  next(length: number, atMs: number): Float32Array | undefined {
    if (this.#entries.length === 0) return undefined;
    const frame = new Float32Array(length);
    let filled = 0;
    for (let entry = this.#entries[0]; entry && filled < length; entry = this.#entries[0]) {
      if (entry.position === 0) entry.started(atMs + (filled / this.rateHz) * 1000);
      const part = entry.samples.subarray(entry.position, entry.position + length - filled);
      frame.set(part, filled);
      filled += part.length;
      entry.position += part.length;
      if (entry.position < entry.samples.length) break;
      this.#entries.shift();
      entry.finished();
    }
    return frame;
  }

  /** Drops what is left; its `finished` resolves. */
  clear(): void {
    for (const entry of this.#entries.splice(0)) entry.finished();
  }
}

/** Those who wait until something has been heard for a while. */
export class Listeners {
  #waiting: { readonly untilMs: number; readonly resolve: () => void }[] = [];

  /** Resolves when `tick` is called at `untilMs` (monotonic) or later. */
  until(untilMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ untilMs, resolve });
    });
  }

  tick(nowMs: number): void {
    if (!this.#waiting.some(({ untilMs }) => untilMs <= nowMs)) return;
    for (const { resolve } of this.#waiting.filter(({ untilMs }) => untilMs <= nowMs)) resolve();
    this.#waiting = this.#waiting.filter(({ untilMs }) => untilMs > nowMs);
  }

  /** Lets everybody go. */
  release(): void {
    this.tick(Infinity);
  }
}
