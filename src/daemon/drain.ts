import { deferred } from '../lib/deferred.js';
import type { Clock } from '../lib/clock.js';
import { withDeadline } from '../lib/deadline.js';
import type { Logger } from '../lib/logger.js';

/*
 *         begin                 stop
 *   off ────────► draining ────────────► stopping   (for good)
 *    ▲              │    off ── stop ───────▲
 *    └──── end ─────┘
 */
export type DrainState = 'off' | 'draining' | 'stopping';

export interface DrainOptions {
  /** Resolves once no call is live. */
  readonly noCalls: () => Promise<void>;
  readonly calls: () => number;
  /** Longest time that live calls go on for once the daemon stops, in milliseconds. */
  readonly timeoutMs: () => number;
  readonly onChange: (state: DrainState) => void;
  /** Told how many calls the limit cut. */
  readonly onForced: (calls: number) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Whether new calls are taken. While they are not, live ones go on; once the daemon stops, up to a limit. */
export class Drain {
  #state: DrainState = 'off';
  #sinceMs: number | undefined;
  #untilMs: number | undefined;
  /** The same by the monotonic clock. */
  #limitAtMs = 0;
  readonly #asked = deferred<undefined>();

  constructor(private readonly options: DrainOptions) {}

  get state(): DrainState {
    return this.#state;
  }

  /** Unix milliseconds: since when no calls are taken, and when those that are left are ended. */
  get times(): { readonly sinceMs: number | undefined; readonly untilMs: number | undefined } {
    return { sinceMs: this.#sinceMs, untilMs: this.#untilMs };
  }

  /** Resolves when somebody asked for the process to stop. */
  get stopAsked(): Promise<unknown> {
    return this.#asked.promise;
  }

  begin(): void {
    if (this.#state === 'off') this.#enter('draining');
  }

  /** Takes calls again. False when it is too late for that. */
  end(): boolean {
    if (this.#state === 'draining') this.#enter('off');
    return this.#state === 'off';
  }

  /** From now on the process is to end; whoever runs it is told. */
  stop(): void {
    if (this.#state === 'stopping') return;
    this.#enter('stopping');
    const { clock, timeoutMs } = this.options;
    this.#untilMs = clock.now() + timeoutMs();
    this.#limitAtMs = clock.monotonicMs() + timeoutMs();
    this.#asked.resolve(undefined);
  }

  /** Stops, and resolves when no call is left or the limit has passed. */
  async finished(): Promise<void> {
    const { noCalls, calls, onForced, clock, logger } = this.options;
    this.stop();
    const limitMs = Math.max(0, this.#limitAtMs - clock.monotonicMs());
    if (calls() > 0) logger.info('calls go on', { calls: calls(), limitMs });
    try {
      await withDeadline(noCalls(), limitMs, 'drain', clock);
    } catch {
      onForced(calls());
      logger.warn('drain limit reached: calls are ended', { calls: calls(), limitMs });
    }
  }

  #enter(state: DrainState): void {
    const { clock, calls, logger, onChange } = this.options;
    this.#state = state;
    if (state === 'off') this.#sinceMs = undefined;
    else this.#sinceMs ??= clock.now();
    logger.info(state === 'off' ? 'calls are taken again' : 'no new calls are taken', { state, calls: calls() });
    onChange(state);
  }
}
