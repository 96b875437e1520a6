import { transactionLifeMs } from '../timers.js';
import type { Flow } from '../transport/flow.js';
import type { TransactionEnvironment } from './environment.js';
import { TimerSet } from './environment.js';

export interface NonInviteServerUser {
  /** No final response in 64·T1: the peer has given up, and RFC 4320 §4.2 forbids a late 408. */
  onUnanswered(): void;
  onTerminated(): void;
}

/**
 * Non-INVITE server transaction, RFC 3261 §17.2.2.
 *
 *   trying ──1xx──► proceeding ──final──► completed ──J──► terminated
 *      └────────────── 64·T1 ─────────────────────────────►
 */
export class NonInviteServerTransaction {
  #state: 'trying' | 'proceeding' | 'completed' | 'terminated' = 'trying';
  readonly #timers: TimerSet<'J' | 'unanswered'>;
  #last: Buffer | undefined;

  constructor(
    private readonly env: TransactionEnvironment,
    readonly flow: Flow,
    private readonly user: NonInviteServerUser,
  ) {
    this.#timers = new TimerSet(env.clock);
    this.#timers.arm('unanswered', transactionLifeMs(env.timers), () => {
      this.user.onUnanswered();
      this.terminate();
    });
  }

  get state(): string {
    return this.#state;
  }

  get answered(): boolean {
    return this.#state === 'completed' || this.#state === 'terminated';
  }

  /** A request answered is over: the same request by another path is a new try. */
  get refused(): boolean {
    return this.answered;
  }

  respond(status: number, bytes: Buffer): void {
    if (this.answered) return;
    this.#last = bytes;
    if (status < 200) {
      this.#state = 'proceeding';
    } else {
      this.#state = 'completed';
      this.#timers.cancelAll();
      this.#timers.arm('J', this.flow.reliable ? 0 : transactionLifeMs(this.env.timers), () => this.terminate());
    }
    this.flow.send(bytes);
  }

  receiveAgain(): void {
    if (this.#last) this.flow.send(this.#last);
  }

  terminate(): void {
    if (this.#state === 'terminated') return;
    this.#state = 'terminated';
    this.#timers.cancelAll();
    this.user.onTerminated();
  }
}
