import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Clock } from '../../lib/clock.js';
import { withDeadline } from '../../lib/deadline.js';
import type { SipUri } from '../sip/uri.js';
import { bareHost } from '../sip/uri.js';
import type { PeerAddress, Protocol } from './flow.js';

/** Where a request goes next. */
export interface NextHop extends PeerAddress {
  readonly protocol: Protocol;
}

/** Turns a URI into an address. A seam: SRV and NAPTR (RFC 3263) can stand behind it. */
export interface Resolver {
  /** @throws when the name does not resolve in time. */
  resolve(host: string): Promise<string>;
}

/** Address records only, through the system's resolver (which reads the hosts file), IPv4 first. */
export function systemResolver(clock: Clock, deadlineMs: number): Resolver {
  return {
    resolve: async (host) => {
      const bare = bareHost(host);
      if (isIP(bare) !== 0) return bare;
      const answers = await withDeadline(lookup(bare, { all: true }), deadlineMs, 'name look-up', clock);
      const best = answers.find((answer) => answer.family === 4) ?? answers[0];
      if (!best) throw new Error('name has no address');
      return best.address;
    },
  };
}

/** Default ports of RFC 3261 §19.1.2. */
export const defaultPort = (protocol: Protocol): number => (protocol === 'tls' ? 5061 : 5060);

/**
 * The transport a URI asks for (RFC 3263 §4.1 without NAPTR), else this one; undefined when we do not speak it. `sips:`
 * is TLS whatever stream it names (RFC 5630 §3.1.3), and never datagrams.
 */
export function protocolOf(uri: SipUri, otherwise: Protocol): Protocol | undefined {
  const named = uri.params.get('transport')?.toLowerCase();
  if (uri.scheme === 'sips') return named === 'udp' ? undefined : 'tls';
  const wanted = named ?? otherwise;
  return wanted === 'udp' || wanted === 'tcp' || wanted === 'tls' ? wanted : undefined;
}
