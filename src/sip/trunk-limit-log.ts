import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import type { TrunkLimit } from './trunk-load.js';

const quietMs = 60_000;

interface Refused {
  quietUntilMs: number;
  unlogged: number;
}

/** Notes calls that a trunk's limits refuse: the first at once, then at most one line a minute for each limit. */
export class TrunkLimitLog {
  readonly #refused = new Map<string, Refused>();

  constructor(
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  note(trunk: string, limit: TrunkLimit): void {
    const key = `${trunk} ${limit}`;
    const refused = this.#refused.get(key) ?? { quietUntilMs: Number.NEGATIVE_INFINITY, unlogged: 0 };
    this.#refused.set(key, refused);
    refused.unlogged++;
    const now = this.clock.monotonicMs();
    if (now < refused.quietUntilMs) return;
    this.logger.warn('calls of a trunk refused by its limit', { trunk, limit, calls: refused.unlogged });
    refused.unlogged = 0;
    refused.quietUntilMs = now + quietMs;
  }
}
