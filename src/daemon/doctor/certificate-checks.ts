import { readFileSync } from 'node:fs';
import type { Config, TlsServer } from '../../config/config.js';
import { CertificateFault, checkKeyPair } from '../../lib/certificates.js';
import { DeadlineError, withDeadline } from '../../lib/deadline.js';
import { askCertificate, type CertificateFacts, type OwnPair } from './certificate-probe.js';
import { failed, faultText, ok, skipped, warning, type Check, type Finding } from './check.js';
import type { DoctorScope } from './doctor-scope.js';

const dayMs = 86_400_000;
/** A certificate that ends sooner is told of. */
const soonDays = 14;

/** Of a server whose port Meta is not told. */
const metasPort = 5061;

/** Our own certificate, and those of the servers that Meta is told to connect to. */
export function certificateChecks(scope: DoctorScope): Check[] {
  const { sip, trunks } = scope.config;
  const dialled = new Set(trunks.flatMap(({ servers }) => servers.map(({ hostname, port }) => `${hostname}:${port}`)));
  const named = scope.numbers
    .flatMap(({ settings }) => settings?.sip?.servers ?? [])
    .map(({ hostname, port = metasPort }) => ({ hostname, port }));
  const sites = new Map(named.map(({ hostname, port }) => [`${hostname}:${port}`, { hostname, port }]));
  const own = sip.server === 'embedded' && sip.tls ? [{ name: 'own certificate', run: () => ownCheck(scope) }] : [];
  // Meta's SIP is TLS; a server on 5060 is that of a PBX in the private network.
  const others = [...sites].filter(([place, { port }]) => !dialled.has(place) && port !== 5060);
  return [
    ...own,
    ...others.map(([place, site]) => ({ name: `certificate ${place}`, run: () => namedServer(scope, site) })),
  ];
}

async function namedServer(scope: DoctorScope, site: { hostname: string; port: number }): Promise<Finding> {
  const { dns, clock, askMs } = scope;
  try {
    const [address] = await withDeadline(dns.addresses(site.hostname), askMs / 2, 'DNS', clock);
    if (address === undefined) return skipped('its name is not found');
    // What our file trusts is nothing to Meta.
    const asked = { ...tlsByName(site.hostname, site.port), serverName: site.hostname };
    const found = await certificateOf(scope, { ...site, address }, asked);
    return found.state === 'failed' && isOfNoAuthority(found) ? { ...found, cure: publicAuthority } : found;
  } catch (error) {
    return failed(`${site.hostname} cannot be found: ${faultText(error)}`, 'correct the name in the file, or mend DNS');
  }
}

export interface CertifiedServer {
  readonly hostname: string;
  readonly address: string;
  readonly port: number;
}

/** Whether a server's certificate proves its name, its chain leads to an authority, and it does not end soon. */
export function certificateCheck(scope: DoctorScope, server: CertifiedServer): Promise<Finding> {
  return certificateOf(scope, server, tlsServerOf(scope, server.hostname, server.port));
}

async function certificateOf(
  scope: DoctorScope,
  { address, port }: CertifiedServer,
  { serverName, caFile, alpn, verify }: NamedTlsServer,
): Promise<Finding> {
  try {
    const question = { address, port, serverName, caFile, alpn, own: ownPair(scope.config) };
    const facts = await askCertificate(question, scope.askMs / 2, scope.clock);
    const found = judged(facts, serverName, scope.clock.now());
    if (found.state !== 'failed' || verify) return found;
    return warning(`${found.detail} (taken all the same: tls.verify is false)`, found.cure ?? '');
  } catch (error) {
    const why = error instanceof DeadlineError ? 'no answer to the TLS handshake' : faultText(error);
    return failed(`${address}:${port}: ${why}`, 'see that the server speaks TLS on that port, and TLS 1.2 at least');
  }
}

function judged(
  { chainFault, nameFault, notAfterMs, protocol }: CertificateFacts,
  name: string,
  nowMs: number,
): Finding {
  const days = Math.floor((notAfterMs - nowMs) / dayMs);
  if (days < 0) return failed(`it has expired on ${dateOf(notAfterMs)}`, 'renew it at the server');
  if (nameFault !== undefined) {
    return failed(
      `it does not prove ${name}: ${nameFault}`,
      'give the server a certificate of its name, or correct the name',
    );
  }
  if (chainFault !== undefined) {
    const cure = 'let the server send its whole chain; for an authority of your own set tls.ca';
    return failed(`${noAuthority}: ${chainFault}`, cure);
  }
  const detail = `proves ${name}, ${protocol}, expires in ${days} ${days === 1 ? 'day' : 'days'}`;
  return days < soonDays ? warning(detail, 'renew it at the server') : ok(detail);
}

const noAuthority = 'its chain leads to no authority';
const publicAuthority =
  'Meta takes public authorities alone: get one’s certificate, and let the server send its whole chain';
const isOfNoAuthority = ({ detail }: Finding): boolean => detail.startsWith(noAuthority);

const dateOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

type NamedTlsServer = TlsServer & { readonly serverName: string };

const tlsByName = (host: string, port: number): TlsServer => ({
  ...{ host, port, caFile: undefined, verify: true, serverName: undefined, alpn: [] },
});

/** How a server is reached by TLS: as the configuration says, else by its name and the public authorities. */
export function tlsServerOf({ config }: DoctorScope, host: string, port: number): NamedTlsServer {
  const found = config.sip.tls?.servers.find(
    (one) => one.host.toLowerCase() === host.toLowerCase() && (one.port ?? port) === port,
  );
  const server = found ?? tlsByName(host, port);
  return { ...server, serverName: server.serverName ?? host };
}

/** Our certificate and key; undefined when there is none or it cannot be read, which another check tells. */
export function ownPair({ sip }: Config): OwnPair | undefined {
  if (!sip.tls) return undefined;
  try {
    return { cert: readFileSync(sip.tls.certFile), key: readFileSync(sip.tls.keyFile) };
  } catch {
    return undefined;
  }
}

function ownCheck({ config, clock }: DoctorScope): Finding {
  const { certFile = '', keyFile = '' } = config.sip.tls ?? {};
  try {
    const { notAfter } = checkKeyPair(readFileSync(certFile, 'utf8'), readFileSync(keyFile, 'utf8'));
    const days = Math.floor((notAfter.getTime() - clock.now()) / dayMs);
    const cure = 'renew it; the files are taken without a restart';
    if (days < 0) return failed(`${certFile} has expired on ${dateOf(notAfter.getTime())}`, cure);
    const detail = `${certFile} expires in ${days} ${days === 1 ? 'day' : 'days'}`;
    return days < soonDays ? warning(detail, cure) : ok(detail);
  } catch (error) {
    const why = error instanceof CertificateFault ? `${error.of} ${error.message}` : faultText(error);
    return failed(`it cannot be used: ${why}`, 'put a certificate with its chain, and its key, where sip.tls says');
  }
}
