import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../lib/clock.js';
import { FailureListeners } from './failure-listeners.js';
import type { Address, Flow, TransportSink } from './flow.js';
import { Pinger } from './pinger.js';
import { StreamFramer } from './stream-framer.js';

const PING = Buffer.from('\r\n\r\n');
const PONG = Buffer.from('\r\n');
/** A peer that does not read is cut off when this much waits for it, bytes. */
const MAX_BACKLOG_BYTES = 1024 * 1024;
/** First byte of a TLS handshake (RFC 8446 §5.1); no SIP message begins so. */
const TLS_HANDSHAKE = 0x16;

export interface TcpConnectionOptions {
  readonly protocol: 'tcp' | 'tls';
  readonly socket: Socket;
  readonly remote: Address;
  readonly local: Address;
  readonly clock: Clock;
  readonly idleMs: number;
  /** As long as no message has come. A stranger that only connects must not hold a place for long. */
  readonly graceMs: number;
  /** Pings are sent: by the side that opened the connection. */
  readonly pings?: { readonly pingMs: number; readonly pongMs: number } | undefined;
  readonly sink: TransportSink;
  readonly onError?: ((error: Error) => void) | undefined;
  readonly onClosed: () => void;
}

/** One connection, plain or TLS, made by either side. Writes wait in the socket until it is open. */
export class TcpConnection implements Flow {
  readonly protocol: 'tcp' | 'tls';
  readonly reliable = true;
  readonly remote: Address;
  readonly local: Address;
  readonly #framer = new StreamFramer();
  readonly #failures = new FailureListeners();
  readonly #pinger: Pinger | undefined;
  #idle: Timer | undefined;
  #closed = false;
  #closing = false;
  #heard = false;
  #proven = false;

  constructor(private readonly options: TcpConnectionOptions) {
    const { socket, pings, clock } = options;
    this.protocol = options.protocol;
    this.remote = options.remote;
    this.local = options.local;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => {
      options.onError?.(error);
      this.#fail(error);
    });
    socket.on('close', () => this.#onClose());
    this.#pinger =
      pings && new Pinger({ clock, ...pings, ping: () => this.#ping(), onSilent: () => this.#giveUp('no pong') });
    this.#touch();
  }

  get open(): boolean {
    return !this.#closed && !this.options.socket.destroyed;
  }

  /** The socket, for what its layer knows of it. */
  get socket(): Socket {
    return this.options.socket;
  }

  send(bytes: Buffer): void {
    const { sink } = this.options;
    if (!this.open) return;
    try {
      sink.onSent(bytes, this);
      this.#write(bytes);
    } catch (error) {
      sink.onError(`${this.protocol} send`, error);
    }
    this.#touch();
  }

  onFailure(callback: (error: Error) => void): () => void {
    return this.#failures.add(callback);
  }

  release(): void {
    // The connection outlives the request: later ones in both directions use it.
  }

  pingEvery(intervalMs: number): void {
    this.#pinger?.atLeastEvery(intervalMs);
  }

  close(): void {
    this.#closing = true;
    this.options.socket.destroy();
  }

  /** A server that closes before it has said anything often wants a certificate; it is not always told so by an alert. */
  #onClose(): void {
    const error = new Error(this.#heard ? 'connection closed' : 'it closed the connection before it sent anything');
    if (!this.#closed && !this.#closing && !this.#heard) this.options.onError?.(error);
    this.#fail(error);
  }

  #giveUp(why: string): void {
    this.options.socket.destroy(new Error(why));
  }

  #ping(): void {
    if (!this.open || this.options.socket.connecting) return;
    this.#framer.expectPong();
    this.#write(PING);
  }

  #write(bytes: Buffer): void {
    const { socket } = this.options;
    if (socket.writableLength > MAX_BACKLOG_BYTES) this.close();
    else socket.write(bytes);
  }

  #touch(): void {
    this.#idle?.cancel();
    if (!this.open) return;
    const { clock, idleMs, graceMs } = this.options;
    this.#idle = clock.after(this.#proven ? idleMs : graceMs, () => this.close());
  }

  #deliver(bytes: Buffer): void {
    this.#proven = true;
    this.options.sink.onMessage(bytes, this);
  }

  /** Several pings at once get one pong: it says that we are here, and that is all a ping asks. */
  #receive(chunk: Buffer): void {
    this.#heard = true;
    this.#pinger?.heard();
    try {
      if (!this.#proven && chunk[0] === TLS_HANDSHAKE) throw new Error('a TLS handshake on a connection without TLS');
      const items = this.#framer.push(chunk);
      if (items.some((item) => item.kind === 'ping')) this.#write(PONG);
      if (items.some((item) => item.kind === 'pong')) this.#pinger?.ponged();
      for (const item of items) {
        if (item.kind === 'message') this.#deliver(item.bytes);
      }
      // The grace of a stranger runs from the beginning: bytes that are no message do not prolong it.
      if (this.#proven) this.#touch();
    } catch (error) {
      this.options.sink.onError(`${this.protocol} stream`, error);
      this.close();
    }
  }

  #fail(error: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#idle?.cancel();
    this.#pinger?.stop();
    this.options.onClosed();
    this.#failures.fire(error, (thrown) => this.options.sink.onError(`${this.protocol} failure`, thrown));
  }
}
