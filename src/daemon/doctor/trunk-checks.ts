import { isIP } from 'node:net';
import type { Clock } from '../../lib/clock.js';
import type { DnsClient } from '../../lib/dns-client.js';
import { DeadlineError, withDeadline } from '../../lib/deadline.js';
import { locate, placesInOrder, placeText, type LocationQuery, type Place } from '../../lib/sip-location.js';
import { systemIds } from '../../lib/ids.js';
import type { Trunk } from '../../routing/types.js';
import { siteOf, type Site } from '../../sip/server-addresses.js';
import { certificateCheck, ownPair, tlsServerOf } from './certificate-checks.js';
import { failed, faultText, ok, skipped, warning, type Check, type Finding } from './check.js';
import type { DoctorScope } from './doctor-scope.js';
import { askOptions } from './options-probe.js';

/** Where a trunk is reached: its servers, or the proxy before them, and what DNS says of their names. */
export function trunkChecks(scope: DoctorScope): Check[] {
  return scope.config.trunks.flatMap((trunk) => {
    const sites = new Map(trunk.servers.map((server) => siteOf(trunk, server)).map((site) => [siteText(site), site]));
    return [...sites].flatMap(([text, site]) => siteChecks(scope, trunk, site, text));
  });
}

function siteChecks(scope: DoctorScope, trunk: Trunk, site: Site, text: string): Check[] {
  const found = once(() => placesOf(scope, site));
  const named = isIP(site.hostname) === 0 ? [{ name: `name ${text}`, run: () => nameCheck(found, site) }] : [];
  return [
    ...named,
    { name: `trunk ${trunk.name} ${text}`, run: () => optionsCheck(scope, trunk, site, found) },
    ...(site.transport === 'tls'
      ? [{ name: `certificate ${text}`, run: () => siteCertificate(scope, site, found) }]
      : []),
  ];
}

/** As it stands in the file: what DNS says is not in it. */
const siteText = ({ hostname, port, transport, lookup }: Site): string =>
  lookup === undefined || lookup === 'address' ? `${hostname}:${port} ${transport}` : hostname;

const once = <T>(ask: () => Promise<T>): (() => Promise<T>) => {
  let asked: Promise<T> | undefined;
  return () => (asked ??= ask());
};

interface Located {
  readonly places: readonly Place[];
  /** What DNS answered, for people. */
  readonly records: readonly string[];
}

type FindPlaces = () => Promise<Located>;

/** @throws Error when it has no address, or DNS does not answer */
async function placesOf({ dns, clock, askMs, random }: DoctorScope, site: Site): Promise<Located> {
  const { hostname, port, transport, lookup = 'address' } = site;
  const records: string[] = [];
  const byLookup: Readonly<Record<typeof lookup, LocationQuery>> = {
    address: { host: hostname, transport, port },
    srv: { host: hostname, transport },
    naptr: { host: hostname },
  };
  const asked = locate(recording(dns, records), byLookup[lookup], clock);
  // Half the time, so that some is left for the servers.
  const { endpoints } = await withDeadline(asked, askMs / 2, `DNS for ${hostname}`, clock);
  return { places: placesInOrder(endpoints, random), records };
}

/** DNS that notes its answers. */
function recording(dns: DnsClient, records: string[]): DnsClient {
  return {
    addresses: (host) => dns.addresses(host),
    srv: async (name) => {
      const found = await dns.srv(name);
      const said = found.map((one) => `${one.priority} ${one.weight} ${one.port} ${one.name}`);
      if (said.length > 0) records.push(`SRV ${name}: ${said.join(', ')}`);
      return found;
    },
    naptr: async (name) => {
      const found = await dns.naptr(name);
      const said = found.map((one) => `${one.order} ${one.preference} ${one.service} ${one.replacement}`);
      if (said.length > 0) records.push(`NAPTR ${name}: ${said.join(', ')}`);
      return found;
    },
  };
}

async function nameCheck(found: FindPlaces, { hostname }: Site): Promise<Finding> {
  try {
    const { places, records } = await found();
    const via = records.length === 0 ? '' : ` (${records.join('; ')})`;
    return ok(`${places.map(placeText).join(', ')}${via}`);
  } catch (error) {
    return failed(`${hostname} cannot be found: ${faultText(error)}`, 'correct the name in the file, or mend DNS');
  }
}

/** The first place that answers will do: calls go on to the next likewise. */
async function optionsCheck(scope: DoctorScope, trunk: Trunk, site: Site, found: FindPlaces): Promise<Finding> {
  const places = await knownPlaces(found);
  if (!places) return skipped('its name is not found');
  const tried = await Promise.all(places.map((place) => optionsOf(scope, site, place)));
  const silent = tried.filter(({ status }) => status === undefined);
  const answered = tried.find(({ status }) => status !== undefined);
  if (!answered) return failed(silent.map(({ text }) => text).join('; '), optionsCure(trunk, site));
  if (silent.length > 0) return warning(tried.map(({ text }) => text).join('; '), optionsCure(trunk, site));
  if (answered.status === 503) return warning(answered.text, 'see at the PBX why it takes no calls');
  return ok(answered.text);
}

const knownPlaces = (found: FindPlaces): Promise<readonly Place[] | undefined> =>
  found().then(
    ({ places }) => places,
    () => undefined,
  );

interface Tried {
  readonly status: number | undefined;
  readonly text: string;
}

async function optionsOf(scope: DoctorScope, { hostname }: Site, place: Place): Promise<Tried> {
  const { clock, askMs, config } = scope;
  const { serverName, alpn } = tlsServerOf(scope, hostname, place.port);
  const tls = { ...ownPair(config), ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }) };
  const began = clock.monotonicMs();
  try {
    const terms = { hostname, serverName, callId: systemIds.hex(12), deadlineMs: askMs / 2, clock, tls };
    const status = await askOptions(place, terms);
    return { status, text: `${placeText(place)} answers OPTIONS with ${status} in ${elapsed(clock, began)} ms` };
  } catch (error) {
    const why = error instanceof DeadlineError ? 'no answer to OPTIONS' : faultText(error);
    return { status: undefined, text: `${placeText(place)}: ${why}` };
  }
}

const elapsed = (clock: Clock, beganMs: number): number => Math.round(clock.monotonicMs() - beganMs);

const optionsCure = ({ name }: Trunk, { transport }: Site): string =>
  `see that the PBX runs, listens to ${transport} on that port, and lets this machine's address in (trunk ${name})`;

async function siteCertificate(scope: DoctorScope, { hostname }: Site, found: FindPlaces): Promise<Finding> {
  const [place] = (await knownPlaces(found)) ?? [];
  if (!place) return skipped('its name is not found');
  return certificateCheck(scope, { hostname, address: place.address, port: place.port });
}
