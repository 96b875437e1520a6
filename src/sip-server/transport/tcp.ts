import type { AddressInfo, Server, Socket } from 'node:net';
import { connect, createServer, isIPv6 } from 'node:net';
import type { Clock } from '../../lib/clock.js';
import type { Logger } from '../../lib/logger.js';
import type { SipTimers } from '../timers.js';
import { transactionLifeMs } from '../timers.js';
import type { Address, Flow, PeerAddress, TransportSink } from './flow.js';
import { isWildcard } from './local-address.js';
import { TcpConnection } from './tcp-connection.js';

const MAX_CONNECTIONS = 2000;
/** From one address. A PBX needs one; a proxy in front of many, some more. */
const MAX_CONNECTIONS_PER_SOURCE = 200;

export interface TcpEnvironment {
  readonly clock: Clock;
  readonly timers: SipTimers;
  readonly sink: TransportSink;
  readonly logger: Logger;
  /** May this address open connections to us? */
  readonly admits: (host: string, protocol: 'tcp' | 'tls') => boolean;
}

/** A connection on its way. */
export interface Opening {
  readonly socket: Socket;
  /** After this event the peer is known to be the right one, and what was written goes out. */
  readonly readyEvent: 'connect' | 'secureConnect';
}

/** What lies between TCP and SIP: nothing, or TLS. */
export interface ConnectionLayer {
  readonly protocol: 'tcp' | 'tls';
  /** Takes the socket a peer opened; `onReady` is called once it can carry SIP, if ever. */
  accept(socket: Socket, remote: Address, onReady: (socket: Socket) => void): void;
  open(peer: PeerAddress, localHost: string | undefined): Opening;
  /** Peers with the same key share a connection. */
  keyOf(peer: PeerAddress): string;
  /** A connection we opened has failed. */
  failed(peer: PeerAddress, error: Error): void;
  /** Has the peer that opened this proved this name (RFC 5923 §9.1)? */
  proved(socket: Socket, name: string): boolean;
  close(): void;
}

const keyOf = (address: Address): string => `${address.host}|${address.port}`;

/** TCP with nothing on it. */
const PLAIN: ConnectionLayer = {
  protocol: 'tcp',
  accept: (socket, _remote, onReady) => onReady(socket),
  open: ({ host, port }, localHost) => ({
    socket: connect({ host, port, ...(localHost === undefined ? {} : { localAddress: localHost }) }),
    readyEvent: 'connect',
  }),
  keyOf,
  failed: () => undefined,
  proved: () => false,
  close: () => undefined,
};

/** A stream listener, and the connections of both directions. */
export class TcpTransport {
  readonly protocol: 'tcp' | 'tls';
  readonly #connections = new Map<string, TcpConnection>();
  readonly #accepted = new Set<Socket>();
  readonly #bySource = new Map<string, number>();

  private constructor(
    private readonly server: Server,
    readonly local: Address,
    private readonly env: TcpEnvironment,
    private readonly layer: ConnectionLayer,
  ) {
    this.protocol = layer.protocol;
    server.maxConnections = MAX_CONNECTIONS;
    server.on('connection', (socket) => this.#accept(socket));
    server.on('error', (error) => env.sink.onError(`${layer.protocol} listener`, error));
  }

  static bind(address: Address, env: TcpEnvironment, layer: ConnectionLayer = PLAIN): Promise<TcpTransport> {
    return new Promise((resolve, reject) => {
      const server = createServer();
      server.once('error', (error) => {
        layer.close();
        reject(error);
      });
      server.listen({ host: address.host, port: address.port, ipv6Only: isIPv6(address.host) }, () => {
        server.removeAllListeners('error');
        const { port } = server.address() as AddressInfo;
        resolve(new TcpTransport(server, { host: address.host, port }, env, layer));
      });
    });
  }

  /** An open connection to the peer, or a new one. A failure to connect is told through `onFailure`. */
  connect(peer: PeerAddress): Flow {
    const key = this.layer.keyOf(peer);
    const existing = this.#connections.get(key);
    if (existing?.open) return existing;
    const { host } = this.local;
    const { socket, readyEvent } = this.layer.open(peer, isWildcard(host) ? undefined : host);
    const { clock, timers } = this.env;
    const deadline = clock.after(timers.connectMs, () => socket.destroy(new Error('connect timeout')));
    socket.cork();
    socket.once(readyEvent, () => {
      deadline.cancel();
      socket.uncork();
    });
    socket.once('close', () => deadline.cancel());
    return this.#keep(socket, { host: peer.host, port: peer.port }, key, peer);
  }

  /** Lets requests to `peer` use this connection, which it opened, too (RFC 5923 §8). */
  alias(flow: Flow, peer: PeerAddress): void {
    const key = this.layer.keyOf(peer);
    const connection = [...this.#connections.values()].find((it) => it === flow);
    if (!connection?.open || this.#connections.get(key)?.open) return;
    if (!this.layer.proved(connection.socket, peer.name ?? peer.host)) return;
    this.#connections.set(key, connection);
    connection.onFailure(() => {
      if (this.#connections.get(key) === connection) this.#connections.delete(key);
    });
  }

  async stop(): Promise<void> {
    for (const connection of this.#connections.values()) connection.close();
    for (const socket of this.#accepted) socket.destroy();
    this.layer.close();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  #accept(socket: Socket): void {
    // Until its layer listens, an error of it must not end the process.
    socket.on('error', () => undefined);
    const { remoteAddress, remotePort } = socket;
    const isWelcome = remoteAddress !== undefined && this.env.admits(remoteAddress, this.protocol);
    if (!isWelcome || remotePort === undefined || !this.#count(socket, remoteAddress)) {
      socket.destroy();
      return;
    }
    const remote = { host: remoteAddress, port: remotePort };
    this.layer.accept(socket, remote, (ready) => this.#keep(ready, remote, keyOf(remote), undefined));
  }

  /** False when the source has too many already. */
  #count(socket: Socket, source: string): boolean {
    const before = this.#bySource.get(source) ?? 0;
    if (before >= MAX_CONNECTIONS_PER_SOURCE) return false;
    this.#bySource.set(source, before + 1);
    this.#accepted.add(socket);
    socket.once('close', () => {
      this.#accepted.delete(socket);
      const left = (this.#bySource.get(source) ?? 1) - 1;
      if (left > 0) this.#bySource.set(source, left);
      else this.#bySource.delete(source);
    });
    return true;
  }

  #keep(socket: Socket, remote: Address, key: string, opened: PeerAddress | undefined): TcpConnection {
    const { clock, timers, sink } = this.env;
    const connection = new TcpConnection({
      protocol: this.layer.protocol,
      socket,
      remote,
      local: this.local,
      clock,
      idleMs: timers.idleConnectionMs,
      graceMs: transactionLifeMs(timers),
      pings: opened && timers,
      sink,
      onError: opened && ((error) => this.layer.failed(opened, error)),
      onClosed: () => {
        if (this.#connections.get(key) === connection) this.#connections.delete(key);
        if (opened) sink.onLost?.(connection);
      },
    });
    this.#connections.set(key, connection);
    return connection;
  }
}
