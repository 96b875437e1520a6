import { isIP } from 'node:net';
import { BridgeError } from '../../lib/bridge-error.js';
import type { Clock } from '../../lib/clock.js';
import { uriHost } from '../sip/uri.js';
import { deadFlow } from './dead-flow.js';
import type { Address, Flow, Protocol } from './flow.js';
import { isOwnAddress, isWildcard, LocalAddresses } from './local-address.js';
import type { NextHop } from './resolver.js';
import type { TcpEnvironment } from './tcp.js';
import { TcpTransport } from './tcp.js';
import { UdpTransport } from './udp.js';

export interface ListenAddress extends Address {
  readonly transport: 'udp' | 'tcp' | 'tls';
}

type Transport = UdpTransport | TcpTransport;
const SHARED_PORT_ATTEMPTS = 20;

/** All listeners of one server. */
export class Transports {
  readonly #localAddresses: LocalAddresses;

  private constructor(
    private readonly list: readonly Transport[],
    private readonly advertisedHost: string | undefined,
    clock: Clock,
  ) {
    this.#localAddresses = new LocalAddresses(clock);
  }

  /** @throws BridgeError when a listener cannot be bound, or asks for TLS. */
  static async bind(
    listen: readonly ListenAddress[],
    advertisedHost: string | undefined,
    env: TcpEnvironment,
  ): Promise<Transports> {
    if (listen.length === 0) throw new BridgeError('SIP2WA_SIP_SERVER_LISTEN', 'no SIP listener is configured');
    if (listen.some((entry) => entry.transport === 'tls')) {
      throw new BridgeError('SIP2WA_SIP_SERVER_TLS', 'the embedded SIP server has no TLS listener yet: use udp or tcp');
    }
    for (let attempt = 1; ; attempt++) {
      const bound: Transport[] = [];
      try {
        for (const entry of inBindOrder(listen)) bound.push(await bindOne(entry, bound, env));
        return new Transports(bound, advertisedHost, env.clock);
      } catch (cause) {
        await Promise.all(bound.map((transport) => transport.stop()));
        const chosenByUs = listen.some((entry) => entry.port === 0);
        if (chosenByUs && attempt < SHARED_PORT_ATTEMPTS) continue;
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
    return { advertised: join((it) => this.advertisedHost ?? it.local.host), local: join((it) => it.local.host) };
  }

  /** The way to the next hop. Opened lazily; failures come through the flow. Undefined without such a listener. */
  async connect(hop: NextHop): Promise<Flow | undefined> {
    return this.#for(hop.protocol, hop.host)?.connect({ host: hop.host, port: hop.port });
  }

  /** The way back to where a message came from: for datagrams the listener's own, else a connection that may be gone. */
  backTo(hop: NextHop): Flow {
    const transport = this.#for(hop.protocol, hop.host);
    if (transport?.protocol === 'udp') return transport.flowTo({ host: hop.host, port: hop.port });
    return deadFlow(hop.protocol, transport?.local ?? { host: '127.0.0.1', port: 0 }, {
      host: hop.host,
      port: hop.port,
    });
  }

  serves(protocol: Protocol): boolean {
    return this.list.some((transport) => transport.protocol === protocol);
  }

  /** Address of the first listener of this protocol. */
  localOf(protocol: Protocol): Address {
    const transport = this.list.find((it) => it.protocol === protocol);
    if (!transport) throw new BridgeError('SIP2WA_SIP_SERVER_LISTEN', `no ${protocol} listener`);
    return { host: this.advertisedHost ?? transport.local.host, port: transport.local.port };
  }

  /** What Via and Contact show on this flow. */
  async shownAddress(flow: Pick<Flow, 'local' | 'remote'>): Promise<Address> {
    const { port } = flow.local;
    if (this.advertisedHost !== undefined) return { host: this.advertisedHost, port };
    if (!isWildcard(flow.local.host)) return flow.local;
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
    await Promise.all(this.list.map((transport) => transport.stop()));
  }

  #for(protocol: Protocol, peerHost: string): Transport | undefined {
    const family = isIP(peerHost);
    const fits = this.list.filter((it) => it.protocol === protocol);
    return fits.find((it) => isIP(it.local.host) === family) ?? fits[0];
  }
}

/** TCP first: its exclusive bind keeps a second server off the port, which UDP address reuse would not. */
const inBindOrder = (listen: readonly ListenAddress[]): ListenAddress[] =>
  [...listen].sort((a, b) => Number(a.transport === 'udp') - Number(b.transport === 'udp'));

/** Listeners of one host that may choose their port share it. */
function bindOne(entry: ListenAddress, bound: readonly Transport[], env: TcpEnvironment): Promise<Transport> {
  const sibling = bound.find((it) => it.local.host === entry.host && it.protocol !== entry.transport);
  const port = entry.port === 0 ? (sibling?.local.port ?? 0) : entry.port;
  const address = { host: entry.host, port };
  return entry.transport === 'udp' ? UdpTransport.bind(address, env.sink) : TcpTransport.bind(address, env);
}
