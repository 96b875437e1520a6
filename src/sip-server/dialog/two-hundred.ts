import type { Clock, Timer } from '../../lib/clock.js';
import type { SipTimers } from '../timers.js';
import { transactionLifeMs } from '../timers.js';
import type { Flow } from '../transport/flow.js';

export interface TwoHundredOptions {
  readonly clock: Clock;
  readonly timers: SipTimers;
  readonly flow: Flow;
  readonly bytes: Buffer;
  /** CSeq number of the INVITE: the ACK carries the same. */
  readonly seq: number;
  /** The application's name for the ACK's transaction. */
  readonly ackTxn: string;
  readonly onTimeout: () => void;
}

/**
 * Repeats our 2xx to an INVITE until its ACK comes: T1, 2·T1 … T2, for 64·T1, over every transport, since a hop further
 * on may lose it (RFC 3261 §13.3.1.4).
 */
export class TwoHundred {
  readonly seq: number;
  readonly ackTxn: string;
  #next: Timer | undefined;
  #waiting: (() => void)[] = [];

  constructor(private readonly options: TwoHundredOptions) {
    this.seq = options.seq;
    this.ackTxn = options.ackTxn;
  }

  start(): void {
    const { timers } = this.options;
    this.#arm(timers.t1Ms, transactionLifeMs(timers));
  }

  stop(): void {
    this.#next?.cancel();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const callback of waiting) callback();
  }

  /** Runs when the ACK is there, or will never be: a callee may not send BYE before (RFC 3261 §15). */
  whenDone(callback: () => void): void {
    this.#waiting.push(callback);
  }

  #arm(delayMs: number, leftMs: number): void {
    const { clock, flow, bytes, timers } = this.options;
    this.#next = clock.after(Math.min(delayMs, leftMs), () => {
      if (leftMs <= delayMs) return this.#end();
      flow.send(bytes);
      this.#arm(Math.min(2 * delayMs, timers.t2Ms), leftMs - delayMs);
    });
  }

  #end(): void {
    const unheard = this.#waiting.length === 0;
    this.stop();
    if (unheard) this.options.onTimeout();
  }
}
