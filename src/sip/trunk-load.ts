import type { Clock } from '../lib/clock.js';
import type { Trunk } from '../routing/types.js';
import { CallWindow } from './call-window.js';

/** A limit of a trunk, by its key in the configuration. */
export type TrunkLimit = 'max_calls' | 'max_calls_per_second' | 'max_calls_per_day';

/** Whether a trunk may place one more call. */
export type Admission =
  /** `release` gives the place back; further calls of it do nothing. */
  | { readonly ok: true; readonly release: () => void }
  | { readonly ok: false; readonly limit: TrunkLimit; readonly retryAfterS: number };

interface Windows {
  /** The limits they are of. */
  readonly limits: Pick<Trunk, 'maxCallsPerSecond' | 'maxCallsPerDay'>;
  readonly second: CallWindow | undefined;
  readonly day: CallWindow | undefined;
}

const secondMs = 1_000;
const dayMs = 24 * 3_600_000;
/** When a call over `max_calls` may be tried again: nobody knows when the others end. */
const fullRetryS = 10;

/**
 * Counts the calls of each trunk: live ones, both ways, against its `max_calls`; those that it places, against its rates. The
 * counts are in memory and start anew with the process.
 */
export class TrunkLoad {
  readonly #legs = new Map<string, number>();
  readonly #windows = new Map<string, Windows>();

  constructor(private readonly clock: Clock) {}

  /** Takes a place for a call to the trunk; undefined when it is full. The returned function gives it back, once. */
  take(trunk: Trunk): (() => void) | undefined {
    const legs = this.#legs.get(trunk.name) ?? 0;
    if (legs >= trunk.maxCalls) return undefined;
    this.#legs.set(trunk.name, legs + 1);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#legs.set(trunk.name, (this.#legs.get(trunk.name) ?? 1) - 1);
    };
  }

  /** Takes a place for a call from the trunk. Only calls that are let in count against its rates. */
  admit(trunk: Trunk): Admission {
    const { second, day } = this.#windowsOf(trunk);
    if (day && day.waitMs > 0) return tooMany('max_calls_per_day', day.waitMs);
    if (second && second.waitMs > 0) return tooMany('max_calls_per_second', second.waitMs);
    const release = this.take(trunk);
    if (!release) return { ok: false, limit: 'max_calls', retryAfterS: fullRetryS };
    day?.add();
    second?.add();
    return { ok: true, release };
  }

  legsOf(trunkName: string): number {
    return this.#legs.get(trunkName) ?? 0;
  }

  /** A limit that has changed counts anew; the other goes on. */
  #windowsOf({ name, maxCallsPerSecond, maxCallsPerDay }: Trunk): Windows {
    const known = this.#windows.get(name);
    const isSecond = known?.limits.maxCallsPerSecond === maxCallsPerSecond;
    const isDay = known?.limits.maxCallsPerDay === maxCallsPerDay;
    if (known && isSecond && isDay) return known;
    const windows = {
      limits: { maxCallsPerSecond, maxCallsPerDay },
      second: known && isSecond ? known.second : this.#window(maxCallsPerSecond, secondMs),
      day: known && isDay ? known.day : this.#window(maxCallsPerDay, dayMs),
    };
    this.#windows.set(name, windows);
    return windows;
  }

  #window(limit: number | undefined, windowMs: number): CallWindow | undefined {
    return limit === undefined ? undefined : new CallWindow(this.clock, limit, windowMs);
  }
}

const tooMany = (limit: TrunkLimit, waitMs: number): Admission => ({
  ...{ ok: false, limit },
  retryAfterS: Math.ceil(waitMs / 1000),
});
