import type { SipResponse } from '../sip/message.js';
import { transactionLifeMs } from '../timers.js';
import type { Flow } from '../transport/flow.js';
import type { TransactionEnvironment } from './environment.js';
import { TimerSet } from './environment.js';

/** A response and where it came from. */
export interface ReceivedResponse {
  readonly message: SipResponse;
  readonly flow: Flow;
  /** Size on the wire. */
  readonly byteLength: number;
}

export interface ClientTransactionUser {
  /** Every response once; a repeated 2xx too, for its ACK must be repeated. */
  onResponse(received: ReceivedResponse): void;
  /** Timer B or F. */
  onTimeout(): void;
  onTransportError(error: Error): void;
  onTerminated(): void;
}

export interface InviteClientOptions {
  readonly request: Buffer;
  readonly flow: Flow;
  /** The ACK to a non-2xx response (RFC 3261 §17.1.1.3). */
  readonly buildAck: (response: SipResponse) => Buffer;
  readonly user: ClientTransactionUser;
}

/**
 * INVITE client transaction, RFC 3261 §17.1.1 with the Accepted state of RFC 6026 §7.2.
 *
 *   calling ──1xx──► proceeding ──2xx──► accepted ──M──► terminated
 *      │                 └────3xx-6xx──► completed ──D──► terminated
 *      └── B, transport error ──► terminated
 */
export class InviteClientTransaction {
  #state: 'calling' | 'proceeding' | 'accepted' | 'completed' | 'terminated' = 'calling';
  readonly #timers: TimerSet<'A' | 'B' | 'D' | 'M' | 'closed'>;
  #ack: Buffer | undefined;
  #stopWatching: () => void = () => undefined;

  constructor(
    private readonly env: TransactionEnvironment,
    private readonly options: InviteClientOptions,
  ) {
    this.#timers = new TimerSet(env.clock);
  }

  get state(): string {
    return this.#state;
  }

  start(): void {
    const { flow, request } = this.options;
    const { t1Ms, timerAExtraMs } = this.env.timers;
    this.#stopWatching = flow.onFailure((error) => this.#transportFailed(error));
    this.#timers.arm('B', transactionLifeMs(this.env.timers), () => this.#timedOut());
    if (!flow.reliable) this.#armA(t1Ms + timerAExtraMs, 2 * t1Ms);
    if (flow.open) flow.send(request);
    else this.#timers.arm('closed', 0, () => this.#transportFailed(new Error('connection closed')));
  }

  /** Goes on with a request another process sent, which may have been answered provisionally. */
  resume(): void {
    this.#state = 'proceeding';
  }

  receive(received: ReceivedResponse): void {
    const response = received.message;
    if (this.#state === 'calling' || this.#state === 'proceeding') return this.#firstResponses(received);
    if (this.#state === 'accepted' && isSuccess(response)) return this.options.user.onResponse(received);
    if (this.#state === 'completed' && response.status >= 300 && this.#ack) this.options.flow.send(this.#ack);
  }

  terminate(): void {
    if (this.#state === 'terminated') return;
    this.#state = 'terminated';
    this.#timers.cancelAll();
    this.#stopWatching();
    this.options.flow.release();
    this.options.user.onTerminated();
  }

  #firstResponses(received: ReceivedResponse): void {
    const response = received.message;
    this.#timers.cancel('A');
    this.#timers.cancel('B');
    const lifeMs = transactionLifeMs(this.env.timers);
    if (response.status < 200) {
      this.#state = 'proceeding';
    } else if (isSuccess(response)) {
      this.#state = 'accepted';
      this.#timers.arm('M', lifeMs, () => this.terminate());
    } else {
      this.#state = 'completed';
      this.#ack = this.options.buildAck(response);
      this.options.flow.send(this.#ack);
      this.#timers.arm('D', this.options.flow.reliable ? 0 : lifeMs, () => this.terminate());
    }
    this.options.user.onResponse(received);
  }

  #armA(delayMs: number, nextMs: number): void {
    this.#timers.arm('A', delayMs, () => {
      this.options.flow.send(this.options.request);
      this.#armA(nextMs, 2 * nextMs);
    });
  }

  #timedOut(): void {
    this.options.user.onTimeout();
    this.terminate();
  }

  /** After a response the peer is known to live, and may answer over another connection. */
  #transportFailed(error: Error): void {
    if (this.#state !== 'calling') return;
    this.options.user.onTransportError(error);
    this.terminate();
  }
}

const isSuccess = (response: SipResponse): boolean => response.status >= 200 && response.status < 300;
