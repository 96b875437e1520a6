import { isIP } from 'node:net';
import type { Clock, Timer } from '../lib/clock.js';
import { withDeadline } from '../lib/deadline.js';
import type { DnsClient } from '../lib/dns-client.js';
import { locate, placesInOrder, type Endpoint, type LocationQuery, type Place } from '../lib/sip-location.js';
import type { Logger } from '../lib/logger.js';
import type { SipServer, Trunk } from '../routing/types.js';

/** Between two questions for one name, whatever the reason. */
const askAgainMs = 5_000;

/** What is located: a server, or the proxy before it. */
export type Site = Pick<SipServer, 'hostname' | 'port' | 'transport' | 'lookup'>;

/** Where the requests to a server of a trunk are sent first (RFC 3261 §8.1.2): to its outbound proxy, if it has one. */
export const siteOf = ({ outboundProxy }: Pick<Trunk, 'outboundProxy'>, server: Site): Site => outboundProxy ?? server;

/** Whatever of the trunks is to be looked up: where requests go, and who may call in by its name. */
export const sitesOf = (trunks: readonly Trunk[]): Site[] =>
  trunks.flatMap((trunk) => [
    ...trunk.servers.map((server) => siteOf(trunk, server)),
    ...(trunk.acceptFromServers ? trunk.servers : []),
  ]);

interface Known {
  endpoints: readonly Endpoint[];
  atMs: number;
  asking: Promise<readonly Endpoint[]> | undefined;
}

export interface ServerAddressesOptions {
  readonly dns: DnsClient;
  readonly clock: Clock;
  readonly logger: Logger;
  /** 0 to 1; shares requests by the weights of SRV records. */
  readonly random: () => number;
  readonly dnsMs: number;
  readonly dnsRefreshMs: number;
}

/**
 * Where the trunks' servers are (RFC 3263), looked up by deadline, kept, and refreshed. While DNS fails, what was known last
 * stays in use (reliability: calls go on when DNS is down).
 */
export class ServerAddresses {
  readonly #known = new Map<string, Known>();
  #refresh: Timer | undefined;
  /** What is kept fresh. */
  #kept: readonly Site[] = [];
  #isStopped = false;

  constructor(private readonly options: ServerAddressesOptions) {}

  /** What is known now, without waiting, in the order in which it is to be tried; an IP address is its own place. */
  known(site: Site): readonly Place[] {
    const own = ownPlace(site);
    return own ? [own] : placesInOrder(this.#known.get(keyOf(site))?.endpoints ?? [], this.options.random);
  }

  /** The addresses among what is known. */
  knownAddresses(site: Site): readonly string[] {
    const own = ownPlace(site);
    const endpoints = own ? [] : (this.#known.get(keyOf(site))?.endpoints ?? []);
    return [...new Set(own ? [own.address] : endpoints.flatMap(({ addresses }) => addresses))];
  }

  /**
   * The places in the order in which they are to be tried, looked up if they are not known or too old.
   * @throws Error when nothing is known and the look-up fails or takes too long
   */
  async resolve(site: Site): Promise<readonly Place[]> {
    const own = ownPlace(site);
    return own ? [own] : placesInOrder(await this.#endpoints(site), this.options.random);
  }

  /** Looks these, and no others, up now and again every `dnsRefreshMs`, until `stop`. Failures are logged. */
  async keepFresh(sites: readonly Site[]): Promise<void> {
    const named = [...new Map(sites.filter((site) => !ownPlace(site)).map((site) => [keyOf(site), site])).values()];
    this.#refresh?.cancel();
    this.#kept = named;
    if (named.length === 0) return;
    await Promise.all(named.map((site) => this.#refreshOne(site)));
    if (this.#isStopped || this.#kept !== named) return;
    this.#refresh = this.options.clock.after(this.options.dnsRefreshMs, () => void this.keepFresh(named));
  }

  /**
   * Looks a name up before its time: where a server is down, DNS may name another by now. At most every 5 s for each. Never
   * rejects.
   */
  async askAgain(site: Site): Promise<void> {
    const askedAgoMs = this.options.clock.monotonicMs() - this.#entry(site).atMs;
    if (ownPlace(site) || this.#isStopped || askedAgoMs < askAgainMs) return;
    await this.#refreshOne(site);
  }

  stop(): void {
    this.#isStopped = true;
    this.#refresh?.cancel();
  }

  async #endpoints(site: Site): Promise<readonly Endpoint[]> {
    const entry = this.#entry(site);
    const fresh = this.options.clock.monotonicMs() - entry.atMs < this.options.dnsRefreshMs;
    if (fresh && entry.endpoints.length > 0) return entry.endpoints;
    try {
      return await this.#ask(site, entry);
    } catch (err) {
      if (entry.endpoints.length === 0) throw err;
      this.options.logger.warn('name look-up failed, last addresses stay in use', { hostname: site.hostname, err });
      return entry.endpoints;
    }
  }

  async #refreshOne(site: Site): Promise<void> {
    try {
      await this.#ask(site, this.#entry(site));
    } catch (err) {
      this.options.logger.warn('name look-up failed', { hostname: site.hostname, err });
    }
  }

  #entry(site: Site): Known {
    const key = keyOf(site);
    const entry = this.#known.get(key) ?? { endpoints: [], atMs: Number.NEGATIVE_INFINITY, asking: undefined };
    this.#known.set(key, entry);
    return entry;
  }

  #ask(site: Site, entry: Known): Promise<readonly Endpoint[]> {
    entry.asking ??= this.#lookUp(site, entry).finally(() => (entry.asking = undefined));
    return entry.asking;
  }

  async #lookUp(site: Site, entry: Known): Promise<readonly Endpoint[]> {
    const { dns, dnsMs, clock } = this.options;
    const asked = locate(dns, queryOf(site), clock);
    const { endpoints, isPartial } = await withDeadline(asked, dnsMs, `look-up of ${site.hostname}`, clock);
    // Bare addresses are no news of servers that SRV told of while it could be asked.
    if (isPartial && entry.endpoints.length > 0) throw new Error('DNS answered in part');
    entry.endpoints = endpoints;
    entry.atMs = clock.monotonicMs();
    return endpoints;
  }
}

/** What the file says of a server, as a URI would. */
function queryOf({ hostname, port, transport, lookup = 'address' }: Site): LocationQuery {
  if (lookup === 'naptr') return { host: hostname };
  return lookup === 'srv' ? { host: hostname, transport } : { host: hostname, transport, port };
}

const ownPlace = ({ hostname, port, transport }: Site): Place | undefined =>
  isIP(hostname) === 0 ? undefined : { transport, address: hostname, port };

const keyOf = ({ hostname, port, transport, lookup = 'address' }: Site): string =>
  `${lookup} ${transport} ${hostname.toLowerCase()} ${port}`;
