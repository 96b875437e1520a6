import { isIP } from 'node:net';
import { BridgeError } from '../../lib/bridge-error.js';
import type { Clock } from '../../lib/clock.js';
import type { DnsClient } from '../../lib/dns-client.js';
import { bareHost, uriHost } from '../sip/uri.js';
import type { Arrivals } from './arrivals.js';
import type { ContactedHosts } from './contacted-hosts.js';
import { deadFlow } from './dead-flow.js';
import type { Address, Flow, Protocol } from './flow.js';
import { isOwnAddress, isWildcard, LocalAddresses } from './local-address.js';
import type { NextHop } from './resolver.js';
import { defaultPort, systemResolver } from './resolver.js';
import type { TcpEnvironment } from './tcp.js';
import { TcpTransport } from './tcp.js';
import { TlsCredentials } from './tls-credentials.js';
import { TlsIdentities } from './tls-identity.js';
import { TlsLayer } from './tls-layer.js';
import type { TlsSettings } from './tls-settings.js';
import { UdpTransport } from './udp.js';

export interface ListenAddress extends Address {
  readonly transport: Protocol;
}

/** What listeners need; `tls` only those of TLS. */
export interface TransportEnvironment extends TcpEnvironment {
  readonly tls?: TlsSettings | undefined;
  /** Default: the system's. */
  readonly dns?: DnsClient | undefined;
  /** Lets datagrams through; default: each at once. */
  readonly arrivals?: Arrivals | undefined;
  /** Learns where requests are sent. */
  readonly contacted: ContactedHosts;
}

type Transport = UdpTransport | TcpTransport;
type Bind = (entry: ListenAddress, port: number) => Promise<Transport>;
const SHARED_PORT_ATTEMPTS = 20;
/** Longest look-up of servers' names at the start. */
const LEARN_MS = 1_000;

/** All listeners of one server. */
export class Transports {
  readonly #localAddresses: LocalAddresses;

  private constructor(
    private readonly list: readonly Transport[],
    private readonly advertisedHost: string | undefined,
    private readonly credentials: TlsCredentials | undefined,
    private readonly contacted: ContactedHosts,
    clock: Clock,
  ) {
    this.#localAddresses = new LocalAddresses(clock);
  }

  /** @throws BridgeError when a listener cannot be bound, or TLS has no usable certificate. */
  static async bind(
    listen: readonly ListenAddress[],
    advertisedHost: string | undefined,
    env: TransportEnvironment,
  ): Promise<Transports> {
    if (listen.length === 0) throw new BridgeError('SIP2WA_SIP_SERVER_LISTEN', 'no SIP listener is configured');
    const credentials = credentialsFor(listen, env);
    const bind = binder(env, credentials && (await tlsLayers(env, credentials)));
    for (let attempt = 1; ; attempt++) {
      const bound: Transport[] = [];
      try {
        for (const entry of inBindOrder(listen)) bound.push(await bind(entry, portOf(entry, bound)));
        return new Transports(bound, advertisedHost, credentials, env.contacted, env.clock);
      } catch (cause) {
        await Promise.all(bound.map((transport) => transport.stop()));
        const chosenByUs = listen.some((entry) => entry.port === 0);
        if (chosenByUs && attempt < SHARED_PORT_ATTEMPTS) continue;
        credentials?.close();
        throw new BridgeError('SIP2WA_SIP_SERVER_LISTEN', `cannot listen for SIP: ${String(cause)}`, { cause });
      }
    }
  }

  get sockets(): { transport: string; host: string; port: number }[] {
    return this.list.map((transport) => ({ transport: transport.protocol, ...transport.local }));
  }

  /** `proto/host:port,…` of all listeners. */
  hostPorts(): { advertised: string; local: string } {
    const join = (host: (transport: Transport) => string): string =>
      this.list.map((it) => `${it.protocol}/${uriHost(host(it))}:${it.local.port}`).join(',');
    return {
      advertised: join((it) => this.#advertised(it.local.host) ?? it.local.host),
      local: join((it) => it.local.host),
    };
  }

  /** The way to the next hop. Opened lazily; failures come through the flow. Undefined without such a listener. */
  async connect(hop: NextHop): Promise<Flow | undefined> {
    this.contacted.note(hop.host);
    return this.#for(hop.protocol, hop.host)?.connect(hop);
  }

  /**
   * A peer asks on this flow, which it opened, that requests to the address in its Via come over it (RFC 5923). It is done
   * only if the peer's certificate proves that address to be its own.
   */
  alias(flow: Flow, sentBy: { readonly host: string; readonly port: number | undefined }): void {
    if (flow.protocol !== 'tls') return;
    const name = bareHost(sentBy.host).toLowerCase();
    const peer = { host: flow.remote.host, port: sentBy.port ?? defaultPort('tls'), name };
    for (const transport of this.list) if (transport.protocol === 'tls') transport.alias(flow, peer);
  }

  /** The way back to where a message came from: for datagrams the listener's own, else a connection that may be gone. */
  backTo(hop: NextHop): Flow {
    // The process before this one had to do with it: what it answers is for us.
    this.contacted.note(hop.host);
    const transport = this.#for(hop.protocol, hop.host);
    if (transport?.protocol === 'udp') return transport.flowTo({ host: hop.host, port: hop.port });
    return deadFlow(hop.protocol, transport?.local ?? { host: '127.0.0.1', port: 0 }, {
      host: hop.host,
      port: hop.port,
    });
  }

  /** Is there a listener of this protocol, and of the peer's family if one is named? */
  serves(protocol: Protocol, peerHost?: string): boolean {
    if (peerHost !== undefined) return this.#for(protocol, peerHost) !== undefined;
    return this.list.some((transport) => transport.protocol === protocol);
  }

  /** Address of the first listener of this protocol. */
  localOf(protocol: Protocol): Address {
    const transport = this.list.find((it) => it.protocol === protocol);
    if (!transport) throw new BridgeError('SIP2WA_SIP_SERVER_LISTEN', `no ${protocol} listener`);
    return { host: this.#advertised(transport.local.host) ?? transport.local.host, port: transport.local.port };
  }

  /** What Via and Contact show on this flow, when it is known without asking the kernel. */
  shownAtOnce(flow: Pick<Flow, 'local'>): Address | undefined {
    const { host, port } = flow.local;
    const advertised = this.#advertised(host);
    if (advertised !== undefined) return { host: advertised, port };
    return isWildcard(flow.local.host) ? undefined : flow.local;
  }

  /** The same, and what the kernel said last time; for traces. */
  shownSoFar(flow: Pick<Flow, 'local' | 'remote'>): Address | undefined {
    const known = this.shownAtOnce(flow);
    if (known) return known;
    const host = this.#localAddresses.latest(flow.remote.host);
    return host === undefined ? undefined : { host, port: flow.local.port };
  }

  /** What Via and Contact show on this flow. */
  async shownAddress(flow: Pick<Flow, 'local' | 'remote'>): Promise<Address> {
    const { port } = flow.local;
    const known = this.shownAtOnce(flow);
    if (known) return known;
    return { host: await this.#localAddresses.towards(flow.remote.host), port };
  }

  /** Would a request to this address come back to us? */
  isSelf(hop: NextHop): boolean {
    return this.list.some((transport) => {
      if (transport.protocol !== hop.protocol || transport.local.port !== hop.port) return false;
      if (transport.local.host === hop.host || this.advertisedHost === hop.host) return true;
      return isWildcard(transport.local.host) && isOwnAddress(hop.host);
    });
  }

  async stop(): Promise<void> {
    this.credentials?.close();
    await Promise.all(this.list.map((transport) => transport.stop()));
  }

  /** An advertised address of the other family is none of ours to a peer of this one. */
  #advertised(localHost: string): string | undefined {
    const [advertised, local] = [isIP(this.advertisedHost ?? ''), isIP(localHost)];
    return advertised === 0 || local === 0 || advertised === local ? this.advertisedHost : undefined;
  }

  #for(protocol: Protocol, peerHost: string): Transport | undefined {
    const family = isIP(peerHost);
    const fits = this.list.filter((it) => it.protocol === protocol);
    // A listener whose address is a name is taken for what fits.
    return fits.find((it) => isIP(it.local.host) === family) ?? fits.find((it) => isIP(it.local.host) === 0);
  }
}

function credentialsFor(listen: readonly ListenAddress[], env: TransportEnvironment): TlsCredentials | undefined {
  if (!listen.some((entry) => entry.transport === 'tls')) return undefined;
  if (env.tls) return TlsCredentials.open(env.tls, env.clock, env.logger);
  throw new BridgeError('SIP2WA_SIP_SERVER_TLS', 'a TLS listener needs a certificate and its key');
}

/** Makes the layer of each TLS listener; what is known of servers is known to all. */
async function tlsLayers({ tls, ...env }: TransportEnvironment, credentials: TlsCredentials): Promise<() => TlsLayer> {
  const { servers = [], clientCertificates = 'none' } = tls ?? {};
  const identities = new TlsIdentities(servers);
  await identities.learn(systemResolver({ clock: env.clock, deadlineMs: LEARN_MS, dns: env.dns }));
  return () => new TlsLayer({ clientCertificates }, credentials, identities, env);
}

function binder(env: TransportEnvironment, layerOfTls: (() => TlsLayer) | undefined): Bind {
  return ({ transport, host }, port) => {
    if (transport === 'udp') return UdpTransport.bind({ host, port }, env.sink, env.arrivals);
    return TcpTransport.bind({ host, port }, env, transport === 'tls' ? layerOfTls?.() : undefined);
  };
}

/** TCP first: its exclusive bind keeps a second server off the port, which UDP address reuse would not. */
const inBindOrder = (listen: readonly ListenAddress[]): ListenAddress[] =>
  [...listen].sort((a, b) => Number(a.transport === 'udp') - Number(b.transport === 'udp'));

/** Listeners for UDP and TCP on one host that may choose their port share it. */
function portOf(entry: ListenAddress, bound: readonly Transport[]): number {
  if (entry.port !== 0 || entry.transport === 'tls') return entry.port;
  const isSibling = (it: Transport): boolean => it.protocol !== entry.transport && it.protocol !== 'tls';
  return bound.find((it) => it.local.host === entry.host && isSibling(it))?.local.port ?? 0;
}
