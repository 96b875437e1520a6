import type { DatagramListener } from '../../src/lib/datagram-batches.js';
import type { MediaSockets } from '../../src/media/rtp-sockets.js';
import { emptyRtpFields, isRtcp, parseRtp, type RtpFields } from '../../src/media/rtp-packet.js';

export interface WirePacket extends RtpFields {
  readonly payload: Buffer;
  /** `address:port` */
  readonly to: string;
  readonly atMs: number;
}

/** The sockets of an RTP leg without a network: what is sent is kept, what is received comes at once, in the clock's time. */
export class WireSockets implements MediaSockets {
  readonly rtpPort = 20_000;
  errors = 0;
  readonly sent: WirePacket[] = [];
  /** Targets of RTCP. */
  readonly sentRtcp: string[] = [];
  #onRtp: DatagramListener = () => undefined;
  #onRtcp: DatagramListener = () => undefined;

  constructor(private readonly nowMs: () => number) {}

  listen(onRtp: DatagramListener, onRtcp: DatagramListener): void {
    this.#onRtp = onRtp;
    this.#onRtcp = onRtcp;
  }

  sendRtp(datagram: Buffer, port: number, address: string): void {
    const fields = emptyRtpFields();
    if (isRtcp(datagram)) this.sentRtcp.push(`${address}:${port}`);
    else if (!parseRtp(datagram, fields)) throw new Error('not RTP');
    else {
      const payload = Buffer.from(datagram.subarray(fields.payloadStart, fields.payloadEnd));
      this.sent.push({ ...fields, payload, to: `${address}:${port}`, atMs: this.nowMs() });
    }
  }

  sendRtcp(_datagram: Buffer, port: number, address: string): void {
    this.sentRtcp.push(`${address}:${port}`);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  receive(datagram: Buffer, address: string, port: number): void {
    this.#onRtp(datagram, { address, port, family: 'IPv4', size: datagram.length });
  }

  receiveRtcp(datagram: Buffer, address: string, port: number): void {
    this.#onRtcp(datagram, { address, port, family: 'IPv4', size: datagram.length });
  }
}
