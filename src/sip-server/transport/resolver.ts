import { isIP } from 'node:net';
import type { Clock } from '../../lib/clock.js';
import { withDeadline } from '../../lib/deadline.js';
import { cachedDns } from '../../lib/dns-cache.js';
import { systemDns, type DnsClient } from '../../lib/dns-client.js';
import { defaultSipPort, locate, placesInOrder } from '../../lib/sip-location.js';
import type { SipUri } from '../sip/uri.js';
import { bareHost } from '../sip/uri.js';
import type { PeerAddress, Protocol } from './flow.js';

/** Where a request goes next. */
export interface NextHop extends PeerAddress {
  readonly protocol: Protocol;
}

/** Turns names into addresses. */
export interface Resolver {
  /** One address of a host. @throws Error when the name does not resolve in time */
  resolve(host: string): Promise<string>;
  /**
   * Where a URI leads (RFC 3263 §4), in the order in which it is to be tried. `otherwise` is the transport where neither the
   * URI nor DNS names one. @throws Error when that is not found out in time
   */
  locate(uri: SipUri, otherwise: Protocol): Promise<readonly NextHop[]>;
}

export interface ResolverOptions {
  readonly clock: Clock;
  /** Of all that is asked for one URI. */
  readonly deadlineMs: number;
  /** 0 to 1; shares requests by the weights of SRV records. */
  readonly random?: () => number;
  readonly dns?: DnsClient | undefined;
}

/** Through the system's resolver, answers being remembered for a while. */
export function systemResolver({ clock, deadlineMs, random = Math.random, dns }: ResolverOptions): Resolver {
  const cached = cachedDns(dns ?? systemDns(), { clock, deadlineMs });
  return {
    resolve: async (host) => {
      const bare = bareHost(host);
      const [best] = isIP(bare) === 0 ? await cached.addresses(bare) : [bare];
      if (best === undefined) throw new Error('name has no address');
      return best;
    },
    locate: async (uri, otherwise) => {
      const host = plainAddress(bareHost(uri.params.get('maddr') ?? uri.host));
      const query = { host, port: uri.port, ...wanted(uri), otherwise };
      const { endpoints } = await withDeadline(locate(cached, query, clock), deadlineMs, `look-up of ${host}`, clock);
      const name = uri.host;
      return placesInOrder(endpoints, random).map(({ transport, address, port }) => ({
        ...{ protocol: transport, host: address, port, name },
      }));
    },
  };
}

/** RFC 5118 §4.10: a colon too many before an IPv4 part, as RFC 3261 had it; §4.9: an IPv4 address is reached by IPv4. */
const plainAddress = (host: string): string =>
  host.replace(/^(.*[^:])?:::(?=[\d.]+$)/, '$1::').replace(/^::ffff:(?=[\d.]+$)/i, '');

function wanted(uri: SipUri): { readonly transport?: Protocol; readonly secure: boolean } {
  const secure = uri.scheme === 'sips';
  const transport = uri.params.has('transport') ? protocolOf(uri, 'udp') : undefined;
  return transport ? { transport, secure } : { secure };
}

/** Default ports of RFC 3261 §19.1.2. */
export const defaultPort: (protocol: Protocol) => number = defaultSipPort;

/**
 * The transport a URI asks for (RFC 3263 §4.1 without DNS), else this one; undefined when we do not speak it. `sips:`
 * is TLS whatever stream it names (RFC 5630 §3.1.3), and never datagrams.
 */
export function protocolOf(uri: SipUri, otherwise: Protocol): Protocol | undefined {
  const named = uri.params.get('transport')?.toLowerCase();
  if (uri.scheme === 'sips') return named === 'udp' ? undefined : 'tls';
  const wanted = named ?? otherwise;
  return wanted === 'udp' || wanted === 'tcp' || wanted === 'tls' ? wanted : undefined;
}
