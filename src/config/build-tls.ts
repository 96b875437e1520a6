import { isIP } from 'node:net';
import type { Trunk } from '../routing/types.js';
import { CertificateFault, checkAuthorities, checkKeyPair } from '../lib/certificates.js';
import type { Config } from './config.js';
import { parseSipListen } from './formats.js';
import type { Findings, KeyPath } from './issue.js';
import type { Lists } from './lists.js';
import type { ServerItem, SipTlsItem, TrunkTlsItem } from './list-schemas.js';
import type { Scalars } from './scalars.js';
import type { Secrets } from './secrets.js';

type SipTls = NonNullable<Config['sip']['tls']>;

/** `sip.tls` and the TLS keys of trunks, with the files' names made absolute. */
export function buildSipTls(lists: Lists, trunks: readonly Trunk[], secrets: Secrets): SipTls | undefined {
  const { sipTls: tls } = lists;
  if (!tls) return undefined;
  const pathOf = (name: string | undefined): string | undefined => name && secrets.pathOf(name);
  const servers = trunks.flatMap((trunk) => {
    const block = blockOf(trunk.name, lists);
    if (!block) return [];
    const { verify = true, server_name: serverName, alpn = [] } = block;
    const settings = { caFile: pathOf(block.ca), verify, serverName, alpn };
    return tlsSites(trunk).map(({ hostname: host, port }) => ({ host, port, ...settings }));
  });
  return {
    certFile: secrets.pathOf(tls.cert),
    keyFile: secrets.pathOf(tls.key),
    caFile: pathOf(tls.ca),
    clientCertificates: tls.client_certificates ?? 'none',
    servers,
  };
}

/** What of a trunk is, or may turn out to be, reached by TLS; without a port where DNS names it. */
const tlsSites = ({ servers, outboundProxy }: Trunk) =>
  [...servers, ...(outboundProxy ? [outboundProxy] : [])]
    .filter(({ transport, lookup }) => transport === 'tls' || lookup === 'naptr')
    .map(({ hostname, port, lookup }) => ({ hostname, port: lookup ? undefined : port }));

/** The `tls` of a trunk, or of `trunk_defaults`. */
const blockOf = (trunk: string, { trunks, trunkDefaults }: Lists): TrunkTlsItem | undefined =>
  trunks.find(({ value }) => value.name === trunk)?.value.tls ?? trunkDefaults.tls;

/** Whether trunks can be reached by TLS: with a drachtio-server that is its own affair. */
export function canSpeakTls(scalars: Scalars, lists: Lists): boolean {
  return scalars['sip.server'] === 'drachtio' || listensTo('tls', lists);
}

const listensTo = (transport: string, { sipListen }: Lists): boolean =>
  sipListen.some((text) => parseSipListen(text)?.transport === transport);

/** Rules for the TLS keys of the embedded server, and what their files say; `now` decides what has expired. */
export function checkTls(
  lists: Lists,
  allTrunks: readonly Trunk[],
  secrets: Secrets,
  findings: Findings,
  now = Date.now(),
): void {
  const { sipTls, trunkDefaults, trunks } = lists;
  lists.sipListen.forEach((text, index) => {
    if (parseSipListen(text)?.transport !== 'tls' || sipTls) return;
    const cure = 'add sip.tls with cert and key';
    findings.error(['sip', 'listen', index], { message: 'is TLS, which needs a certificate', cure });
  });
  if (sipTls) checkSipTls(sipTls, lists, { secrets, findings, now });
  const blocks = [
    { path: ['trunk_defaults', 'tls'], tls: trunkDefaults.tls },
    ...trunks.map(({ path, value }) => ({ path: [...path, 'tls'], tls: value.tls })),
  ];
  for (const { path, tls } of blocks) if (tls) checkTrunkTls(path, tls, { secrets, findings, now });
  checkOneWay(lists, allTrunks, findings);
  for (const { path, value } of trunks) {
    if (!value.tls || [...value.servers, value.outbound_proxy].some(mayBeTls)) continue;
    const message = 'is not used: no server of the trunk has transport: tls';
    findings.warn([...path, 'tls'], { message, cure: 'remove it, or write transport: tls' }, 'key');
  }
}

/** A server whose transport DNS may say can turn out to be reached by TLS. */
const mayBeTls = (site: Pick<ServerItem, 'hostname' | 'port' | 'transport'> | undefined): boolean =>
  site?.transport === 'tls' || (site !== undefined && !site.transport && !site.port && isIP(site.hostname) === 0);

interface Reached {
  readonly by: string;
  /** Undefined: any. */
  readonly port: number | undefined;
  readonly tls: string;
}

/** One server is reached in one way: which trunk a call is of does not show in its address. */
function checkOneWay(lists: Lists, trunks: readonly Trunk[], findings: Findings): void {
  const seen = new Map<string, Reached[]>();
  for (const trunk of trunks) {
    const tls = JSON.stringify(blockOf(trunk.name, lists) ?? {});
    const path = lists.trunks.find(({ value }) => value.name === trunk.name)?.path ?? ['trunk_defaults'];
    for (const { hostname, port } of tlsSites(trunk)) {
      const others = seen.get(hostname.toLowerCase()) ?? [];
      const other = others.find((it) => it.tls !== tls && (it.port ?? port) === (port ?? it.port));
      seen.set(hostname.toLowerCase(), [...others, { by: trunk.name, port, tls }]);
      if (!other) continue;
      const message = `is not the same as that of trunk ${other.by}, which has the same server`;
      findings.error([...path, 'tls'], { message, cure: 'write the same in both' }, 'key');
    }
  }
}

interface Ground {
  readonly secrets: Secrets;
  readonly findings: Findings;
  readonly now: number;
}

function checkSipTls(tls: SipTlsItem, lists: Lists, { secrets, findings, now }: Ground): void {
  const path = ['sip', 'tls'];
  if (!listensTo('tls', lists)) {
    const message = 'is not used: sip.listen has no tls:// socket';
    findings.warn(path, { message, cure: 'add tls://0.0.0.0:5061 to sip.listen, or remove it' }, 'key');
  }
  const cert = secrets.namedFile([...path, 'cert'], tls.cert, false);
  const key = secrets.namedFile([...path, 'key'], tls.key, true);
  if (cert !== undefined && key !== undefined) {
    const pair = attempt(path, findings, () => checkKeyPair(cert, key));
    if (pair && pair.notAfter.getTime() < now) {
      const message = `has expired on ${pair.notAfter.toISOString().slice(0, 10)}`;
      findings.warn([...path, 'cert'], {
        message,
        cure: 'put a valid certificate there; it is taken without a restart',
      });
    }
  }
  if (tls.ca !== undefined) checkCa(path, tls.ca, secrets, findings);
  else if (tls.client_certificates === 'require') {
    const message = 'takes the certificates of every public authority, as there is no sip.tls.ca';
    findings.warn([...path, 'client_certificates'], { message, cure: 'name your own authority in sip.tls.ca' });
  }
}

function checkTrunkTls(path: KeyPath, tls: TrunkTlsItem, { secrets, findings }: Ground): void {
  if (tls.ca !== undefined) checkCa(path, tls.ca, secrets, findings);
  if (tls.verify !== false) return;
  const message = 'lets whoever stands between us and the server read and change its calls';
  findings.warn([...path, 'verify'], { message, cure: "write verify: true, and the server's authority as ca" });
}

function checkCa(path: KeyPath, name: string, secrets: Secrets, findings: Findings): void {
  const ca = secrets.namedFile([...path, 'ca'], name, false);
  if (ca !== undefined) attempt(path, findings, () => checkAuthorities(ca));
}

function attempt<T>(path: KeyPath, findings: Findings, check: () => T): T | undefined {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof CertificateFault)) throw error;
    findings.error([...path, error.of], { message: error.message, cure: 'check the file it names' });
    return undefined;
  }
}
