import { transactionLifeMs } from '../timers.js';
import type { Flow } from '../transport/flow.js';
import type { TransactionEnvironment } from './environment.js';
import { TimerSet } from './environment.js';
import type { ClientTransactionUser, ReceivedResponse } from './invite-client.js';

export interface NonInviteClientOptions {
  readonly request: Buffer;
  readonly flow: Flow;
  readonly user: ClientTransactionUser;
}

/**
 * Non-INVITE client transaction, RFC 3261 §17.1.2.
 *
 *   trying ──1xx──► proceeding ──final──► completed ──K──► terminated
 *      └───────── F, transport error ──────────────────────►
 */
export class NonInviteClientTransaction {
  #state: 'trying' | 'proceeding' | 'completed' | 'terminated' = 'trying';
  readonly #timers: TimerSet<'E' | 'F' | 'K' | 'closed'>;
  #intervalMs: number;
  #stopWatching: () => void = () => undefined;

  constructor(
    private readonly env: TransactionEnvironment,
    private readonly options: NonInviteClientOptions,
  ) {
    this.#timers = new TimerSet(env.clock);
    this.#intervalMs = env.timers.t1Ms;
  }

  get state(): string {
    return this.#state;
  }

  start(): void {
    const { flow, request } = this.options;
    this.#stopWatching = flow.onFailure((error) => this.#transportFailed(error));
    this.#timers.arm('F', transactionLifeMs(this.env.timers), () => this.#timedOut());
    if (!flow.reliable) this.#armE();
    if (flow.open) flow.send(request);
    else this.#timers.arm('closed', 0, () => this.#transportFailed(new Error('connection closed')));
  }

  receive(received: ReceivedResponse): void {
    if (this.#state === 'completed' || this.#state === 'terminated') return;
    if (received.message.status < 200) {
      this.#state = 'proceeding';
    } else {
      this.#state = 'completed';
      this.#timers.cancelAll();
      this.#timers.arm('K', this.options.flow.reliable ? 0 : this.env.timers.t4Ms, () => this.terminate());
    }
    this.options.user.onResponse(received);
  }

  terminate(): void {
    if (this.#state === 'terminated') return;
    this.#state = 'terminated';
    this.#timers.cancelAll();
    this.#stopWatching();
    this.options.flow.release();
    this.options.user.onTerminated();
  }

  /** In Proceeding the interval is T2 at once (§17.1.2.2). */
  #armE(): void {
    this.#timers.arm('E', this.#intervalMs, () => {
      this.options.flow.send(this.options.request);
      const { t2Ms } = this.env.timers;
      this.#intervalMs = this.#state === 'proceeding' ? t2Ms : Math.min(2 * this.#intervalMs, t2Ms);
      this.#armE();
    });
  }

  #timedOut(): void {
    this.options.user.onTimeout();
    this.terminate();
  }

  #transportFailed(error: Error): void {
    if (this.#state !== 'trying') return;
    this.options.user.onTransportError(error);
    this.terminate();
  }
}
