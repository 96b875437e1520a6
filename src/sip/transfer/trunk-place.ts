import { isIP } from 'node:net';
import type { SipServer, SipTransport, Trunk } from '../../routing/types.js';
import { contains, parseIpAddress, parseIpNetwork } from '../ip-network.js';
import type { UriPlace } from './refer-to.js';

/** What a place named by a PBX is measured against. */
export interface Surroundings {
  readonly trunk: Trunk;
  /** Where calls go that name no place of their own, or us. */
  readonly home: SipServer;
  /** Where the PBX sends to us. */
  readonly own: UriPlace | undefined;
  /** Hosts that stand for `home`: what the PBX calls itself and us in the dialog. */
  readonly aliases: readonly string[];
  /** Addresses behind a server's name, as far as they are known. */
  readonly addressesOf: (server: SipServer) => readonly string[];
}

/**
 * The server to send an INVITE to that a PBX asks for (Refer-To, Contact of a 3xx): one of its trunk's, or an address from
 * which the trunk may call in. Undefined for any other place: nobody sends our calls elsewhere.
 */
export function serverAt(place: UriPlace, around: Surroundings): SipServer | undefined {
  const { trunk, home, own, aliases, addressesOf } = around;
  const { host } = place;
  if (host === undefined) return home;
  // PBXs that take us for their domain name us: what they want called is an extension of theirs all the same.
  if (host === own?.host && (place.port ?? 5060) === (own.port ?? 5060)) return home;
  const named = [home, ...trunk.servers].filter(
    (known) => known.hostname.toLowerCase() === host || addressesOf(known).includes(host),
  );
  const server = named.find((candidate) => isAt(candidate, place));
  if (server) return server;
  if (isAllowedSource(host, trunk)) return newServer({ ...place, host }, home.transport);
  return aliases.includes(host) ? home : undefined;
}

/** Without a port any of the servers under that name is meant: PBXs leave 5060 out, and the port of their own at times. */
function isAt(server: SipServer, { port, transport }: UriPlace): boolean {
  return (port === undefined || server.port === port) && (transport === undefined || server.transport === transport);
}

/**
 * The widest private networks (RFC 1918, RFC 4193). Wider ones say that callers prove by credentials who they are; a place
 * proves nothing.
 */
const shortestPrefix = { 4: 8, 6: 7 } as const;

function isAllowedSource(host: string, trunk: Trunk): boolean {
  const address = parseIpAddress(host);
  if (!address) return false;
  return trunk.acceptFrom.some((text) => {
    const network = parseIpNetwork(text);
    if (!network || network.prefixLength < shortestPrefix[network.family]) return false;
    return contains(network, address);
  });
}

function newServer(
  { host, port, transport: named }: UriPlace & { readonly host: string },
  usual: SipTransport,
): SipServer {
  // TLS is checked against a name, which an address does not have.
  const transport = named ?? (usual === 'tls' ? 'udp' : usual);
  const standardPort = transport === 'tls' ? 5061 : 5060;
  return { hostname: host, port: port ?? standardPort, transport, priority: 1, weight: 1, requestUriUserParams: {} };
}

/**
 * The server that stands for the PBX from which a dialog came: the one of its trunk at that address, else the trunk's first;
 * for a trunk without servers the address itself.
 */
export function homeOf(
  trunk: Trunk,
  source: { readonly address: string; readonly contact: UriPlace | undefined; readonly transport: string },
  addressesOf: Surroundings['addressesOf'],
): SipServer {
  const [first] = [...trunk.servers].sort((a, b) => a.priority - b.priority);
  const own = trunk.servers.find((server) => addressesOf(server).includes(source.address));
  const known = own ?? first;
  if (known) return known;
  const transport = source.transport === 'tcp' ? 'tcp' : 'udp';
  const port = source.contact?.port;
  return newServer({ host: isIP(source.address) === 0 ? '' : source.address, port, transport }, transport);
}
