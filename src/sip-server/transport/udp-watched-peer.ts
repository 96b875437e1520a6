import type { RemoteInfo, Socket } from 'node:dgram';
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { FailureListeners } from './failure-listeners.js';
import type { Address, Flow, TransportSink } from './flow.js';

export interface WatchedPeerHost {
  onMessage(bytes: Buffer, from: RemoteInfo): void;
  onIdle(): void;
  /** Used while there is no second socket. */
  readonly fallback: Flow;
  readonly sink: TransportSink;
}

/**
 * A second socket on the listener's port, connected to one peer. The kernel gives ICMP errors only to connected
 * sockets: without it a closed port is noticed after 64·T1 of silence instead of at once. It also gets all datagrams of
 * that peer, which are handed to the listener. Shared by all requests on their way to the peer; closed with the last.
 */
export class WatchedPeer {
  readonly ready: Promise<void>;
  readonly #socket: Socket;
  readonly #failures = new FailureListeners();
  #borrowers = 0;
  #usable = false;
  #closed = false;

  constructor(
    private readonly remote: Address,
    private readonly local: Address,
    private readonly host: WatchedPeerHost,
  ) {
    this.#socket = createSocket({ type: isIPv6(remote.host) ? 'udp6' : 'udp4', reuseAddr: true });
    this.#socket.on('message', (bytes, from) => this.host.onMessage(bytes, from));
    this.ready = this.#open();
  }

  lend(): Flow {
    this.#borrowers++;
    let lent = true;
    const flow: Flow = {
      protocol: 'udp',
      reliable: false,
      remote: this.remote,
      local: this.local,
      open: true,
      send: (bytes) => this.#send(bytes, flow),
      onFailure: (callback) => this.#failures.add(callback),
      release: () => {
        if (lent && --this.#borrowers === 0) this.close();
        lent = false;
      },
    };
    return flow;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#usable = false;
    this.host.onIdle();
    this.#socket.close();
  }

  /** Never rejects: without this socket the listener's own still works, only the ICMP errors are missed. */
  #open(): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.on('error', (error) => {
        if (!this.#usable && !this.#closed) this.host.sink.onError('udp peer socket', error);
        else this.#failures.fire(error);
        resolve();
      });
      this.#socket.bind({ address: this.local.host, port: this.local.port }, () => {
        this.#socket.connect(this.remote.port, this.remote.host, () => {
          this.#usable = !this.#closed;
          resolve();
        });
      });
    });
  }

  #send(bytes: Buffer, flow: Flow): void {
    if (!this.#usable) return this.host.fallback.send(bytes);
    this.host.sink.onSent(bytes, flow);
    this.#socket.send(bytes, (error) => {
      if (error && !this.#closed) this.#failures.fire(error);
    });
  }
}
