import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIP, isIPv6 } from 'node:net';
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
    readonly host: string,
    private readonly rtp: Socket,
    private readonly rtcp: Socket,
  ) {
    this.peerHost = host;
    rtp.on('message', (datagram, from) => {
      const fields = emptyRtpFields();
      if (!parseRtp(datagram, fields)) throw new Error('not RTP');
      const payload = datagram.subarray(fields.payloadStart, fields.payloadEnd);
      this.received.push({ ...fields, payload, atMs: performance.now(), fromPort: from.port });
    });
    rtcp.on('message', (datagram) => this.receivedRtcp.push(datagram));
  }

  /** @param host an IPv4 or IPv6 address of the loopback interface */
  static async open(host = '127.0.0.1'): Promise<RtpPeer> {
    for (let attempt = 0; attempt < 20; attempt++) {
      const rtp = await bound(host, 0);
      const rtcp = await bound(host, rtp.address().port + 1).catch(() => undefined);
      if (rtcp) return new RtpPeer(host, rtp, rtcp);
      rtp.close();
    }
    throw new Error('no two neighbouring ports are free');
  }

  /** Where this peer sends to; its own host unless a test says so. */
  peerHost: string;

  get port(): number {
    return this.rtp.address().port;
  }

  /** An SDP offer or answer of this peer. */
  sdp(
    options: {
      formats?: string;
      direction?: string;
      ptimeMs?: number;
      address?: string;
      events?: boolean;
      /** Payload type of telephone-event. */
      eventType?: number;
      /** More lines of the audio section. */
      lines?: readonly string[];
    } = {},
  ): string {
    const { formats = '8', direction = 'sendrecv', ptimeMs = 20, address = this.host } = options;
    const { events = true, eventType = 101, lines = [] } = options;
    return [
      'v=0',
      `o=peer 1 1 IN IP${isIP(this.host)} ${this.host}`,
      's=-',
      `c=IN IP${isIP(address)} ${address}`,
      't=0 0',
      `m=audio ${this.port} RTP/AVP ${formats}${events ? ` ${eventType}` : ''}`,
      ...(events ? [`a=rtpmap:${eventType} telephone-event/8000`, `a=fmtp:${eventType} 0-16`] : []),
      ...lines,
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
    this.rtp.send(datagram, port, this.peerHost);
  }

  sendRaw(port: number, datagram: Uint8Array): void {
    this.rtp.send(datagram, port, this.peerHost);
  }

  sendRtcp(port: number, datagram: Uint8Array): void {
    this.rtcp.send(datagram, port, this.peerHost);
  }

  close(): void {
    this.rtp.close();
    this.rtcp.close();
  }
}

async function bound(address: string, port: number): Promise<Socket> {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  socket.bind({ port, address, exclusive: true });
  try {
    await once(socket, 'listening');
  } catch (error) {
    socket.close();
    throw error;
  }
  return socket;
}
