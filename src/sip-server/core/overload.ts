import type { Clock } from '../../lib/clock.js';
import type { Logger } from '../../lib/logger.js';

/** How far behind this process is. */
export interface Backlog {
  /** Requests that wait for the application's final answer. */
  readonly requests: number;
  /** Bytes of frames that the application has not taken, nor the kernel for it. */
  readonly bytes: number;
}

export interface OverloadLimits {
  /** Delay of the event loop at which new requests are refused, and the one at which they are taken again, milliseconds. */
  readonly delayMs: readonly [begin: number, end: number];
  readonly requests: readonly [begin: number, end: number];
  readonly backlogBytes: readonly [begin: number, end: number];
}

export const OVERLOAD_LIMITS: OverloadLimits = {
  delayMs: [300, 100],
  requests: [10_000, 8_000],
  backlogBytes: [1024 * 1024, 256 * 1024],
};

const SAMPLE_MS = 100;
/** The middle one of so many samples counts: a single long pause of the process is no overload. */
const SAMPLES = 5;

/**
 * Tells whether this process keeps up, by how late timers fire and by what waits for the application. Begins and ends at
 * different values, so that it does not waver. Looks only while messages come: an idle server has no timer.
 */
export class Overload {
  readonly #delaysMs: number[] = [];
  #isBusy = false;
  #isTicking = false;
  #isOn = false;

  constructor(
    private readonly clock: Clock,
    private readonly limits: OverloadLimits,
    private readonly backlog: () => Backlog,
    private readonly logger: Logger,
  ) {}

  /** Is it to be shed? To be asked for each message. */
  get isOn(): boolean {
    this.#isBusy = true;
    if (!this.#isTicking) this.#tick();
    return this.#isOn;
  }

  #tick(): void {
    this.#isTicking = this.#isBusy || this.#isOn;
    if (!this.#isTicking) {
      this.#delaysMs.length = 0;
      return;
    }
    this.#isBusy = false;
    const dueMs = this.clock.monotonicMs() + SAMPLE_MS;
    this.clock.after(SAMPLE_MS, () => {
      this.#sample(this.clock.monotonicMs() - dueMs);
      this.#tick();
    });
  }

  #sample(delayMs: number): void {
    this.#delaysMs.push(delayMs);
    if (this.#delaysMs.length > SAMPLES) this.#delaysMs.shift();
    const middleMs = this.#middle();
    const { requests, bytes } = this.backlog();
    const side = this.#isOn ? 1 : 0;
    const { limits } = this;
    const isOn =
      middleMs >= limits.delayMs[side] || requests >= limits.requests[side] || bytes >= limits.backlogBytes[side];
    if (isOn === this.#isOn) return;
    this.#isOn = isOn;
    const fields = { delayMs: Math.round(middleMs), requests, backlogBytes: bytes };
    if (isOn) this.logger.warn('SIP overload: new requests are refused', fields);
    else this.logger.info('SIP overload is over', fields);
  }

  /** Fewer samples than that say nothing yet. */
  #middle(): number {
    if (this.#delaysMs.length < SAMPLES) return 0;
    return [...this.#delaysMs].sort((a, b) => a - b)[SAMPLES >> 1] ?? 0;
  }
}
