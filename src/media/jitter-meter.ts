import { LagMeter } from './lag-meter.js';

const binMs = 5;
const bins = 40;
/** After so many packets, 7 s of 20 ms each, half of what was counted is forgotten; sooner while a stream is young. */
const forgetEvery = 350;
const firstForgetting = 50;
/** One packet in fifty may come later than what the delay is made for. */
const lateShare = 0.02;
const fewPackets = 25;
/** Below the first no delay is needed: the far end's own buffer bears that; it is given up only below the second. */
const [delayFromMs, calmBelowMs] = [15, 10];
const [leastDelayMs, mostDelayMs] = [20, 80];

/**
 * Measures how unevenly one stream's packets arrive: each one's lag behind the fastest of the last seconds, and the delay that
 * bears all but a few of them. Allocates nothing per packet.
 */
export class JitterMeter {
  #delayMs = 0;
  readonly #lag: LagMeter;
  readonly #lags = new Int32Array(bins);
  #counted = 0;
  #packets = 0;
  #forgetsAt = firstForgetting;

  /** @param ticksPerMs RTP clock */
  constructor(ticksPerMs: number) {
    this.#lag = new LagMeter(ticksPerMs);
  }

  /** How much later the last packet came than on the fastest path, in ms. */
  get lagMs(): number {
    return this.#lag.lagMs;
  }

  /** The delay this stream needs: 0, or 20 to 80 ms. */
  get delayMs(): number {
    return this.#delayMs;
  }

  /**
   * Takes note of a packet that was read at `nowMs` and may have waited for that by `heldUpMs`. What we hold up ourselves is no
   * jitter of the path: a delay against it would come on top of it.
   */
  accept(timestamp: number, nowMs: number, heldUpMs = 0): void {
    if (this.#lag.accept(timestamp, nowMs)) this.#begin();
    this.#packets++;
    this.#count(Math.max(0, this.lagMs - heldUpMs) | 0);
    if (this.#packets >= fewPackets && this.#packets % 5 === 0) this.#decide();
  }

  #begin(): void {
    this.#packets = 0;
    this.#lags.fill(0);
    this.#counted = 0;
    this.#forgetsAt = firstForgetting;
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
