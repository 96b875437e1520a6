import { SilenceGate } from './silence-gate.js';

/** What a backlog has to know of the frames that wait in it. */
export interface BacklogFrames<T> {
  send(frame: T, durationMs: number): void;
  /** A copy that stays valid. */
  copy(frame: T): T;
  /** Mean square at its loudest; see `loudnessOf`. */
  loudness(frame: T): number;
  /** Makes `right` the cross-fade from `left` to itself, so that `left` can be left out in the midst of sound. */
  blend(left: T, right: T): void;
}

interface Waiting<T> {
  readonly frame: T;
  readonly durationMs: number;
  readonly loudness: number;
  readonly isSilent: boolean;
}

/** Silence that every pause keeps behind a word and before the next one: what is soft at their edges is in there. */
export const keptPauseMs = 40;
/** How far playing runs ahead of the clock: timers may fire a little early. */
const leadMs = 5;
/** After a longer stall what was missed is not made up for: the far end has waited already. */
const maxCatchUpMs = 400;
/** Without a pause for so long, sound itself is shortened: one frame in a second. */
export const unbrokenMs = 10_000;
const squeezeEveryMs = 1000;
/** More than was kept cannot wait, unless a sender is faster than time. */
const maxWaitingMs = 6000;

/**
 * What goes to the far end. As a rule that is at once. After `fallBehind` frames wait and are played in real time, in order,
 * while those of pauses are left out until none waits.
 *
 * ```
 *  direct ── fallBehind ──► behind ── nothing waits ──► direct
 * ```
 */
export class FrameBacklog<T> {
  #isBehind = false;
  /** Up to when there is sound at the far end, on the monotonic clock. */
  #playedUntilMs = 0;
  #waitingMs = 0;
  /** Silence sent since the last sound. */
  #quietMs = Infinity;
  #unbrokenSinceMs = 0;
  #gate = new SilenceGate();
  readonly #waiting: Waiting<T>[] = [];

  constructor(private readonly frames: BacklogFrames<T>) {}

  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** How much sound waits: by so much what comes in now will be heard later than usual. */
  get delayMs(): number {
    return this.#waitingMs;
  }

  /** What is put from now on waits for its turn; `tick` plays. */
  fallBehind(nowMs: number): void {
    this.#isBehind = true;
    this.#playedUntilMs = nowMs - leadMs;
    this.#unbrokenSinceMs = nowMs;
    this.#quietMs = Infinity;
    this.#gate = new SilenceGate();
  }

  /** Takes the next frame; it is not needed afterwards. */
  put(frame: T, durationMs: number): void {
    if (!this.#isBehind) this.frames.send(frame, durationMs);
    else if (this.#waitingMs < maxWaitingMs) this.#enqueue(frame, durationMs);
  }

  /** Takes out what is next to be played, for a place of this length that would else stay empty. */
  take(durationMs: number): T | undefined {
    return this.#waiting[0]?.durationMs === durationMs ? this.#next()?.frame : undefined;
  }

  /** To be called every 20 ms or so. */
  tick(nowMs: number): void {
    if (!this.#isBehind) return;
    this.#playedUntilMs = Math.max(this.#playedUntilMs, nowMs - maxCatchUpMs);
    while (this.#playedUntilMs <= nowMs) {
      this.#leaveOutPause(nowMs);
      const next = this.#next();
      if (!next) {
        this.#isBehind = false;
        return;
      }
      this.frames.send(next.frame, next.durationMs);
    }
    if (nowMs - this.#unbrokenSinceMs >= unbrokenMs) this.#squeeze(nowMs);
  }

  #next(): Waiting<T> | undefined {
    const next = this.#waiting.shift();
    if (!next) return undefined;
    this.#waitingMs -= next.durationMs;
    this.#playedUntilMs += next.durationMs;
    this.#quietMs = next.isSilent ? this.#quietMs + next.durationMs : 0;
    return next;
  }

  #enqueue(frame: T, durationMs: number): void {
    const loudness = this.frames.loudness(frame);
    const isSilent = this.#gate.isSilent(loudness);
    this.#waiting.push({ frame: this.frames.copy(frame), durationMs, loudness, isSilent });
    this.#waitingMs += durationMs;
  }

  #leaveOutPause(nowMs: number): void {
    while (this.#isNextSuperfluous()) {
      this.#waitingMs -= this.#waiting.shift()?.durationMs ?? 0;
      this.#unbrokenSinceMs = nowMs;
    }
  }

  /** In the midst of a pause: far enough from the word before, and from the next one as far as can be seen. */
  #isNextSuperfluous(): boolean {
    if (this.#quietMs < keptPauseMs || this.#waiting[0]?.isSilent !== true) return false;
    let aheadMs = 0;
    for (let i = 1; i < this.#waiting.length && aheadMs < keptPauseMs; i++) {
      const { isSilent, durationMs } = this.#waiting[i] ?? { isSilent: true, durationMs: keptPauseMs };
      if (!isSilent) return false;
      aheadMs += durationMs;
    }
    return true;
  }

  /** Who never pauses is played a little faster: the softest frame that waits merges with the one behind it. */
  #squeeze(nowMs: number): void {
    this.#unbrokenSinceMs = nowMs - unbrokenMs + squeezeEveryMs;
    let softest = 0;
    for (let i = 1; i < this.#waiting.length - 1; i++) {
      if ((this.#waiting[i]?.loudness ?? 0) < (this.#waiting[softest]?.loudness ?? 0)) softest = i;
    }
    const [left, right] = [this.#waiting[softest], this.#waiting[softest + 1]];
    if (!left || !right) return;
    this.frames.blend(left.frame, right.frame);
    this.#waiting.splice(softest, 1);
    this.#waitingMs -= left.durationMs;
  }
}

/** Cross-fades two frames of equal length into the second one. */
export function blendPcm(left: Int16Array, right: Int16Array): void {
  const length = right.length;
  for (let i = 0; i < length; i++) {
    const share = i / length;
    right[i] = Math.round((left[i] ?? 0) * (1 - share) + (right[i] ?? 0) * share);
  }
}
