/** Our own limits for one user while Meta has not said its; 0: none. */
export interface OwnLimits {
  readonly requestsPerDay: number;
  readonly requestsPerWeek: number;
  readonly connectedCallsPerDay: number;
  readonly unansweredInARow: number;
}

/** A limit of ours that is used up. */
export interface UsedUp {
  readonly why: string;
  /** Monotonic milliseconds when it is free again; undefined when only the user can free it. */
  readonly freeAtMs: number | undefined;
}

const DAY_MS = 24 * 3600_000;
const WEEK_MS = 7 * DAY_MS;

/** A count within a window that moves with the time. */
interface Window {
  readonly limit: number;
  readonly lengthMs: number;
  readonly why: string;
}

/**
 * How often one user was called and asked, for our own limits (Meta's permission page: 1 request in 24 hours and 2 in 7 days,
 * 100 connected calls in 24 hours, permission taken away after 4 unanswered calls in a row). All times are monotonic
 * milliseconds.
 */
export class CallTally {
  #connected: number[] = [];
  #requests: number[] = [];
  #unanswered = 0;
  #lastCallAtMs: number | undefined;

  constructor(private readonly limits: OwnLimits) {}

  /** When a call of ours to this user last ended. */
  get lastCallAtMs(): number | undefined {
    return this.#lastCallAtMs;
  }

  /** Unanswered calls in a row. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /** The user picked up a call of ours. */
  callConnected(atMs: number): void {
    this.talked();
    this.#lastCallAtMs = atMs;
    if (this.limits.connectedCallsPerDay > 0)
      this.#connected = pushed(this.#connected, atMs, this.limits.connectedCallsPerDay);
  }

  /** A call of ours rang at the user's phone and was not picked up. */
  callUnanswered(atMs: number): void {
    this.#lastCallAtMs = atMs;
    this.#unanswered += 1;
  }

  /** Business and user talked, whoever called: the user may be asked afresh, and the row of unanswered calls is over. */
  talked(): void {
    this.#requests = [];
    this.#unanswered = 0;
  }

  /** The user gave permission: what was not answered before counts no more. */
  granted(): void {
    this.#unanswered = 0;
  }

  requestSent(atMs: number): void {
    const most = Math.max(this.limits.requestsPerDay, this.limits.requestsPerWeek);
    if (most > 0) this.#requests = pushed(this.#requests, atMs, most);
  }

  /** The limit that keeps the user from being called, if any. */
  callLimit(nowMs: number): UsedUp | undefined {
    const { connectedCallsPerDay: perDay, unansweredInARow: row } = this.limits;
    if (row > 0 && this.#unanswered >= row && nowMs < (this.#lastCallAtMs ?? 0) + WEEK_MS) {
      return { why: `${this.#unanswered} calls in a row were not answered by the user`, freeAtMs: undefined };
    }
    return usedUp(this.#connected, nowMs, [
      { limit: perDay, lengthMs: DAY_MS, why: `${perDay} connected calls to the user in 24 hours` },
    ]);
  }

  /** The limit that keeps the user from being asked, if any. */
  requestLimit(nowMs: number): UsedUp | undefined {
    const { requestsPerDay: perDay, requestsPerWeek: perWeek } = this.limits;
    return usedUp(this.#requests, nowMs, [
      { limit: perWeek, lengthMs: WEEK_MS, why: `the user was asked ${times(perWeek)} in 7 days` },
      { limit: perDay, lengthMs: DAY_MS, why: `the user was asked ${times(perDay)} in 24 hours` },
    ]);
  }

  /** Takes over what was counted for the same user under another id. */
  absorb(other: CallTally): void {
    const { connectedCallsPerDay: perDay, requestsPerDay, requestsPerWeek } = this.limits;
    const merged = (a: number[], b: number[], most: number): number[] =>
      most === 0 ? [] : [...a, ...b].sort((x, y) => x - y).slice(-most);
    this.#connected = merged(this.#connected, other.#connected, perDay);
    this.#requests = merged(this.#requests, other.#requests, Math.max(requestsPerDay, requestsPerWeek));
    this.#unanswered += other.#unanswered;
    const last = Math.max(this.#lastCallAtMs ?? -1, other.#lastCallAtMs ?? -1);
    this.#lastCallAtMs = last < 0 ? undefined : last;
  }
}

/** Never more are kept than the limit needs. */
const pushed = (stamps: readonly number[], atMs: number, most: number): number[] => [...stamps, atMs].slice(-most);

const times = (count: number): string => (count === 1 ? 'once' : `${count} times`);

/** Of the limits that are used up the one that is free again last: all of them have to be. */
function usedUp(stamps: readonly number[], nowMs: number, windows: readonly Window[]): UsedUp | undefined {
  const full = windows.flatMap(({ limit, lengthMs, why }) => {
    const within = limit > 0 ? stamps.filter((at) => at > nowMs - lengthMs) : [];
    const oldestCounted = within.at(-limit);
    return limit > 0 && oldestCounted !== undefined ? [{ why, freeAtMs: oldestCounted + lengthMs }] : [];
  });
  return full.sort((a, b) => b.freeAtMs - a.freeAtMs)[0];
}
