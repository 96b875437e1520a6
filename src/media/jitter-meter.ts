import { timestampDelta } from './rtp-packet.js';

/** The fastest path is looked for in so many windows of so long: a clock that drifts by 200 ppm moves it by under 2 ms. */
const [windows, windowMs] = [8, 1000];
const binMs = 5;
const bins = 40;
/** What each packet's weight loses with the next one: half is left after 350, 7 s of 20 ms packets. */
const forget = 0.998;
/** One packet in fifty may come later than what the delay is made for. */
const lateShare = 0.02;
const fewPackets = 25;
/** A step of the timeline beyond this begins a new one. */
const jumpMs = 1000;
/** Below the first no delay is needed: the far end's own buffer bears that; it is given up only below the second. */
const [delayFromMs, calmBelowMs] = [15, 10];
const [leastDelayMs, mostDelayMs] = [20, 80];
const heaviest = 1e9;

/**
 * Measures how unevenly one stream's packets arrive: each one's lag behind the fastest of the last seconds, and the delay that
 * bears all but a few of them. Allocates nothing per packet.
 */
export class JitterMeter {
  /** How much later the last packet came than on the fastest path, in ms. */
  lagMs = 0;
  #delayMs = 0;
  readonly #fastest = new Float64Array(windows);
  readonly #lags = new Float64Array(bins);
  #weights = 0;
  #weight = 1;
  #packets = 0;
  #window = 0;
  #windowEndsMs = 0;
  #timestamp = 0;
  /** Time of the stream since its first packet, in ms. */
  #streamMs = 0;

  /** @param ticksPerMs RTP clock */
  constructor(private readonly ticksPerMs: number) {}

  /** The delay this stream needs: 0, or 20 to 80 ms. */
  get delayMs(): number {
    return this.#delayMs;
  }

  /** Takes note of a packet that arrived at `nowMs`. */
  accept(timestamp: number, nowMs: number): void {
    const stepMs = this.#packets === 0 ? 0 : timestampDelta(this.#timestamp, timestamp) / this.ticksPerMs;
    this.#timestamp = timestamp;
    this.#streamMs += stepMs;
    if (this.#packets === 0 || Math.abs(stepMs) > jumpMs) this.#begin(nowMs);
    this.#packets++;
    const transitMs = nowMs - this.#streamMs;
    this.#turnWindow(nowMs);
    this.#fastest[this.#window] = Math.min(this.#fastest[this.#window] ?? transitMs, transitMs);
    this.lagMs = transitMs - this.#least();
    this.#count(this.lagMs);
    if (this.#packets >= fewPackets && this.#packets % 5 === 0) this.#decide();
  }

  #begin(nowMs: number): void {
    this.#packets = 0;
    this.#streamMs = 0;
    this.#lags.fill(0);
    this.#weights = 0;
    this.#fastest.fill(Number.POSITIVE_INFINITY);
    this.#windowEndsMs = nowMs + windowMs;
  }

  #turnWindow(nowMs: number): void {
    if (nowMs < this.#windowEndsMs) return;
    this.#windowEndsMs = nowMs + windowMs;
    this.#window = (this.#window + 1) % windows;
    this.#fastest[this.#window] = Number.POSITIVE_INFINITY;
  }

  #least(): number {
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < windows; i++) least = Math.min(least, this.#fastest[i] ?? least);
    return least;
  }

  /** Weights grow instead of all bins shrinking. */
  #count(lagMs: number): void {
    const bin = Math.min(bins - 1, Math.floor(lagMs / binMs));
    this.#lags[bin] = (this.#lags[bin] ?? 0) + this.#weight;
    this.#weights += this.#weight;
    this.#weight /= forget;
    if (this.#weight < heaviest) return;
    for (let i = 0; i < bins; i++) this.#lags[i] = (this.#lags[i] ?? 0) / heaviest;
    this.#weights /= heaviest;
    this.#weight /= heaviest;
  }

  #decide(): void {
    let late = 0;
    let bin = bins;
    while (bin > 0 && late <= lateShare * this.#weights) late += this.#lags[--bin] ?? 0;
    const neededMs = (bin + 1) * binMs;
    const least = this.#delayMs > 0 ? calmBelowMs : delayFromMs;
    this.#delayMs = neededMs <= least ? 0 : Math.min(mostDelayMs, Math.max(leastDelayMs, neededMs));
  }
}
