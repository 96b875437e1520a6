import type { Clock, Timer } from '../../lib/clock.js';
import { deferred, type Deferred } from '../../lib/deferred.js';
import { MediaError } from '../media-error.js';

export interface SetUpLimits {
  /** Set-ups at a time. */
  readonly atOnce: number;
  /** Set-ups that may wait for their turn. */
  readonly waiting: number;
  /** Longest wait for a turn, in milliseconds. */
  readonly waitMs: number;
  /** A set-up that takes longer waits for its peer rather than for the processor: the next may begin. In milliseconds. */
  readonly holdMs: number;
}

/**
 * Each set-up of ICE and DTLS blocks its worker for 4 to 10 ms, and ICE dies of 1.5 s without an answer: so few at a time.
 * Peers that never answer hold a place for `holdMs`, which lets 32 a second pass even then.
 */
export const defaultSetUpLimits: SetUpLimits = { atOnce: 8, waiting: 64, waitMs: 2000, holdMs: 250 };

/** Gives back a place at the gate. Idempotent. */
export type Leave = () => void;

interface Waiting {
  readonly turn: Deferred<Leave>;
  readonly timer: Timer;
}

/** Lets only so many set-ups of one worker go on at a time; the others wait in order, not for long and not many. */
export class SetUpGate {
  readonly #waiting = new Set<Waiting>();
  readonly #holding = new Set<Timer>();

  constructor(
    private readonly clock: Clock,
    private readonly limits: SetUpLimits = defaultSetUpLimits,
  ) {}

  /** Set-ups that go on or wait. */
  get length(): number {
    return this.#holding.size + this.#waiting.size;
  }

  /** Resolves when it is this one's turn. @throws MediaError `limit` when too many wait, or the wait gets too long. */
  enter(): Promise<Leave> {
    if (this.#holding.size < this.limits.atOnce) return Promise.resolve(this.#hold());
    if (this.#waiting.size >= this.limits.waiting) return Promise.reject(busy('too many calls are being set up'));
    const turn = deferred<Leave>();
    const waiting: Waiting = {
      turn,
      timer: this.clock.after(this.limits.waitMs, () => {
        this.#waiting.delete(waiting);
        turn.reject(busy('media is busy with other calls'));
      }),
    };
    this.#waiting.add(waiting);
    return turn.promise;
  }

  /** Refuses all that wait and forgets those that go on: there is nothing behind the gate any more. */
  close(error: MediaError): void {
    for (const { turn, timer } of this.#waiting) {
      timer.cancel();
      turn.reject(error);
    }
    this.#waiting.clear();
    for (const timer of this.#holding) timer.cancel();
    this.#holding.clear();
  }

  #hold(): Leave {
    const timer = this.clock.after(this.limits.holdMs, () => leave());
    this.#holding.add(timer);
    const leave = (): void => {
      timer.cancel();
      if (this.#holding.delete(timer)) this.#next();
    };
    return leave;
  }

  #next(): void {
    const [first] = this.#waiting;
    if (!first) return;
    this.#waiting.delete(first);
    first.timer.cancel();
    first.turn.resolve(this.#hold());
  }
}

const busy = (text: string): MediaError => new MediaError('limit', text);
