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
  /** Nothing is left to play in time: makes more by `put`, if it can. */
  dry?(nowMs: number): void;
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
/** What waits because of jitter alone never waits longer: the oldest goes first. */
export const maxJitterWaitMs = 200;
/** The delay may be off by a frame either way before a pause is made shorter or longer. */
const toleranceMs = 20;
/** Without a pause for so long a delay that is needed is begun in the midst of sound. */
const impatientMs = 2000;

/**
 * What goes to the far end. As a rule that is at once. After `fallBehind`, or while `arrived` says that a delay is needed,
 * frames wait and are played in real time, in order. Pauses are made shorter or longer, a frame at a time, until the delay is
 * what it should be: that sheds what was kept, follows jitter, and makes up for clocks that differ.
 *
 * ```
 *  direct ── fallBehind, a delay is needed ──► behind ── nothing waits, no delay is needed ──► direct
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
  /** The delay that is needed, and by how much the present one is longer (or shorter). */
  #aimMs = 0;
  #surplusMs = 0;
  #aimedSinceMs = 0;
  #nowMs = 0;
  /** Sound from before the joining waits: it may take its time. */
  #isPlayingKept = false;
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
    this.#isPlayingKept = true;
    this.#beginAt(nowMs - leadMs, nowMs);
  }

  /**
   * A packet is here, whose frames come next. `aimMs`: the delay that its stream needs, 0 for none; `surplusMs`: by how much
   * what is sent at once is too late for the far end's own beat, or too early, when it comes `lagMs` after its time.
   */
  arrived(aimMs: number, lagMs: number, surplusMs: number, nowMs: number): void {
    if (aimMs > 0 && this.#aimMs === 0) this.#aimedSinceMs = nowMs;
    if (aimMs > 0) this.#nowMs = nowMs;
    this.#aimMs = aimMs;
    this.#surplusMs = this.#isBehind ? this.#endMs - nowMs + lagMs - aimMs : surplusMs;
    if (aimMs > 0 && !this.#isBehind && nowMs - this.#aimedSinceMs >= impatientMs) this.#beginAt(nowMs + aimMs, nowMs);
  }

  /** Takes the next frame of what arrived last; it is not needed afterwards. */
  put(frame: T, durationMs: number): void {
    const isDirect = !this.#isBehind;
    if (isDirect && this.#aimMs === 0 && Math.abs(this.#surplusMs) < toleranceMs) {
      this.frames.send(frame, durationMs);
      return;
    }
    const loudness = this.frames.loudness(frame);
    const isSilent = this.#gate.isSilent(loudness);
    if (isDirect && !(isSilent && this.#aimMs > 0)) this.#sendInBeat(frame, durationMs, isSilent);
    else {
      if (isDirect) this.#beginInPause(this.#nowMs);
      if (isSilent) this.#lengthen(frame, durationMs, loudness);
      this.#enqueue(frame, durationMs, loudness, isSilent);
    }
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
        this.#runDry(nowMs);
        return;
      }
      this.frames.send(next.frame, next.durationMs);
    }
    if (!this.#isTooLong()) this.#unbrokenSinceMs = nowMs;
    else if (nowMs - this.#unbrokenSinceMs >= unbrokenMs) this.#squeeze(nowMs);
  }

  /** Up to when there will be sound, if no more comes. */
  get #endMs(): number {
    return this.#playedUntilMs + this.#waitingMs;
  }

  #beginAt(playedUntilMs: number, nowMs: number): void {
    if (!this.#isBehind) this.#gate = new SilenceGate();
    this.#isBehind = true;
    this.#playedUntilMs = playedUntilMs;
    this.#unbrokenSinceMs = nowMs;
    this.#quietMs = Infinity;
  }

  /** What is missing of the delay is silence already: this pause gets longer by it. */
  #beginInPause(nowMs: number): void {
    this.#isBehind = true;
    this.#playedUntilMs = nowMs - leadMs;
    this.#unbrokenSinceMs = nowMs;
    this.#quietMs = 0;
    this.#surplusMs = -this.#aimMs;
  }

  /** Sends at once, but a frame of a pause twice or not at all when the far end's beat has gone ahead or fallen behind. */
  #sendInBeat(frame: T, durationMs: number, isSilent: boolean): void {
    const surplusMs = this.#surplusMs;
    if (isSilent && surplusMs >= toleranceMs) {
      this.#surplusMs -= durationMs;
      return;
    }
    this.frames.send(frame, durationMs);
    if (!isSilent || surplusMs > -toleranceMs) return;
    this.#surplusMs += durationMs;
    this.frames.send(frame, durationMs);
  }

  /** By no more than may wait: after a stall the clock is so late that each frame more would push another one out. */
  #lengthen(frame: T, durationMs: number, loudness: number): void {
    const lackMs = Math.min(toleranceMs, durationMs);
    while (this.#aimMs > 0 && this.#surplusMs <= -lackMs && this.#waitingMs < maxJitterWaitMs) {
      this.#surplusMs += durationMs;
      this.#enqueue(frame, durationMs, loudness, true);
    }
  }

  /** The far end waits no longer: something is made up, or everything has been played. */
  #runDry(nowMs: number): void {
    this.#isPlayingKept = false;
    if (this.#aimMs === 0) {
      this.#isBehind = false;
      this.#surplusMs = 0;
      return;
    }
    this.frames.dry?.(nowMs);
    const next = this.#next();
    if (next) this.frames.send(next.frame, next.durationMs);
    else this.#playedUntilMs = nowMs;
  }

  #next(): Waiting<T> | undefined {
    const next = this.#waiting.shift();
    if (!next) return undefined;
    this.#waitingMs -= next.durationMs;
    this.#playedUntilMs += next.durationMs;
    this.#quietMs = next.isSilent ? this.#quietMs + next.durationMs : 0;
    return next;
  }

  #enqueue(frame: T, durationMs: number, loudness: number, isSilent: boolean): void {
    if (this.#waitingMs >= (this.#isPlayingKept ? maxWaitingMs : maxJitterWaitMs)) {
      if (this.#isPlayingKept) return;
      this.#waitingMs -= this.#waiting.shift()?.durationMs ?? 0;
      this.#surplusMs -= durationMs;
    }
    this.#waiting.push({ frame: this.frames.copy(frame), durationMs, loudness, isSilent });
    this.#waitingMs += durationMs;
  }

  #leaveOutPause(nowMs: number): void {
    while (this.#isTooLong() && this.#isNextSuperfluous()) {
      const durationMs = this.#waiting.shift()?.durationMs ?? 0;
      this.#waitingMs -= durationMs;
      this.#surplusMs -= durationMs;
      this.#unbrokenSinceMs = nowMs;
    }
  }

  #isTooLong(): boolean {
    return this.#aimMs === 0 || this.#surplusMs >= toleranceMs;
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
    this.#surplusMs -= left.durationMs;
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
