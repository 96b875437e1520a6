import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { deferred } from '../lib/deferred.js';
import { withDeadline } from '../lib/deadline.js';
import type { Clock } from '../lib/clock.js';
import type { DatagramListener } from '../lib/datagram-batches.js';
import { MediaError } from './media-error.js';
import type { PortPool } from './port-pool.js';
import { sendDepartures } from './udp-batches.js';
import { addressOnly, onDatagram, UdpSender } from './udp-sending.js';

/** Where a stream's packets come in and go out. */
export type MediaSockets = Pick<RtpSockets, 'rtpPort' | 'errors' | 'listen' | 'sendRtp' | 'sendRtcp' | 'close'>;

const maxAttempts = 10;
const bindDeadlineMs = 2000;

/**
 * The two sockets of a plain RTP stream: RTP on an even port, RTCP on the odd one above. Every socket has an error listener,
 * since an ICMP error without one ends the process.
 */
export class RtpSockets {
  /** Errors of the sockets so far, ICMP ones included. */
  errors = 0;
  #closed = false;
  readonly #rtpSender: UdpSender;
  readonly #rtcpSender: UdpSender;

  private constructor(
    readonly rtpPort: number,
    private readonly rtp: Socket,
    private readonly rtcp: Socket,
    private readonly pool: PortPool,
  ) {
    for (const socket of [rtp, rtcp]) socket.on('error', () => this.errors++);
    this.#rtpSender = new UdpSender(rtp);
    this.#rtcpSender = new UdpSender(rtcp);
  }

  /**
   * Binds a pair from the pool; a port that another process holds is passed over.
   * @throws MediaError `limit` when no pair can be had, `internal` when the address cannot be bound.
   */
  static async open(pool: PortPool, address: string, clock: Clock): Promise<RtpSockets> {
    for (let attempt = 1; ; attempt++) {
      const port = pool.acquire();
      try {
        const rtp = await bind(address, port, clock);
        const rtcp = await bind(address, port + 1, clock).catch((error: unknown) => {
          rtp.close();
          throw error;
        });
        return new RtpSockets(port, rtp, rtcp, pool);
      } catch (cause) {
        pool.release(port);
        if (!isInUse(cause)) throw new MediaError('internal', `RTP cannot be received on ${address}`, { cause });
        if (attempt === maxAttempts) throw new MediaError('limit', 'no free RTP port was found', { cause });
      }
    }
  }

  /** Sets the receivers; what arrived before is lost. What they throw would end the process: `onFault` is told instead. */
  listen(onRtp: DatagramListener, onRtcp: DatagramListener, onFault: (error: unknown) => void): void {
    onDatagram(this.rtp, this.#guarded(onRtp, onFault));
    onDatagram(this.rtcp, this.#guarded(onRtcp, onFault));
  }

  /** Sends from the RTP port. The kernel takes the datagram before this returns, unless its buffer is full. */
  sendRtp(datagram: Buffer, port: number, address: string): void {
    if (!this.#closed) this.#rtpSender.send(datagram, port, address);
  }

  /** Sends from the RTCP port. */
  sendRtcp(datagram: Buffer, port: number, address: string): void {
    if (!this.#closed) this.#rtcpSender.send(datagram, port, address);
  }

  /** Closes both and gives the pair back. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    sendDepartures();
    await Promise.all([closed(this.rtp), closed(this.rtcp)]);
    this.pool.release(this.rtpPort);
  }

  #guarded(listener: DatagramListener, onFault: (error: unknown) => void): DatagramListener {
    return (datagram, from) => {
      try {
        if (!this.#closed) listener(datagram, from);
      } catch (error) {
        onFault(error);
      }
    };
  }
}

async function bind(address: string, port: number, clock: Clock): Promise<Socket> {
  const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', lookup: addressOnly });
  const bound = deferred<undefined>();
  // Stays for good: from here on no error of this socket is unhandled, and a rejection after the first has no effect.
  socket.on('error', (error) => bound.reject(error));
  socket.once('listening', () => bound.resolve(undefined));
  socket.bind({ port, address, exclusive: true });
  try {
    await withDeadline(bound.promise, bindDeadlineMs, 'binding an RTP port', clock);
  } catch (error) {
    socket.close();
    throw error;
  }
  return socket;
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.close(() => resolve()));
}

function isInUse(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
}
