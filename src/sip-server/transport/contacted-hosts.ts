import type { Clock } from '../../lib/clock.js';

/** The longest call, with room: its peer may be silent all the time and hang up in the end. */
const REMEMBERED_MS = 24 * 3_600_000;
const MAX_HOSTS = 10_000;

/** IPv4-mapped IPv6 (RFC 4291 §2.5.5.2) as the IPv4 address it is. */
export const plainHost = (host: string): string =>
  host.length > 7 && /^::ffff:\d+\./i.test(host) ? host.slice('::ffff:'.length) : host;

/** Addresses we have sent a request to, since a day at most: they may answer, and go on with what we began. */
export class ContactedHosts {
  readonly #lastMs = new Map<string, number>();

  constructor(private readonly clock: Pick<Clock, 'monotonicMs'>) {}

  note(host: string): void {
    const key = plainHost(host);
    // The order of a Map is that of insertion: the one contacted longest ago is the first.
    this.#lastMs.delete(key);
    this.#lastMs.set(key, this.clock.monotonicMs());
    if (this.#lastMs.size <= MAX_HOSTS) return;
    const [oldest] = this.#lastMs.keys();
    if (oldest !== undefined) this.#lastMs.delete(oldest);
  }

  has(host: string): boolean {
    const lastMs = this.#lastMs.get(plainHost(host));
    return lastMs !== undefined && this.clock.monotonicMs() - lastMs < REMEMBERED_MS;
  }
}
