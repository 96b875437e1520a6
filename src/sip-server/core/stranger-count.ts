import type { Clock } from '../../lib/clock.js';
import type { Logger } from '../../lib/logger.js';

const QUIET_MS = 60_000;

/** Counts what comes from sources nobody knows: one line at once, then one a minute at most, so that a scan fills no disk. */
export class StrangerCount {
  #quietUntilMs = -Infinity;
  #untold = 0;

  constructor(
    private readonly clock: Pick<Clock, 'monotonicMs'>,
    private readonly logger: Logger,
  ) {}

  note(from: string, what: 'udp' | 'tcp' | 'tls'): void {
    this.#untold++;
    const nowMs = this.clock.monotonicMs();
    if (nowMs < this.#quietUntilMs) return;
    this.logger.warn('SIP from an unknown source dropped', { from, transport: what, messages: this.#untold });
    this.#untold = 0;
    this.#quietUntilMs = nowMs + QUIET_MS;
  }
}
