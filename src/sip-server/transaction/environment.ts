import type { Clock, Timer } from '../../lib/clock.js';
import type { SipTimers } from '../timers.js';
import type { EndedTransactions } from './ended-transactions.js';

/** What every transaction needs. The clock is a guarded one. */
export interface TransactionEnvironment {
  readonly clock: Clock;
  readonly timers: SipTimers;
  readonly ended: EndedTransactions;
}

/** A set of named timers of one transaction: arming a name again replaces it, and all end together. */
export class TimerSet<Name extends string> {
  /** None while no timer runs: most transactions that are kept have none. */
  #armed: Map<Name, Timer> | undefined;

  constructor(private readonly clock: Clock) {}

  arm(name: Name, delayMs: number, callback: () => void): void {
    this.cancel(name);
    const timer = this.clock.after(delayMs, () => {
      this.#armed?.delete(name);
      callback();
    });
    this.#armed ??= new Map();
    this.#armed.set(name, timer);
  }

  cancel(name: Name): void {
    this.#armed?.get(name)?.cancel();
    this.#armed?.delete(name);
  }

  cancelAll(): void {
    for (const timer of this.#armed?.values() ?? []) timer.cancel();
    this.#armed = undefined;
  }
}
