import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Clock, Timer } from '../lib/clock.js';
import { withDeadline } from '../lib/deadline.js';
import type { Logger } from '../lib/logger.js';

/** Looks a host name up; all its addresses. Injected in tests. */
export type HostLookup = (hostname: string) => Promise<readonly string[]>;

/** The system's resolver (hosts file included); IPv4 first, as the SIP server takes them. */
export const systemLookup: HostLookup = async (hostname) => {
  const answers = await lookup(hostname, { all: true, verbatim: true });
  return answers.sort((a, b) => a.family - b.family).map(({ address }) => address);
};

interface Known {
  addresses: readonly string[];
  atMs: number;
  asking: Promise<readonly string[]> | undefined;
}

export interface ServerAddressesOptions {
  readonly lookup: HostLookup;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly dnsMs: number;
  readonly dnsRefreshMs: number;
}

/**
 * The addresses behind the trunks' host names, looked up by deadline, kept, and refreshed. While the resolver fails, what
 * was known last stays in use (reliability: calls go on when DNS is down).
 */
export class ServerAddresses {
  readonly #known = new Map<string, Known>();
  #refresh: Timer | undefined;

  constructor(private readonly options: ServerAddressesOptions) {}

  /** What is known now, without waiting; an IP address is its own address. */
  known(hostname: string): readonly string[] {
    return isIP(hostname) === 0 ? (this.#known.get(hostname)?.addresses ?? []) : [hostname];
  }

  /**
   * The addresses, looked up if they are not known or too old.
   * @throws Error when nothing is known and the look-up fails or takes too long
   */
  async resolve(hostname: string): Promise<readonly string[]> {
    if (isIP(hostname) !== 0) return [hostname];
    const entry = this.#entry(hostname);
    const fresh = this.options.clock.monotonicMs() - entry.atMs < this.options.dnsRefreshMs;
    if (fresh && entry.addresses.length > 0) return entry.addresses;
    try {
      return await this.#ask(hostname, entry);
    } catch (err) {
      if (entry.addresses.length === 0) throw err;
      this.options.logger.warn('name look-up failed, last addresses stay in use', { hostname, err });
      return entry.addresses;
    }
  }

  /** Looks these names up now and again every `dnsRefreshMs`, until `stop`. Failures are logged. */
  async keepFresh(hostnames: readonly string[]): Promise<void> {
    const names = [...new Set(hostnames)].filter((hostname) => isIP(hostname) === 0);
    if (names.length === 0) return;
    await Promise.all(names.map((name) => this.#refreshOne(name)));
    this.#refresh = this.options.clock.after(this.options.dnsRefreshMs, () => void this.keepFresh(names));
  }

  stop(): void {
    this.#refresh?.cancel();
  }

  async #refreshOne(hostname: string): Promise<void> {
    try {
      await this.#ask(hostname, this.#entry(hostname));
    } catch (err) {
      this.options.logger.warn('name look-up failed', { hostname, err });
    }
  }

  #entry(hostname: string): Known {
    const entry = this.#known.get(hostname) ?? { addresses: [], atMs: Number.NEGATIVE_INFINITY, asking: undefined };
    this.#known.set(hostname, entry);
    return entry;
  }

  #ask(hostname: string, entry: Known): Promise<readonly string[]> {
    entry.asking ??= this.#lookup(hostname, entry).finally(() => (entry.asking = undefined));
    return entry.asking;
  }

  async #lookup(hostname: string, entry: Known): Promise<readonly string[]> {
    const { dnsMs, clock } = this.options;
    entry.addresses = await withDeadline(this.options.lookup(hostname), dnsMs, `look-up of ${hostname}`, clock);
    entry.atMs = clock.monotonicMs();
    return entry.addresses;
  }
}
