import type { RemoteInfo, Socket, SocketOptions } from 'node:dgram';
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns';
import { isIP, isIPv6 } from 'node:net';
import type { DatagramListener } from '../../lib/datagram-batches.js';
import type { Arrivals } from './arrivals.js';
import type { Address, Flow, TransportSink } from './flow.js';
import { WatchedPeer } from './udp-watched-peer.js';

const MIN_DATAGRAM_BYTES = 5;
/** Room for a burst while the event loop is busy; the kernel may grant less. */
const RECEIVE_BUFFER_BYTES = 1024 * 1024;

/** Datagrams go to addresses: the look-up that Node makes all the same, for each of them, is spared. */
const literalLookup: NonNullable<SocketOptions['lookup']> = (host, options, callback) => {
  const family = isIP(host);
  if (family === 0) lookup(host, options, callback);
  else callback(null, host, family);
};

/** Binds a datagram socket, one of IPv6 to that alone (decision 0236); rejects when the address is taken. */
export function bindUdp(address: Address, reuseAddr: boolean): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const isV6 = isIPv6(address.host);
    const family = isV6 ? ({ type: 'udp6', ipv6Only: true } as const) : ({ type: 'udp4' } as const);
    const socket = createSocket({ ...family, reuseAddr, recvBufferSize: RECEIVE_BUFFER_BYTES, lookup: literalLookup });
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ address: address.host, port: address.port }, () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}

/** A peer that datagrams go to. Ended transactions keep theirs for 64·T1, so that it is a small thing. */
class UdpFlow implements Flow {
  constructor(
    private readonly transport: UdpTransport,
    readonly remote: Address,
  ) {}

  get protocol(): 'udp' {
    return 'udp';
  }

  get reliable(): boolean {
    return false;
  }

  get local(): Address {
    return this.transport.local;
  }

  get open(): boolean {
    return true;
  }

  send(bytes: Buffer): void {
    this.transport.send(bytes, this);
  }

  onFailure(): () => void {
    return () => undefined;
  }

  release(): void {
    // Nothing was lent.
  }
}

/** The datagram listener. */
export class UdpTransport {
  readonly protocol = 'udp' as const;
  #isStopped = false;
  readonly #watched = new Map<string, WatchedPeer>();
  readonly #onSent = (error: Error | null): void => {
    if (error) this.sink.onError('udp send', error);
  };

  private constructor(
    private readonly socket: Socket,
    readonly local: Address,
    private readonly sink: TransportSink,
    private readonly arrivals: Arrivals | undefined,
  ) {
    socket.on('message', (bytes, from) => this.#arrived(bytes, from));
    socket.on('error', (error) => sink.onError('udp socket', error));
  }

  /**
   * Watching for ICMP errors needs a second socket on the same port, hence address reuse. That would also let a second
   * server take our port unseen, so the port is first bound without it.
   */
  static async bind(address: Address, sink: TransportSink, arrivals?: Arrivals): Promise<UdpTransport> {
    const probe = await bindUdp(address, false);
    const { port } = probe.address();
    await new Promise<void>((resolve) => probe.close(() => resolve()));
    const socket = await bindUdp({ host: address.host, port }, true);
    return new UdpTransport(socket, { host: address.host, port }, sink, arrivals);
  }

  /** The way back to where a datagram came from; also for requests nobody waits on. */
  flowTo(remote: Address): Flow {
    return new UdpFlow(this, remote);
  }

  /** Sends on the way that `flow` is. */
  send(bytes: Buffer, flow: Flow): void {
    try {
      this.sink.onSent(bytes, flow);
      this.socket.send(bytes, flow.remote.port, flow.remote.host, this.#onSent);
    } catch (error) {
      this.sink.onError('udp send', error);
    }
  }

  /** The way to a peer we expect an answer from: learns of ICMP "unreachable" at once. */
  async connect(remote: Address): Promise<Flow> {
    const key = `${remote.host}|${remote.port}`;
    const peer = this.#watched.get(key) ?? this.#watch(key, remote);
    const flow = peer.lend();
    await peer.ready;
    return flow;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const peer of this.#watched.values()) peer.close();
    this.#watched.clear();
    await new Promise<void>((resolve) => this.socket.close(() => resolve()));
  }

  #watch(key: string, remote: Address): WatchedPeer {
    const peer = new WatchedPeer(remote, this.local, {
      onMessage: (bytes, from) => this.#arrived(bytes, from),
      onIdle: () => this.#watched.delete(key),
      fallback: this.flowTo(remote),
      sink: this.sink,
    });
    this.#watched.set(key, peer);
    return peer;
  }

  /** Keep-alives (a few CRLF or zero bytes) are no messages, and to port 0, which only a forger writes, no answer goes. */
  readonly #receive: DatagramListener = (bytes, from) => {
    if (bytes.length < MIN_DATAGRAM_BYTES || from.port === 0 || this.#isStopped) return;
    try {
      this.sink.onMessage(bytes, this.flowTo({ host: from.address, port: from.port }));
    } catch (error) {
      this.sink.onError('udp message', error);
    }
  };

  #arrived(bytes: Buffer, from: RemoteInfo): void {
    if (this.arrivals) this.arrivals.arrived(this.#receive, bytes, from);
    else this.#receive(bytes, from);
  }
}
