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
 *
 *   opening ──► connected ──► closed
 *      ├──► unwatched (no second socket to be had: the listener's own is used, ICMP errors are missed)
 *      └──► unreachable (no route)
 */
export class WatchedPeer {
  readonly ready: Promise<void>;
  readonly #socket: Socket;
  readonly #failures = new FailureListeners();
  #borrowers = 0;
  #state: 'opening' | 'connected' | 'unwatched' | 'unreachable' | 'closed' = 'opening';

  constructor(
    private readonly remote: Address,
    private readonly local: Address,
    private readonly host: WatchedPeerHost,
  ) {
    const isV6 = isIPv6(remote.host);
    this.#socket = createSocket({ type: isV6 ? 'udp6' : 'udp4', ipv6Only: isV6, reuseAddr: true });
    this.#socket.on('message', (bytes, from) => this.host.onMessage(bytes, from));
    this.ready = this.#open();
  }

  lend(): Flow {
    this.#borrowers++;
    let lent = true;
    const isReachable = (): boolean => this.#state !== 'unreachable';
    const flow: Flow = {
      protocol: 'udp',
      reliable: false,
      remote: this.remote,
      local: this.local,
      get open() {
        return isReachable();
      },
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
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.host.onIdle();
    this.#socket.close();
  }

  /** Never rejects. */
  #open(): Promise<void> {
    return new Promise((resolve) => {
      const settle = (state: 'connected' | 'unwatched' | 'unreachable'): void => {
        if (this.#state === 'opening') this.#state = state;
        resolve();
      };
      this.#socket.on('error', (error) => {
        if (this.#state === 'connected') this.#fail(error);
        else this.host.sink.onError('udp peer socket', error);
        settle('unwatched');
      });
      this.#socket.once('close', resolve);
      this.#socket.bind({ address: this.local.host, port: this.local.port }, () => {
        if (this.#state !== 'opening') return;
        this.#socket.connect(this.remote.port, this.remote.host, (error?: Error) => {
          if (error) this.host.sink.onError('udp peer unreachable', error);
          settle(error ? 'unreachable' : 'connected');
        });
      });
    });
  }

  #send(bytes: Buffer, flow: Flow): void {
    if (this.#state !== 'connected') return this.host.fallback.send(bytes);
    try {
      this.host.sink.onSent(bytes, flow);
      this.#socket.send(bytes, (error) => {
        if (error && this.#state === 'connected') this.#fail(error);
      });
    } catch (error) {
      this.host.sink.onError('udp send', error);
    }
  }

  #fail(error: Error): void {
    this.#failures.fire(error, (thrown) => this.host.sink.onError('udp failure', thrown));
  }
}
