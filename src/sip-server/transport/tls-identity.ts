import { isIP } from 'node:net';
import type { PeerCertificate } from 'node:tls';
import { checkServerIdentity } from 'node:tls';
import { bareHost } from '../sip/uri.js';
import type { PeerAddress } from './flow.js';
import type { Resolver } from './resolver.js';
import type { TlsServer } from './tls-settings.js';

const MAX_REMEMBERED = 1000;

/** Who must be at the other end, and how that is found out. */
export interface TlsIdentity extends Pick<TlsServer, 'caFile' | 'verify' | 'alpn'> {
  readonly serverName: string;
}

/**
 * Who a peer must prove to be (RFC 5922): what the configuration says of the server its URI names, else the URI's host. A
 * Contact often has an address where the server was dialled by name; then it is the server that was dialled there.
 */
export class TlsIdentities {
  readonly #servers: ReadonlyMap<string, TlsIdentity>;
  readonly #configured: ReadonlySet<TlsIdentity>;
  /** By address. What the configuration says of one stays, whatever else is said to be there. */
  readonly #dialled = new Map<string, TlsIdentity>();

  constructor(private readonly servers: readonly TlsServer[]) {
    this.#servers = new Map(servers.map((server) => [keyOf(server.host, server.port), identityOf(server)]));
    this.#configured = new Set(this.#servers.values());
  }

  of(peer: PeerAddress): TlsIdentity {
    const name = bareHost(peer.name ?? peer.host).toLowerCase();
    const server = this.#servers.get(keyOf(name, peer.port)) ?? this.#servers.get(keyOf(name, undefined));
    if (server) return server;
    return (isIP(name) === 0 ? undefined : this.#dialled.get(peer.host)) ?? byName(name);
  }

  /**
   * Looks the servers' names up, so that a Contact is known for what it is from the start on: a process before this one may
   * have left calls open whose peers are known by their Contact alone. Never rejects; a name that is not found is left out.
   */
  async learn(resolver: Pick<Resolver, 'resolve'>): Promise<void> {
    const learning = this.servers.map(async ({ host, port }) => {
      const identity = this.#servers.get(keyOf(host, port));
      const address = await resolver.resolve(host);
      if (identity && !this.#dialled.has(address)) this.#dialled.set(address, identity);
    });
    await Promise.allSettled(learning);
  }

  /** A connection to this peer is opened. */
  dialled(peer: PeerAddress, identity: TlsIdentity): void {
    const known = this.#dialled.get(peer.host);
    if (known && this.#configured.has(known) && !this.#configured.has(identity)) return;
    this.#dialled.delete(peer.host);
    this.#dialled.set(peer.host, identity);
    if (this.#dialled.size > MAX_REMEMBERED) this.#forgetOne();
  }

  /** The one that was dialled longest ago; a configured one only where there is no other. */
  #forgetOne(): void {
    const entries = [...this.#dialled];
    const [host] = entries.find(([, identity]) => !this.#configured.has(identity)) ?? entries[0] ?? [];
    if (host !== undefined) this.#dialled.delete(host);
  }
}

const keyOf = (host: string, port: number | undefined): string => `${host.toLowerCase()}|${port ?? ''}`;

const identityOf = ({ host, serverName, caFile, verify, alpn }: TlsServer): TlsIdentity => ({
  serverName: (serverName ?? host).toLowerCase(),
  caFile,
  verify,
  alpn,
});

const byName = (serverName: string): TlsIdentity => ({ serverName, caFile: undefined, verify: true, alpn: [] });

/**
 * Does the certificate prove the name? SIP URIs in it count (RFC 5922 §7.1) beside DNS names and addresses. Wildcards are
 * taken, against §7.2: the large carriers have such certificates.
 */
export function proves(name: string, certificate: PeerCertificate): Error | undefined {
  return sipDomains(certificate).includes(name) ? undefined : checkServerIdentity(name, certificate);
}

/** Hosts of `sip:` URIs without a user. A list with quotes in it has entries that try to look like others: none is taken. */
function sipDomains({ subjectaltname = '' }: PeerCertificate): string[] {
  if (subjectaltname.includes('"')) return [];
  return subjectaltname
    .split(', ')
    .flatMap((entry) => /^URI:sips?:([a-z0-9.-]+)$/i.exec(entry)?.[1]?.toLowerCase() ?? []);
}
