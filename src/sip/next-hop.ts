import { isIP } from 'node:net';
import type { Place } from '../lib/sip-location.js';
import type { Target } from '../routing/types.js';
import { siteOf, type ServerAddresses, type Site } from './server-addresses.js';
import { uriHost } from './sip-uri.js';

/** Where a request outside a dialog is sent. */
export interface NextHop extends Place {
  /** For srf's `proxy`: the SIP server sends the request there and leaves its Request-URI as it is. */
  readonly uri: string;
}

type Dialled = Pick<Target, 'trunk' | 'server' | 'place'>;

/**
 * Where requests to a target go, the best place first; each further one is for when those before it did not answer, or
 * answered 503 (RFC 3263 §4.3). Names are ours to resolve, since a drachtio-server asks DNS alone and wedges when that is
 * away; so is the way through the trunk's outbound proxy.
 * @throws Error when its name is not known and cannot be looked up in time
 */
export async function nextHopsOf(
  addresses: ServerAddresses,
  { trunk, server, place }: Dialled,
): Promise<readonly [NextHop, ...NextHop[]]> {
  const site = siteOf(trunk, server);
  const [first, ...others] = place ? [place] : await addresses.resolve(site);
  if (!first) throw new Error(`no address for ${site.hostname}`);
  const hop = (it: Place): NextHop => ({ ...it, uri: nextHopUri(site, it) });
  return [hop(first), ...others.map(hop)];
}

/** Whether the Request-URI itself says where to go, so that no next hop has to be named. */
export const isDirect = ({ trunk, server }: Dialled): boolean => !trunk.outboundProxy && isIP(server.hostname) !== 0;

/** TLS keeps the name, which the certificate is checked against (RFC 5922 §4); the address stands beside it (RFC 3261 §19.1.1 maddr). */
function nextHopUri({ hostname }: Site, { transport, address, port }: Place): string {
  if (transport !== 'tls') return `sip:${uriHost(address)}:${port}${transport === 'tcp' ? ';transport=tcp' : ''}`;
  const maddr = hostname === address ? '' : `;maddr=${uriHost(address)}`;
  return `sip:${uriHost(hostname)}:${port};transport=tls${maddr}`;
}

/**
 * The targets with the places of their servers, each place a try of its own. A list at once where all are known, as they are
 * once the daemon has started; else when DNS has answered. A server that is not found stays as it is: its leg says why.
 */
export function placedTargets(
  addresses: ServerAddresses,
  targets: readonly Target[],
): readonly Target[] | Promise<readonly Target[]> {
  const known = targets.map((target) => spread(target, knownPlaces(addresses, target)));
  if (known.every((list) => list.length > 0)) return known.flat().slice(0, mostTries);
  return Promise.all(targets.map((target, index) => located(addresses, target, known[index] ?? []))).then((lists) =>
    lists.flat().slice(0, mostTries),
  );
}

/** Of one call: each may take its 4 s of silence, and no caller waits for longer. */
const mostTries = 16;

async function located(
  addresses: ServerAddresses,
  target: Target,
  known: readonly Target[],
): Promise<readonly Target[]> {
  if (known.length > 0) return known;
  try {
    return spread(target, await addresses.resolve(siteOf(target.trunk, target.server)));
  } catch {
    return [target];
  }
}

const knownPlaces = (addresses: ServerAddresses, { trunk, server }: Target): readonly Place[] =>
  addresses.known(siteOf(trunk, server));

const spread = (target: Target, places: readonly Place[]): readonly Target[] =>
  isDirect(target) ? [target] : places.map((place) => ({ ...target, place }));

/** Addresses a server of a trunk is known by, its proxy's included: signalling and, for want of better, media are with them. */
export function addressesOf(addresses: ServerAddresses, { trunk, server, place }: Dialled): readonly string[] {
  const known = [siteOf(trunk, server), server].flatMap((site) => addresses.knownAddresses(site));
  return [...new Set([...(place ? [place.address] : []), ...known])];
}

/** Addresses of the server that is dialled, and of those that it may send the call to (3xx). */
export function answererAddresses(addresses: ServerAddresses, target: Dialled): readonly string[] {
  const { trunk } = target;
  const all = [target, ...trunk.servers.map((server) => ({ trunk, server }))];
  return [...new Set(all.flatMap((each) => addressesOf(addresses, each)))];
}
