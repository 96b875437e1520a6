import type { AddressInfo, Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import type { Clock } from '../../lib/clock.js';
import type { SipTimers } from '../timers.js';
import { transactionLifeMs } from '../timers.js';
import type { Address, Flow, TransportSink } from './flow.js';
import { TcpConnection } from './tcp-connection.js';

const MAX_CONNECTIONS = 2000;

export interface TcpEnvironment {
  readonly clock: Clock;
  readonly timers: SipTimers;
  readonly sink: TransportSink;
}

/** The stream listener, and the connections of both directions. */
export class TcpTransport {
  readonly protocol = 'tcp' as const;
  readonly #connections = new Map<string, TcpConnection>();

  private constructor(
    private readonly server: Server,
    readonly local: Address,
    private readonly env: TcpEnvironment,
  ) {
    server.maxConnections = MAX_CONNECTIONS;
    server.on('connection', (socket) => this.#accept(socket));
    server.on('error', (error) => env.sink.onError('tcp listener', error));
  }

  static bind(address: Address, env: TcpEnvironment): Promise<TcpTransport> {
    return new Promise((resolve, reject) => {
      const server = createServer();
      server.once('error', reject);
      server.listen({ host: address.host, port: address.port }, () => {
        server.off('error', reject);
        const { port } = server.address() as AddressInfo;
        resolve(new TcpTransport(server, { host: address.host, port }, env));
      });
    });
  }

  /** An open connection to the peer, or a new one. A failure to connect is told through `onFailure`. */
  connect(remote: Address): Flow {
    const existing = this.#connections.get(keyOf(remote));
    if (existing?.open) return existing;
    const wildcard = this.local.host === '0.0.0.0' || this.local.host === '::';
    const socket = connect({
      host: remote.host,
      port: remote.port,
      ...(wildcard ? {} : { localAddress: this.local.host }),
    });
    const deadline = this.env.clock.after(this.env.timers.connectMs, () =>
      socket.destroy(new Error('connect timeout')),
    );
    socket.once('connect', () => deadline.cancel());
    socket.once('close', () => deadline.cancel());
    return this.#keep(socket, remote);
  }

  async stop(): Promise<void> {
    for (const connection of this.#connections.values()) connection.close();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  #accept(socket: Socket): void {
    const { remoteAddress, remotePort } = socket;
    if (remoteAddress === undefined || remotePort === undefined) socket.destroy();
    else this.#keep(socket, { host: remoteAddress, port: remotePort });
  }

  #keep(socket: Socket, remote: Address): TcpConnection {
    const key = keyOf(remote);
    const connection = new TcpConnection({
      socket,
      remote,
      local: this.local,
      clock: this.env.clock,
      idleMs: this.env.timers.idleConnectionMs,
      graceMs: transactionLifeMs(this.env.timers),
      sink: this.env.sink,
      onClosed: () => {
        if (this.#connections.get(key) === connection) this.#connections.delete(key);
      },
    });
    this.#connections.set(key, connection);
    return connection;
  }
}

const keyOf = (address: Address): string => `${address.host}|${address.port}`;
