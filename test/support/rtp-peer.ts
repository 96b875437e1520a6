import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { emptyRtpFields, parseRtp, writeRtpHeader, type RtpFields } from '../../src/media/rtp-packet.js';

export interface ReceivedRtp extends RtpFields {
  readonly payload: Buffer;
  readonly atMs: number;
  readonly fromPort: number;
}

export interface RtpToSend {
  readonly payloadType: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly ssrc?: number;
  readonly marker?: boolean;
  readonly payload: Uint8Array;
}

/** A telephone system's media port on loopback: keeps what it receives, sends what it is told. */
export class RtpPeer {
  readonly received: ReceivedRtp[] = [];
  readonly receivedRtcp: Buffer[] = [];

  private constructor(
    private readonly rtp: Socket,
    private readonly rtcp: Socket,
  ) {
    rtp.on('message', (datagram, from) => {
      const fields = emptyRtpFields();
      if (!parseRtp(datagram, fields)) throw new Error('not RTP');
      const payload = datagram.subarray(fields.payloadStart, fields.payloadEnd);
      this.received.push({ ...fields, payload, atMs: performance.now(), fromPort: from.port });
    });
    rtcp.on('message', (datagram) => this.receivedRtcp.push(datagram));
  }

  static async open(): Promise<RtpPeer> {
    for (let attempt = 0; attempt < 20; attempt++) {
      const rtp = await bound(0);
      const rtcp = await bound(rtp.address().port + 1).catch(() => undefined);
      if (rtcp) return new RtpPeer(rtp, rtcp);
      rtp.close();
    }
    throw new Error('no two neighbouring ports are free');
  }

  get port(): number {
    return this.rtp.address().port;
  }

  /** An SDP offer or answer of this peer. */
  sdp(
    options: { formats?: string; direction?: string; ptimeMs?: number; address?: string; events?: boolean } = {},
  ): string {
    const { formats = '8', direction = 'sendrecv', ptimeMs = 20, address = '127.0.0.1', events = true } = options;
    return [
      'v=0',
      'o=peer 1 1 IN IP4 127.0.0.1',
      's=-',
      `c=IN IP4 ${address}`,
      't=0 0',
      `m=audio ${this.port} RTP/AVP ${formats}${events ? ' 101' : ''}`,
      ...(events ? ['a=rtpmap:101 telephone-event/8000', 'a=fmtp:101 0-16'] : []),
      `a=ptime:${ptimeMs}`,
      `a=${direction}`,
      '',
    ].join('\r\n');
  }

  send(port: number, packet: RtpToSend): void {
    const datagram = Buffer.alloc(12 + packet.payload.length);
    const { payloadType, marker = false, sequence, timestamp, ssrc = 0x1234, payload } = packet;
    writeRtpHeader(datagram, payloadType, marker, sequence, timestamp, ssrc);
    datagram.set(payload, 12);
    this.rtp.send(datagram, port, '127.0.0.1');
  }

  sendRaw(port: number, datagram: Uint8Array): void {
    this.rtp.send(datagram, port, '127.0.0.1');
  }

  sendRtcp(port: number, datagram: Uint8Array): void {
    this.rtcp.send(datagram, port, '127.0.0.1');
  }

  close(): void {
    this.rtp.close();
    this.rtcp.close();
  }
}

async function bound(port: number): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind({ port, address: '127.0.0.1', exclusive: true });
  await once(socket, 'listening');
  return socket;
}
