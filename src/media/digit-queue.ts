export interface DigitQueueLimits {
  /** What a digit is played for at least and at most, in milliseconds. */
  readonly leastMs: number;
  readonly mostMs: number;
  /** Pause behind each, in milliseconds. */
  readonly pauseMs: number;
}

interface Waiting<T> {
  readonly digit: T;
  readonly durationMs: number;
}

/** Digits that wait longer come too late to be of use to who pressed them, and keep audio away all the while. */
const mostWaitingMs = 3000;

/**
 * Digits that wait for those before them, 3 s of them at most, pauses included. One that would make it more is cut: the first that
 * waits to what there is room for, any other to the least a digit takes; if there is no room even for that, it is dropped.
 */
export class DigitQueue<T> {
  readonly #waiting: Waiting<T>[] = [];
  #waitingMs = 0;
  #dropped = 0;

  constructor(
    private readonly limits: DigitQueueLimits,
    /** Called with the first digit that is dropped. */
    private readonly onFirstDrop: () => void = () => undefined,
  ) {}

  /** Digits dropped so far. */
  get dropped(): number {
    return this.#dropped;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /**
   * False if it is dropped. `isTurn`: none is being played, so that it waits for nobody. A length that is no number is the
   * least one.
   */
  add(digit: T, durationMs: number, isTurn: boolean): boolean {
    const { leastMs, mostMs, pauseMs } = this.limits;
    const wantedMs = Number.isFinite(durationMs)
      ? Math.min(mostMs, Math.max(leastMs, Math.round(durationMs)))
      : leastMs;
    const roomMs = isTurn && this.isEmpty ? mostMs : mostWaitingMs - pauseMs - this.#waitingMs;
    const cutMs = this.isEmpty ? roomMs : leastMs;
    const lengthMs = wantedMs <= roomMs ? wantedMs : cutMs;
    if (lengthMs > roomMs) {
      if (this.#dropped++ === 0) this.onFirstDrop();
      return false;
    }
    this.#waiting.push({ digit, durationMs: lengthMs });
    this.#waitingMs += lengthMs + pauseMs;
    return true;
  }

  /** The next one's turn. */
  take(): Waiting<T> | undefined {
    const next = this.#waiting.shift();
    if (next) this.#waitingMs -= next.durationMs + this.limits.pauseMs;
    return next;
  }

  clear(): void {
    this.#waiting.length = 0;
    this.#waitingMs = 0;
  }
}
