import type { Clock } from '../../lib/clock.js';
import type { Logger } from '../../lib/logger.js';

/** At most one warning in this time. */
const WARN_EVERY_MS = 60_000;

/** Counts packets that did not reach the receiver, and says so now and then. */
export class HepLosses {
  #total = 0;
  #unsaid = 0;
  #saidMs: number | undefined;

  constructor(
    private readonly clock: Pick<Clock, 'monotonicMs'>,
    private readonly logger: Logger,
  ) {}

  /** Since the start. */
  get total(): number {
    return this.#total;
  }

  /** `packets` may be 0: there is trouble, and nothing was lost by it yet. */
  add(packets: number, why: unknown): void {
    this.#total += packets;
    this.#unsaid += packets;
    const nowMs = this.clock.monotonicMs();
    if (this.#saidMs !== undefined && nowMs - this.#saidMs < WARN_EVERY_MS) return;
    this.#saidMs = nowMs;
    const err = typeof why === 'string' ? new Error(why) : why;
    this.logger.warn('HEP packets do not get there', { lost: this.#unsaid, lostInAll: this.#total, err });
    this.#unsaid = 0;
  }
}
