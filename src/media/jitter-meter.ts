import { timestampDelta } from './rtp-packet.js';

/** The fastest path is looked for in so many windows of so long: a clock that drifts by 200 ppm moves it by under 2 ms. */
const [windows, windowMs] = [8, 1000];
const binMs = 5;
const bins = 40;
/** After so many packets, 7 s of 20 ms each, half of what was counted is forgotten; sooner while a stream is young. */
const forgetEvery = 350;
const firstForgetting = 50;
/** One packet in fifty may come later than what the delay is made for. */
const lateShare = 0.02;
const fewPackets = 25;
/** A step of the timeline beyond this begins a new one. */
const jumpMs = 1000;
/** Below the first no delay is needed: the far end's own buffer bears that; it is given up only below the second. */
const [delayFromMs, calmBelowMs] = [15, 10];
const [leastDelayMs, mostDelayMs] = [20, 80];
const never = 0x7fff_ffff;

/**
 * Measures how unevenly one stream's packets arrive: each one's lag behind the fastest of the last seconds, and the delay that
 * bears all but a few of them. Allocates nothing per packet.
 */
export class JitterMeter {
  /** How much later the last packet came than on the fastest path, in ms. */
  lagMs = 0;
  #delayMs = 0;
  /** In whole ms since the stream's beginning, as all times here: such numbers make no garbage. */
  readonly #fastest = new Int32Array(windows);
  #beganMs = 0;
  readonly #lags = new Int32Array(bins);
  #counted = 0;
  #packets = 0;
  #forgetsAt = firstForgetting;
  #window = 0;
  #windowEndsMs = 0;
  #timestamp = 0;
  /** Time of the stream since its first packet. */
  #streamTicks = 0;

  /** @param ticksPerMs RTP clock */
  constructor(private readonly ticksPerMs: number) {}

  /** The delay this stream needs: 0, or 20 to 80 ms. */
  get delayMs(): number {
    return this.#delayMs;
  }

  /**
   * Takes note of a packet that was read at `nowMs` and may have waited for that by `heldUpMs`. What we hold up ourselves is no
   * jitter of the path: a delay against it would come on top of it.
   */
  accept(timestamp: number, nowMs: number, heldUpMs = 0): void {
    const step = timestampDelta(this.#timestamp, timestamp);
    this.#timestamp = timestamp;
    this.#streamTicks += step;
    if (this.#packets === 0 || Math.abs(step) > jumpMs * this.ticksPerMs) this.#begin(nowMs);
    this.#packets++;
    const transitMs = Math.round(nowMs - this.#beganMs - this.#streamTicks / this.ticksPerMs) | 0;
    this.#turnWindow(nowMs);
    this.#fastest[this.#window] = Math.min(this.#fastest[this.#window] ?? transitMs, transitMs);
    this.lagMs = transitMs - this.#least();
    this.#count(Math.max(0, this.lagMs - heldUpMs) | 0);
    if (this.#packets >= fewPackets && this.#packets % 5 === 0) this.#decide();
  }

  #begin(nowMs: number): void {
    this.#packets = 0;
    this.#streamTicks = 0;
    this.#lags.fill(0);
    this.#counted = 0;
    this.#forgetsAt = firstForgetting;
    this.#fastest.fill(never);
    this.#beganMs = nowMs;
    this.#windowEndsMs = nowMs + windowMs;
  }

  #turnWindow(nowMs: number): void {
    if (nowMs < this.#windowEndsMs) return;
    this.#windowEndsMs = nowMs + windowMs;
    this.#window = (this.#window + 1) % windows;
    this.#fastest[this.#window] = never;
  }

  #least(): number {
    let least = never;
    for (let i = 0; i < windows; i++) least = Math.min(least, this.#fastest[i] ?? least);
    return least;
  }

  #count(lagMs: number): void {
    const lags = this.#lags;
    const bin = Math.min(bins - 1, (lagMs / binMs) | 0);
    lags[bin] = (lags[bin] ?? 0) + 1;
    this.#counted++;
    if (this.#packets < this.#forgetsAt) return;
    // What a call's set-up delays says nothing of the path: the first seconds are weighed by those that follow.
    this.#forgetsAt += Math.min(this.#packets, forgetEvery);
    this.#counted = 0;
    for (let i = 0; i < bins; i++) {
      const left = (lags[i] ?? 0) >> 1;
      lags[i] = left;
      this.#counted += left;
    }
  }

  #decide(): void {
    const allowed = lateShare * this.#counted;
    let late = 0;
    let bin = bins;
    while (bin > 0 && late <= allowed) late += this.#lags[--bin] ?? 0;
    const neededMs = (bin + 1) * binMs;
    const least = this.#delayMs > 0 ? calmBelowMs : delayFromMs;
    this.#delayMs = neededMs <= least ? 0 : Math.min(mostDelayMs, Math.max(leastDelayMs, neededMs));
  }
}
