import { isIP } from 'node:net';
import { isLocal } from '../lib/dns-client.js';
import { defaultSipPort } from '../lib/sip-location.js';
import type { OutboundProxy, PbxCodec, SipServer, Trunk } from '../routing/types.js';
import { buildAcceptAuth, buildAuth, warnOfMd5 } from './build-auth.js';
import { parseDuration } from './formats.js';
import type { Findings, KeyPath } from './issue.js';
import type { Item } from './lists.js';
import type { ServerItem, TrunkDefaults, TrunkItem } from './list-schemas.js';
import type { SettingsServerItem } from './settings-schema.js';
import type { Secrets } from './secrets.js';

type WrittenSite = Pick<ServerItem, 'hostname' | 'port' | 'transport'>;
type Behaviour = Omit<Trunk, 'name' | 'servers' | 'acceptFrom' | 'acceptFromServers'>;

/** Default port of Meta's `sip.servers[]`, which are reached by TLS there. */
const SIPS_PORT = 5061;
const DEFAULT_MAX_CALLS = 100;
const DEFAULT_QUALIFY = '30s';

/** What trunks are built from. */
export interface TrunkContext {
  readonly trunkDefaults: TrunkDefaults;
  /** Whether servers can be reached by TLS. */
  readonly canSpeakTls: boolean;
  readonly secrets: Secrets;
  readonly findings: Findings;
}

/** Builds the file's trunks, with `trunk_defaults` where a trunk says nothing. */
export function buildTrunks(items: readonly Item<TrunkItem>[], context: TrunkContext): Trunk[] {
  const { trunkDefaults: defaults, secrets, findings } = context;
  warnOfMd5(items, defaults, findings);
  return items.map(({ path, value }) => {
    if (value.outbound_proxy?.transport === 'tls') checkTls([...path, 'outbound_proxy', 'transport'], context);
    value.servers.forEach((server, index) => {
      if (server.transport === 'tls') checkTls([...path, 'servers', index, 'transport'], context);
    });
    const how = behaviour(path, value, defaults, secrets);
    const trunk: Trunk = {
      name: value.name,
      servers: value.servers.map(fileServer),
      acceptFrom: value.accept_from ?? [],
      // Who has us registered sends us calls: that is what it is for.
      acceptFromServers: how.register,
      ...how,
    };
    checkSrtp(path, trunk, findings);
    checkRegister(path, trunk, findings);
    checkFrom(path, trunk, findings);
    return trunk;
  });
}

/** The trunk of a number that is served by `settings.calling.sip.servers` alone. */
export function settingsTrunk(
  numberName: string,
  servers: readonly Item<SettingsServerItem>[],
  context: TrunkContext,
): Trunk {
  for (const { path, value } of servers) {
    if ((value.port ?? SIPS_PORT) === SIPS_PORT) checkTls([...path, 'port'], context);
  }
  const trunk: Trunk = {
    name: `settings:${numberName}`,
    servers: servers.map(({ value }, index) => ({
      hostname: value.hostname,
      port: value.port ?? SIPS_PORT,
      transport: (value.port ?? SIPS_PORT) === SIPS_PORT ? 'tls' : 'udp',
      priority: index + 1,
      weight: 1,
      requestUriUserParams: value.request_uri_user_params ?? {},
    })),
    acceptFrom: [],
    acceptFromServers: true,
    ...behaviour(['trunk_defaults'], {}, context.trunkDefaults, context.secrets),
  };
  checkFrom(['trunk_defaults'], trunk, context.findings);
  return trunk;
}

/** Our TLS leaves from a TLS listener: its address is where the server finds us in the middle of a call. */
function checkTls(path: KeyPath, { canSpeakTls, findings }: TrunkContext): void {
  if (canSpeakTls) return;
  const message = 'is TLS, and sip.listen has no tls:// socket';
  findings.error(path, {
    message,
    cure: 'add tls://0.0.0.0:5061 to sip.listen, and sip.tls, or use another port for UDP',
  });
}

/** The keys of SRTP travel in the signalling (RFC 4568 §8.3: only where that is protected). */
function checkSrtp(path: KeyPath, trunk: Trunk, findings: Findings): void {
  const { srtp, srtpWithoutTls, servers, outboundProxy } = trunk;
  const hops = outboundProxy ? [outboundProxy] : servers;
  const isClear = hops.some(({ transport }) => transport !== 'tls');
  if (srtp === 'off' || srtpWithoutTls || !isClear) return;
  const place = [...path, 'srtp'];
  const cure = 'write transport: tls, or srtp_without_tls: true if the network is private';
  if (srtp === 'required') {
    findings.error(place, { message: 'needs TLS, or its keys could be read on the way', cure });
  } else if (hops.every(({ transport }) => transport !== 'tls')) {
    findings.warn(place, { message: 'has no effect without TLS: keys are not sent in the clear', cure });
  }
}

function checkRegister(path: KeyPath, { register, auth }: Trunk, findings: Findings): void {
  if (!register || auth) return;
  const message = 'needs auth: its username is what is registered';
  findings.error([...path, 'register'], { message, cure: 'add auth: { username, password }' });
}

function checkFrom(path: KeyPath, { from, auth }: Trunk, findings: Findings): void {
  if (from !== 'account' || auth) return;
  const message = 'is account, which needs auth: its username is who calls';
  findings.error([...path, 'from'], { message, cure: 'add auth: { username, password }, or write from: caller' });
}

function fileServer(server: ServerItem): SipServer {
  return {
    ...siteOf(server),
    priority: server.priority ?? 1,
    weight: server.weight ?? 1,
    requestUriUserParams: server.request_uri_user_params ?? {},
  };
}

function outboundProxy(written: TrunkDefaults['outbound_proxy']): OutboundProxy | undefined {
  return written && siteOf(written);
}

/** What is not written is DNS's to say, where there is a name to ask it for (RFC 3263 §4.1). */
function siteOf({ hostname, port, transport }: WrittenSite): OutboundProxy {
  const chosen = transport ?? 'udp';
  const site = { hostname, port: port ?? defaultSipPort(chosen), transport: chosen };
  if (port !== undefined || isIP(hostname) !== 0 || isLocal(hostname)) return site;
  return { ...site, lookup: transport ? 'srv' : 'naptr' };
}

/** What will really happen: keys that are not built yet have been warned of and hold their default here. */
function behaviour(path: KeyPath, own: TrunkDefaults, defaults: TrunkDefaults, secrets: Secrets): Behaviour {
  const source = { path, own, defaults, secrets };
  const said = { ...defaults, ...own };
  return {
    codecs: [...new Set<PbxCodec>(said.codecs ?? ['PCMA', 'PCMU'])],
    auth: buildAuth(source),
    from: said.from,
    acceptAuth: buildAcceptAuth(source),
    register: said.register ?? false,
    registerExpiresMs: parseDuration(said.register_expires),
    outboundProxy: outboundProxy(said.outbound_proxy),
    trustIdentity: said.trust_identity,
    dtmf: said.dtmf ?? 'rfc4733',
    srtp: said.srtp ?? 'off',
    srtpSuites: said.srtp_suites,
    srtpWithoutTls: said.srtp_without_tls,
    mediaNetworks: said.media_networks,
    symmetricRtp: said.symmetric_rtp,
    permission: said.permission ?? 'none',
    maxCalls: said.max_calls ?? DEFAULT_MAX_CALLS,
    maxCallsPerSecond: unlessNone(said.max_calls_per_second),
    maxCallsPerDay: unlessNone(said.max_calls_per_day),
    qualifyMs: unlessNone(parseDuration(said.qualify ?? DEFAULT_QUALIFY)),
    destinations: said.destinations,
  };
}

/** None is written as 0. */
const unlessNone = (written: number | undefined): number | undefined => (written === 0 ? undefined : written);
