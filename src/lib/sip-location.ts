import { isIP } from 'node:net';
import type { Clock } from './clock.js';
import { withDeadline } from './deadline.js';
import { isLocal, type DnsClient, type NaptrRecord, type SrvRecord } from './dns-client.js';

export type LocationTransport = 'udp' | 'tcp' | 'tls';

/** A host of a SIP or SIPS URI, brackets removed, with what the URI says beside it. */
export interface LocationQuery {
  readonly host: string;
  readonly port?: number | undefined;
  readonly transport?: LocationTransport | undefined;
  /** The scheme is `sips`: TLS alone will do. */
  readonly secure?: boolean;
  /** The transport where neither the URI nor DNS names one (RFC 3263 §4.1 leaves it to us); default: UDP. */
  readonly otherwise?: LocationTransport;
}

/** One server of the host: RFC 2782's words; `rank` takes in the NAPTR record that led to it. */
export interface Endpoint {
  readonly transport: LocationTransport;
  readonly port: number;
  readonly rank: number;
  readonly weight: number;
  readonly addresses: readonly string[];
}

/** Where a host is served. */
export interface Location {
  readonly endpoints: readonly Endpoint[];
  /** DNS failed on the way, so that there may be more to know. */
  readonly isPartial: boolean;
}

/** Where a request can be sent. */
export interface Place {
  readonly transport: LocationTransport;
  readonly address: string;
  readonly port: number;
}

/** Most servers and addresses that are made use of: an answer of DNS is a stranger's word. */
const limits = { services: 6, servers: 8, addresses: 4, places: 8 };
/** Of a NAPTR or SRV question, so that time is left for the addresses. */
const questionMs = 1_200;

/** Service names of RFC 3263 §4.1, in the order in which they are tried without NAPTR. */
const services: readonly { transport: LocationTransport; naptr: string; srv: string }[] = [
  { transport: 'udp', naptr: 'SIP+D2U', srv: '_sip._udp' },
  { transport: 'tcp', naptr: 'SIP+D2T', srv: '_sip._tcp' },
  { transport: 'tls', naptr: 'SIPS+D2T', srv: '_sips._tcp' },
];

/** RFC 3261 §19.1.2. */
export const defaultSipPort = (transport: LocationTransport): number => (transport === 'tls' ? 5061 : 5060);

/**
 * Where a host is served (RFC 3263 §4): by its addresses where the URI names the port, by SRV where it names the transport,
 * else by NAPTR, then by SRV of each transport; without such records by its addresses and the defaults.
 * @throws Error when no server with an address is found
 */
export async function locate(dns: DnsClient, query: LocationQuery, clock: Clock): Promise<Location> {
  const { host, port } = query;
  const transport = query.transport ?? (query.secure ? 'tls' : undefined);
  if (isIP(host) !== 0 || port !== undefined || isLocal(host)) return byAddress(dns, query);
  const found = await servicesOf(asked(dns, clock), host, transport, query.secure ?? false);
  if (found.servers.length === 0) return { ...(await byAddress(dns, query)), isPartial: found.isPartial };
  const endpoints = await withAddresses(dns, found.servers);
  if (endpoints.length === 0) throw new Error(`no server of ${host} has an address`);
  return { endpoints, isPartial: false };
}

/** The places in the order in which they are to be tried (RFC 2782); `random` gives 0 to 1. */
export function placesInOrder(endpoints: readonly Endpoint[], random: () => number): readonly Place[] {
  const ordered: Endpoint[] = [];
  for (const rank of [...new Set(endpoints.map((it) => it.rank))].sort((a, b) => a - b)) {
    // Those of no weight come first, so that they are drawn now and then.
    const pool = endpoints.filter((it) => it.rank === rank).sort((a, b) => Number(a.weight > 0) - Number(b.weight > 0));
    while (pool.length > 0) ordered.push(...pool.splice(draw(pool, random()), 1));
  }
  const places = ordered.flatMap(({ transport, port, addresses }) =>
    addresses.map((address) => ({ transport, address, port })),
  );
  const byText = new Map(places.map((place) => [placeText(place), place]));
  return [...byText.values()].slice(0, limits.places);
}

/** A place for logs and as a key. */
export const placeText = ({ transport, address, port }: Place): string =>
  `${transport} ${address.includes(':') ? `[${address}]` : address}:${port}`;

function draw(pool: readonly Endpoint[], random: number): number {
  const total = pool.reduce((sum, { weight }) => sum + weight, 0);
  let left = Math.min(Math.floor(random * (total + 1)), total);
  const index = pool.findIndex(({ weight }) => (left -= weight) <= 0);
  return Math.max(index, 0);
}

async function byAddress(dns: DnsClient, { host, port, transport, ...query }: LocationQuery): Promise<Location> {
  const chosen = query.secure ? 'tls' : (transport ?? query.otherwise ?? 'udp');
  const addresses = isIP(host) === 0 ? await dns.addresses(host) : [host];
  if (addresses.length === 0) throw new Error(`${host} has no address`);
  const endpoint = { transport: chosen, port: port ?? defaultSipPort(chosen), rank: 0, weight: 0 };
  return { endpoints: [{ ...endpoint, addresses: addresses.slice(0, limits.places) }], isPartial: false };
}

/** An answer, or that there was none. */
type Asked = {
  readonly [Kind in 'srv' | 'naptr']: (name: string) => Promise<Awaited<ReturnType<DnsClient[Kind]>> | 'failed'>;
};

function asked(dns: DnsClient, clock: Clock): Asked {
  const inTime = <T>(question: Promise<T>): Promise<T | 'failed'> =>
    withDeadline(question, questionMs, 'DNS', clock).catch(() => 'failed' as const);
  return { srv: (name) => inTime(dns.srv(name)), naptr: (name) => inTime(dns.naptr(name)) };
}

interface Server extends SrvRecord {
  readonly transport: LocationTransport;
  readonly rank: number;
}

interface Service {
  readonly transport: LocationTransport;
  readonly name: string;
}

async function servicesOf(
  dns: Asked,
  host: string,
  transport: LocationTransport | undefined,
  secure: boolean,
): Promise<{ servers: Server[]; isPartial: boolean }> {
  const naptr = transport === undefined || secure ? await dns.naptr(host) : [];
  const named = naptr === 'failed' ? [] : chosenServices(naptr, transport);
  const first = await serversOf(dns, named, 'all');
  if (first.servers.length > 0) return first;
  const guessed = services
    .filter((it) => transport === undefined || it.transport === transport)
    .map((it) => ({ transport: it.transport, name: `${it.srv}.${host}` }));
  const second = await serversOf(dns, guessed, 'first');
  return { ...second, isPartial: second.isPartial || first.isPartial || naptr === 'failed' };
}

/** RFC 3403 §4.1: records of the lowest order that holds one of ours, by preference. */
function chosenServices(records: readonly NaptrRecord[], only: LocationTransport | undefined): Service[] {
  const ours = records.flatMap((record) => {
    const service = services.find(({ naptr }) => naptr === record.service.toUpperCase());
    const isUsable = service && record.flags.toLowerCase() === 's' && isDnsName(record.replacement);
    return isUsable && (only === undefined || service.transport === only) ? [{ ...record, ...service }] : [];
  });
  const lowest = Math.min(...ours.map(({ order }) => order));
  return ours
    .filter(({ order }) => order === lowest)
    .sort((a, b) => a.preference - b.preference)
    .slice(0, limits.services)
    .map(({ transport, replacement }) => ({ transport, name: replacement }));
}

/** All services named count, one after the other; of guessed ones the first that there is (RFC 3263 §4.1). */
async function serversOf(
  dns: Asked,
  named: readonly Service[],
  which: 'all' | 'first',
): Promise<{ servers: Server[]; isPartial: boolean }> {
  const answers = await Promise.all(named.map(({ name }) => dns.srv(name)));
  const lists = answers.map((answer, index) => {
    const transport = named[index]?.transport ?? 'udp';
    if (answer === 'failed') return [];
    // Rank: the service first, then the record's own priority.
    return answer.map((record) => ({ ...record, transport, rank: index * 65_536 + record.priority }));
  });
  const used = which === 'all' ? lists : lists.filter((list) => list.length > 0).slice(0, 1);
  return { servers: used.flat(), isPartial: answers.includes('failed') };
}

/** One name without an address costs the others nothing. */
async function withAddresses(dns: DnsClient, servers: readonly Server[]): Promise<Endpoint[]> {
  const usable = [...servers]
    .sort((a, b) => a.rank - b.rank)
    .filter(({ name, port }) => isDnsName(name) && port > 0)
    .slice(0, limits.servers);
  const found = await Promise.allSettled(usable.map(({ name }) => dns.addresses(name)));
  return usable.flatMap(({ transport, port, rank, weight }, index) => {
    const answer = found[index];
    const addresses = answer?.status === 'fulfilled' ? answer.value.slice(0, limits.addresses) : [];
    return addresses.length === 0 ? [] : [{ transport, port, rank, weight, addresses }];
  });
}

const isDnsName = (name: string): boolean => /^(?=.{1,253}$)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?$/.test(name);
