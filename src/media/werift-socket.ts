import { createSocket, type Socket } from 'node:dgram';
import { randomInt } from 'node:crypto';
import { isIPv6 } from 'node:net';
import type { Logger } from '../lib/logger.js';
import { faultLog } from './fault-log.js';
import { FlightGatherer } from './flight-gatherer.js';
import { MediaError } from './media-error.js';
import { datagramKind, type Endpoint, type SourceGuard } from './source-guard.js';
import { sendDepartures } from './udp-batches.js';
import { addressOnly, onDatagram, UdpSender } from './udp-sending.js';

/** A werift address: host and port. */
type Address = readonly [string, number];

/** Takes SRTP and SRTCP; the bytes are its own. */
export interface DatagramSink {
  receive(datagram: Buffer): void;
}

/** Most ports of the range that are tried before the call is refused. */
const maxAttempts = 100;

/**
 * The UDP socket of one WebRTC leg, in the form werift's ICE expects of a transport. Ours and not werift's, so that the source
 * guard sees every datagram first, nothing leaves for an address that is not the peer's, and a socket error is handled.
 */
export class WeriftSocket {
  readonly type = 'udp';
  readonly socketType: 'udp4' | 'udp6';
  closed = false;
  /** Takes the SRTP and SRTCP that the guard admits, once it is set. */
  packets: DatagramSink | undefined;
  /** Set by whoever reads; gets whatever else the guard admits. */
  onData: (data: Buffer, from: Endpoint) => void = () => undefined;
  #refusedSends = 0;
  readonly #flight = new FlightGatherer((datagram, [address, port]) => this.transmit(datagram, port, address));
  readonly #sender: UdpSender;

  /** Takes over a socket that is bound, or for the start-up check one that is not. */
  constructor(
    private readonly socket: Socket,
    private readonly guard: SourceGuard,
    logger: Logger,
    socketType: 'udp4' | 'udp6' = 'udp4',
  ) {
    this.socketType = socketType;
    this.#sender = new UdpSender(socket);
    const onFault = faultLog(logger, 'WebRTC packet failed');
    onDatagram(socket, (data, from) => {
      try {
        if (this.closed || !this.guard.admits(data, from.address, from.port)) return;
        if (this.packets && datagramKind(data) === 'srtp') this.packets.receive(data);
        else this.onData(data, from);
      } catch (error) {
        onFault(error);
      }
    });
    socket.on('error', (err) => logger.warn('WebRTC socket error', { err }));
  }

  /**
   * Binds a free port of `ports` (first and last; 0 and 0 for any) on `listenIp`, tried from a random place on.
   * @throws MediaError `limit` if no port is free, `internal` if the address cannot be bound.
   */
  static async bind(
    listenIp: string,
    ports: readonly [number, number],
    guard: SourceGuard,
    logger: Logger,
  ): Promise<WeriftSocket> {
    const [first, last] = ports;
    const size = last - first + 1;
    const start = randomInt(size);
    for (let i = 0; i < Math.min(size, maxAttempts); i++) {
      const socket = await bound(listenIp, first + ((start + i) % size));
      if (socket) return new WeriftSocket(socket, guard, logger, socketTypeOf(listenIp));
    }
    throw new MediaError('limit', 'no free port for WebRTC media');
  }

  /** Sends that werift asked for but whose target is not the peer. */
  get refusedSends(): number {
    return this.#refusedSends;
  }

  get address() {
    return this.socket.address();
  }

  /** werift awaits this for each packet; the send itself is synchronous. */
  readonly send = (data: Buffer, to?: Address): Promise<void> => {
    if (!to || this.closed || !this.guard.maySendTo(to[0], to[1])) this.#refusedSends++;
    else if (datagramKind(data) === 'dtls') this.#flight.add(data, to);
    else this.transmit(data, to[1], to[0]);
    return Promise.resolve();
  };

  /** Sends to a peer that the guard knows. An unreachable one is ICE's business. */
  transmit(datagram: Buffer, port: number, address: string): void {
    if (!this.closed) this.#sender.send(datagram, port, address);
  }

  readonly close = (): Promise<void> => {
    if (this.closed) return Promise.resolve();
    this.closed = true;
    sendDepartures();
    return new Promise((resolve) => this.socket.close(() => resolve()));
  };
}

function socketTypeOf(address: string): 'udp4' | 'udp6' {
  return isIPv6(address) ? 'udp6' : 'udp4';
}

/** Undefined if the port is taken. */
function bound(address: string, port: number): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    // IPv4 has a socket of its own.
    const socket = createSocket({ type: socketTypeOf(address), ipv6Only: isIPv6(address), lookup: addressOnly });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close();
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(new MediaError('internal', 'cannot bind a port for WebRTC media', { cause: error }));
    });
    socket.bind({ address, port, exclusive: true }, () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}
