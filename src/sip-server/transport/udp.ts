import type { RemoteInfo, Socket } from 'node:dgram';
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Address, Flow, TransportSink } from './flow.js';
import { WatchedPeer } from './udp-watched-peer.js';

const MIN_DATAGRAM_BYTES = 5;
/** Room for a burst while the event loop is busy; the kernel may grant less. */
const RECEIVE_BUFFER_BYTES = 1024 * 1024;

/** Binds a datagram socket; rejects when the address is taken. */
export function bindUdp(address: Address, reuseAddr: boolean): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const type = isIPv6(address.host) ? 'udp6' : 'udp4';
    const socket = createSocket({ type, reuseAddr, recvBufferSize: RECEIVE_BUFFER_BYTES });
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

/** The datagram listener. */
export class UdpTransport {
  readonly protocol = 'udp' as const;
  readonly #watched = new Map<string, WatchedPeer>();

  private constructor(
    private readonly socket: Socket,
    readonly local: Address,
    private readonly sink: TransportSink,
  ) {
    socket.on('message', (bytes, from) => this.#receive(bytes, from));
    socket.on('error', (error) => sink.onError('udp socket', error));
  }

  /**
   * Watching for ICMP errors needs a second socket on the same port, hence address reuse. That would also let a second
   * server take our port unseen, so the port is first bound without it.
   */
  static async bind(address: Address, sink: TransportSink): Promise<UdpTransport> {
    const probe = await bindUdp(address, false);
    const { port } = probe.address();
    await new Promise<void>((resolve) => probe.close(() => resolve()));
    const socket = await bindUdp({ host: address.host, port }, true);
    return new UdpTransport(socket, { host: address.host, port }, sink);
  }

  /** The way back to where a datagram came from; also for requests nobody waits on. */
  flowTo(remote: Address): Flow {
    const flow: Flow = {
      protocol: 'udp',
      reliable: false,
      remote,
      local: this.local,
      open: true,
      send: (bytes) => this.#send(bytes, remote, flow),
      onFailure: () => () => undefined,
      release: () => undefined,
    };
    return flow;
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
    for (const peer of this.#watched.values()) peer.close();
    this.#watched.clear();
    await new Promise<void>((resolve) => this.socket.close(() => resolve()));
  }

  #watch(key: string, remote: Address): WatchedPeer {
    const peer = new WatchedPeer(remote, this.local, {
      onMessage: (bytes, from) => this.#receive(bytes, from),
      onIdle: () => this.#watched.delete(key),
      fallback: this.flowTo(remote),
      sink: this.sink,
    });
    this.#watched.set(key, peer);
    return peer;
  }

  #send(bytes: Buffer, remote: Address, flow: Flow): void {
    try {
      this.sink.onSent(bytes, flow);
      this.socket.send(bytes, remote.port, remote.host, (error) => {
        if (error) this.sink.onError('udp send', error);
      });
    } catch (error) {
      this.sink.onError('udp send', error);
    }
  }

  /** Keep-alives (a few CRLF or zero bytes) are no messages, and to port 0, which only a forger writes, no answer goes. */
  #receive(bytes: Buffer, from: RemoteInfo): void {
    if (bytes.length < MIN_DATAGRAM_BYTES || from.port === 0) return;
    try {
      this.sink.onMessage(bytes, this.flowTo({ host: from.address, port: from.port }));
    } catch (error) {
      this.sink.onError('udp message', error);
    }
  }
}
