import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import type { OpenAppConnection } from './app-connection.js';
import { overSocket } from './app-connection.js';
import { ClientSession } from './client-session.js';
import type { SessionHost } from './client-session.js';
import { inProcessConnection } from './in-process-connection.js';

const LOOPBACK = '127.0.0.1';

/**
 * Where applications connect: loopback only, any free port, or without the kernel where they live in this process. Keeps
 * the clients and takes turns between them.
 */
export class AppListener {
  readonly #server: Server;
  readonly #clients = new Set<ClientSession>();
  #turn = 0;

  constructor(private readonly sessions: SessionHost) {
    this.#server = createServer((socket) => this.#accept(overSocket(socket)));
    this.#server.on('error', (err) => sessions.logger.error('sip application listener failed', { err }));
  }

  readonly host = LOOPBACK;

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host: LOOPBACK, port: 0 }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  /** A connection of an application's in this process. It has to give the secret as every other. */
  connectInProcess(): Socket {
    const { app, open } = inProcessConnection();
    this.#accept(open);
    return app;
  }

  /** The client whose turn it is among those that serve the method; undefined when there is none. */
  pick(method: string): ClientSession | undefined {
    const able = [...this.#clients].filter((client) => client.serves(method));
    return able.length === 0 ? undefined : able[this.#turn++ % able.length];
  }

  /** Bytes that wait for the application that is behind most. */
  get backlogBytes(): number {
    let most = 0;
    for (const client of this.#clients) most = Math.max(most, client.backlogBytes);
    return most;
  }

  stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #accept(connection: OpenAppConnection): void {
    const client = new ClientSession(connection, {
      ...this.sessions,
      onClosed: (gone) => {
        this.#clients.delete(gone);
        this.sessions.onClosed(gone);
      },
    });
    this.#clients.add(client);
  }
}
