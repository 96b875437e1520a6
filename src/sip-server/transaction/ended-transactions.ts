import type { Clock, Timer } from '../../lib/clock.js';
import type { SipTimers } from '../timers.js';
import { transactionLifeMs } from '../timers.js';

/** Under load those that fall due within this time go together, milliseconds. */
const GRAIN_MS = 20;
/** The array is cut when so many of its first places are empty. */
const CUT_AT = 1024;

interface Kept {
  readonly dueMs: number;
  readonly transaction: { terminate(): void };
}

/**
 * Server transactions that are answered and only absorb repeated requests for 64·T1 (timers J and L). All wait equally
 * long, so that one queue and one timer do for tens of thousands.
 */
export class EndedTransactions {
  #queue: (Kept | undefined)[] = [];
  #first = 0;
  #timer: Timer | undefined;
  readonly #lifeMs: number;

  constructor(
    private readonly clock: Clock,
    timers: SipTimers,
  ) {
    this.#lifeMs = transactionLifeMs(timers);
  }

  /** Terminates it 64·T1 from now; that it has been by then does no harm. */
  keep(transaction: { terminate(): void }): void {
    this.#queue.push({ dueMs: this.clock.monotonicMs() + this.#lifeMs, transaction });
    if (!this.#timer) this.#arm(0);
  }

  /** Forgets all. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#queue = [];
    this.#first = 0;
  }

  #arm(leastMs: number): void {
    const next = this.#queue[this.#first];
    this.#timer = next && this.clock.after(Math.max(leastMs, next.dueMs - this.clock.monotonicMs()), () => this.#end());
  }

  #end(): void {
    const nowMs = this.clock.monotonicMs();
    try {
      for (let kept = this.#queue[this.#first]; kept && kept.dueMs <= nowMs; kept = this.#queue[this.#first]) {
        this.#queue[this.#first++] = undefined;
        kept.transaction.terminate();
      }
    } finally {
      // One that throws must not keep the others for ever.
      if (this.#first >= CUT_AT) {
        this.#queue.splice(0, this.#first);
        this.#first = 0;
      }
      this.#arm(GRAIN_MS);
    }
  }
}
