import type { Clock, Timer } from '../../lib/clock.js';
import type { SipRequest, SipResponse, WithHeaders } from '../sip/message.js';
import { elements, first, header } from '../sip/message.js';
import type { SipTimers } from '../timers.js';
import { transactionLifeMs } from '../timers.js';

const OPTION = '100rel';

const names = (message: WithHeaders, key: string): boolean =>
  elements(message, key).some((tag) => tag.toLowerCase() === OPTION);

/** Does the peer know reliable provisional responses? */
export const knowsReliable = (request: SipRequest): boolean => names(request, 'supported') || names(request, 'require');

/** Must this response go out reliably: because the peer insists, or the application does (RFC 3262 §3)? */
export const isReliable = (request: SipRequest, response: SipResponse): boolean =>
  request.method === 'INVITE' &&
  response.status > 100 &&
  response.status < 200 &&
  (names(request, 'require') || asksReliable(response));

/** Does the application ask for this response to go out reliably? */
export const asksReliable = (response: SipResponse): boolean => names(response, 'require');

/** The response as a reliable one. */
export function withRseq(response: SipResponse, rseq: number): SipResponse {
  const require = names(response, 'require') ? [] : [header('Require', OPTION)];
  return { ...response, headers: [...response.headers, ...require, header('RSeq', String(rseq))] };
}

/** What a PRACK acknowledges; undefined when it does not say. */
export function rackOf(prack: SipRequest): { readonly rseq: number; readonly seq: number } | undefined {
  const match = /^(\d{1,10})[ \t]+(\d{1,10})[ \t]+INVITE$/.exec(first(prack, 'rack') ?? '');
  return match ? { rseq: Number(match[1]), seq: Number(match[2]) } : undefined;
}

/** A response of the application to one INVITE, ready to leave. */
export interface ReadyResponse {
  readonly status: number;
  /** Present on a reliable one. */
  readonly rseq: number | undefined;
  readonly leave: () => void;
  readonly repeat: () => void;
}

interface ReliableOptions {
  readonly clock: Clock;
  readonly timers: SipTimers;
  readonly firstRseq: number;
  /** No PRACK in 64·T1. */
  readonly onTimeout: () => void;
}

/**
 * The responses to one INVITE of which some are reliable, RFC 3262 §3.
 *
 *   free ──reliable 1xx leaves──► waiting ──PRACK──► free, what was held leaves
 *                                  │  └ repeated after T1, 2·T1, 4·T1 …; reliable 1xx and 2xx are held
 *                                  ├── 3xx-6xx ──► over
 *                                  └── 64·T1 ──► over, told to `onTimeout`
 */
export class ReliableProvisionals {
  #lastRseq: number;
  #waiting: ReadyResponse | undefined;
  #held: ReadyResponse[] = [];
  #repeat: Timer | undefined;
  #deadline: Timer | undefined;

  constructor(private readonly options: ReliableOptions) {
    this.#lastRseq = options.firstRseq - 1;
  }

  /** RSeq of the next reliable response: one more for each. */
  nextRseq(): number {
    this.#lastRseq += 1;
    return this.#lastRseq;
  }

  /** Is a final response of the application held back? */
  get holdsFinal(): boolean {
    return this.#held.some(({ status }) => status >= 200);
  }

  /** Sends the response, or holds it till the PRACK it has to wait for. */
  send(response: ReadyResponse): void {
    const isOrdered = response.rseq !== undefined || (response.status >= 200 && response.status < 300);
    if (this.#waiting && isOrdered) {
      this.#held.push(response);
      return;
    }
    if (response.status >= 200) this.stop();
    response.leave();
    if (response.rseq !== undefined) this.#await(response);
  }

  /** Is this the PRACK that is waited for? */
  awaits(rseq: number): boolean {
    return this.#waiting?.rseq === rseq;
  }

  /** The PRACK has come. */
  acknowledged(): void {
    this.#cancel();
    const held = this.#held;
    this.#held = [];
    for (const response of held) this.send(response);
  }

  /** Nothing more is sent. */
  stop(): void {
    this.#cancel();
    this.#held = [];
  }

  #await(response: ReadyResponse): void {
    const { clock, timers, onTimeout } = this.options;
    this.#waiting = response;
    this.#deadline = clock.after(transactionLifeMs(timers), () => {
      this.#repeat?.cancel();
      onTimeout();
    });
    this.#arm(response, timers.t1Ms);
  }

  #arm(response: ReadyResponse, delayMs: number): void {
    this.#repeat = this.options.clock.after(delayMs, () => {
      response.repeat();
      this.#arm(response, 2 * delayMs);
    });
  }

  #cancel(): void {
    this.#waiting = undefined;
    this.#repeat?.cancel();
    this.#deadline?.cancel();
  }
}
