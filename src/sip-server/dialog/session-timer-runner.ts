import { assertNever } from '../../lib/assert-never.js';
import type { Clock, Timer } from '../../lib/clock.js';
import type { RefreshMethod, SessionTimerEffect, SessionTimerEvent, SessionTimerState } from './session-timer.js';
import { transition } from './session-timer.js';
import type { SessionTerms } from './session-timer-terms.js';

export interface Refresh {
  readonly method: RefreshMethod;
  readonly terms: SessionTerms;
  /** The least a 422 has asked for, in seconds. */
  readonly minSeS: number;
}

interface RunnerOptions {
  readonly clock: Clock;
  /** Is an INVITE under way in the dialog? */
  readonly isBusy: () => boolean;
  readonly refresh: (refresh: Refresh) => void;
  /** The session is over: nobody has refreshed it, or the peer does not know it any more. */
  readonly expire: () => void;
}

/** The session timer machine of one dialog, with its two timers. */
export class SessionTimerRunner {
  #state: SessionTimerState = { type: 'off' };
  #refresh: Timer | undefined;
  #expiry: Timer | undefined;

  constructor(private readonly options: RunnerOptions) {}

  /** What is settled now; undefined without a session timer. */
  get terms(): SessionTerms | undefined {
    return 'terms' in this.#state ? this.#state.terms : undefined;
  }

  /** Whether the answer to a refresh of ours is still to come. */
  get isRefreshing(): boolean {
    return this.#state.type === 'refreshing';
  }

  take(event: SessionTimerEvent): void {
    const { state, effects } = transition(this.#state, event);
    this.#state = state;
    for (const effect of effects) this.#run(effect);
  }

  stop(): void {
    this.#state = { type: 'ended' };
    this.#disarm();
  }

  #run(effect: SessionTimerEffect): void {
    const { clock, isBusy, refresh, expire } = this.options;
    switch (effect.type) {
      case 'armRefresh':
        this.#refresh?.cancel();
        this.#refresh = clock.after(effect.delayMs, () => this.take({ type: 'refreshDue', busy: isBusy() }));
        return;
      case 'armExpiry':
        this.#expiry?.cancel();
        this.#expiry = clock.after(effect.delayMs, () => this.take({ type: 'expired' }));
        return;
      case 'disarm':
        return this.#disarm();
      case 'refresh':
        return refresh(effect);
      case 'bye':
        return expire();
      default:
        assertNever(effect, 'session timer effect');
    }
  }

  #disarm(): void {
    this.#refresh?.cancel();
    this.#expiry?.cancel();
  }
}
