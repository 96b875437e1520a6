import { transactionLifeMs } from '../timers.js';
import type { Flow } from '../transport/flow.js';
import type { TransactionEnvironment } from './environment.js';
import { TimerSet } from './environment.js';

export interface InviteServerUser {
  /** The application's name for the request. */
  readonly txn: string;
  /** Timer H: a refusal was never acknowledged. */
  onAckTimeout(): void;
  /** A refusal was acknowledged. */
  onAcknowledged(): void;
  onTerminated(transaction: InviteServerTransaction): void;
}

/**
 * INVITE server transaction, RFC 3261 §17.2.1 with the Accepted state of RFC 6026 §7.1.
 * A 2xx is repeated by the dialog, not here.
 *
 *   proceeding ──2xx──► accepted ──L──► terminated
 *        └──3xx-6xx──► completed ──ACK──► confirmed ──I──► terminated
 *                          └──────── H ──────────────────►
 */
export class InviteServerTransaction {
  #state: 'proceeding' | 'accepted' | 'completed' | 'confirmed' | 'terminated' = 'proceeding';
  readonly #timers: TimerSet<'G' | 'H' | 'I'>;
  /** The last response, latin1: a small Buffer would keep the whole block alive that Node cut it from. */
  #last: string | undefined;

  constructor(
    private readonly env: TransactionEnvironment,
    readonly flow: Flow,
    private readonly user: InviteServerUser,
  ) {
    this.#timers = new TimerSet(env.clock);
  }

  get txn(): string {
    return this.user.txn;
  }

  get state(): string {
    return this.#state;
  }

  /** Has a final response gone out? */
  get answered(): boolean {
    return this.#state !== 'proceeding';
  }

  /** Is the request refused? Then the same request by another path is a new try, not a merged one. */
  get refused(): boolean {
    return this.#state === 'completed' || this.#state === 'confirmed';
  }

  respond(status: number, bytes: Buffer): void {
    if (this.#state !== 'proceeding') return;
    if (status < 200) {
      this.#last = bytes.toString('latin1');
    } else if (status < 300) {
      this.#state = 'accepted';
      this.#last = undefined;
      this.env.ended.keep(this);
    } else {
      this.#state = 'completed';
      this.#last = bytes.toString('latin1');
      this.#timers.arm('H', transactionLifeMs(this.env.timers), () => this.#ackMissing());
      if (!this.flow.reliable) this.#armG(this.env.timers.t1Ms);
    }
    this.flow.send(bytes);
  }

  /** A retransmitted INVITE. In Accepted it is absorbed: the dialog repeats the 2xx. */
  receiveAgain(): void {
    if (this.#state === 'proceeding' || this.#state === 'completed') this.#repeat();
  }

  receiveAck(): void {
    if (this.#state !== 'completed') return;
    this.#state = 'confirmed';
    this.#last = undefined;
    this.#timers.cancelAll();
    this.#timers.arm('I', this.flow.reliable ? 0 : this.env.timers.t4Ms, () => this.terminate());
    this.user.onAcknowledged();
  }

  terminate(): void {
    if (this.#state === 'terminated') return;
    this.#state = 'terminated';
    this.#timers.cancelAll();
    this.user.onTerminated(this);
  }

  #repeat(): void {
    if (this.#last !== undefined) this.flow.send(Buffer.from(this.#last, 'latin1'));
  }

  #armG(intervalMs: number): void {
    this.#timers.arm('G', intervalMs, () => {
      this.#repeat();
      this.#armG(Math.min(2 * intervalMs, this.env.timers.t2Ms));
    });
  }

  #ackMissing(): void {
    this.user.onAckTimeout();
    this.terminate();
  }
}
