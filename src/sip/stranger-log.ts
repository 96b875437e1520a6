import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import { plainSipText } from './sip-text.js';

const quietMs = 60_000;

/** Notes requests of unknown sources: the first at once, then at most one line a minute, so that a scan fills no disk. */
export class StrangerLog {
  #quietUntilMs = Number.NEGATIVE_INFINITY;
  #unlogged = 0;

  constructor(
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  note(sourceAddress: string, method: string): void {
    this.#unlogged++;
    const now = this.clock.monotonicMs();
    if (now < this.#quietUntilMs) return;
    const fields = { from: sourceAddress, method: plainSipText(method, 16), requests: this.#unlogged };
    this.logger.warn('SIP from an unknown source refused', fields);
    this.#unlogged = 0;
    this.#quietUntilMs = now + quietMs;
  }
}
