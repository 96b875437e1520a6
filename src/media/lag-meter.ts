import { timestampDelta } from './rtp-packet.js';

/** The fastest path is looked for in so many windows of so long: a clock that drifts by 200 ppm moves it by under 2 ms. */
const [windows, windowMs] = [8, 1000];
/** A step of the timeline beyond this begins a new one. */
const jumpMs = 1000;
const never = 0x7fff_ffff;

/** Measures how much later each packet of a stream comes than the fastest of the last seconds did. Allocates nothing per packet. */
export class LagMeter {
  /** Of the last packet, in whole ms. */
  lagMs = 0;
  /** In whole ms since the stream's beginning, as all times here: such numbers make no garbage. */
  readonly #fastest = new Int32Array(windows);
  #beganMs = 0;
  #hasBegun = false;
  #window = 0;
  #windowEndsMs = 0;
  #timestamp = 0;
  /** Time of the stream since its first packet. */
  #streamTicks = 0;

  /** @param ticksPerMs RTP clock */
  constructor(private readonly ticksPerMs: number) {}

  /** Takes note of a packet that was read at `nowMs`. True if a timeline begins with it. */
  accept(timestamp: number, nowMs: number): boolean {
    const step = timestampDelta(this.#timestamp, timestamp);
    this.#timestamp = timestamp | 0;
    this.#streamTicks += step;
    const begins = !this.#hasBegun || Math.abs(step) > jumpMs * this.ticksPerMs;
    if (begins) this.#begin(nowMs);
    const elapsedMs = nowMs - this.#beganMs;
    const transitMs = Math.round(elapsedMs - this.#streamTicks / this.ticksPerMs) | 0;
    if (elapsedMs >= this.#windowEndsMs) this.#turnWindow(elapsedMs);
    this.#fastest[this.#window] = Math.min(this.#fastest[this.#window] ?? transitMs, transitMs);
    this.lagMs = transitMs - this.#least();
    return begins;
  }

  #begin(nowMs: number): void {
    this.#hasBegun = true;
    this.#streamTicks = 0;
    this.#fastest.fill(never);
    this.#beganMs = nowMs;
    this.#windowEndsMs = windowMs;
  }

  #turnWindow(elapsedMs: number): void {
    this.#windowEndsMs = Math.ceil(elapsedMs) + windowMs;
    this.#window = (this.#window + 1) % windows;
    this.#fastest[this.#window] = never;
  }

  #least(): number {
    let least = never;
    for (let i = 0; i < windows; i++) least = Math.min(least, this.#fastest[i] ?? least);
    return least;
  }
}
