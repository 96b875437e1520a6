import { transactionLifeMs } from '../timers.js';
import type { Flow } from '../transport/flow.js';
import type { TransactionEnvironment } from './environment.js';
import { TimerSet } from './environment.js';

export interface NonInviteServerUser {
  /** The application's name for the request. */
  readonly txn: string;
  /** No final response in 64·T1: the peer has given up, and RFC 4320 §4.2 forbids a late 408. */
  onUnanswered(): void;
  onTerminated(transaction: NonInviteServerTransaction): void;
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
  /** The last response, latin1: a small Buffer would keep the whole block alive that Node cut it from. */
  #last: string | undefined;

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

  get txn(): string {
    return this.user.txn;
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
    this.#last = bytes.toString('latin1');
    if (status < 200) {
      this.#state = 'proceeding';
    } else {
      this.#state = 'completed';
      this.#timers.cancelAll();
      if (this.flow.reliable) this.#timers.arm('J', 0, () => this.terminate());
      else this.env.ended.keep(this);
    }
    this.flow.send(bytes);
  }

  receiveAgain(): void {
    if (this.#last !== undefined) this.flow.send(Buffer.from(this.#last, 'latin1'));
  }

  terminate(): void {
    if (this.#state === 'terminated') return;
    this.#state = 'terminated';
    this.#timers.cancelAll();
    this.user.onTerminated(this);
  }
}
