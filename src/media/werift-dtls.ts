import {
  DtlsClient,
  ProtectionProfileAes128CmHmacSha1_80,
  RTCDtlsFingerprint,
  RTCDtlsParameters,
  RTCDtlsTransport,
  RtpHeader,
  type RtcpPacket,
  type RtpPacket,
} from 'werift';
import type { Certificate } from './werift-certificate.js';
import type { WeriftIce } from './werift-ice.js';
import { renumberFinished } from './werift-retransmission.js';
import { correctRollover } from './werift-rollover.js';

/** One RTP packet of ours before SRTP. */
export interface OutgoingRtp {
  readonly payloadType: number;
  readonly ssrc: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly marker: boolean;
  readonly payload: Uint8Array;
}

/**
 * DTLS-SRTP on an ICE path: werift's handshake and SRTP, at the level of packets. Its tracks, senders and receivers are not
 * used: they re-stamp payload types and bring their own RTCP.
 */
export class WeriftDtls {
  /** An authenticated RTP packet; replays are not filtered out yet. */
  onRtp: (packet: RtpPacket) => void = () => undefined;
  onRtcp: (packet: RtcpPacket) => void = () => undefined;
  /** The peer closed DTLS, or it broke after it had been up. */
  onClosed: () => void = () => undefined;
  readonly #transport: RTCDtlsTransport;
  #isConnected = false;

  constructor(
    private readonly ice: WeriftIce,
    { certificate }: Certificate,
  ) {
    // SHA1_80 is the profile every WebRTC stack must have (RFC 8827 §6.5); one profile means one packet path to prove.
    this.#transport = new RTCDtlsTransport({}, ice.transport, certificate, [ProtectionProfileAes128CmHmacSha1_80]);
    this.#transport.onRtp.subscribe((packet) => this.onRtp(packet));
    this.#transport.onRtcp.subscribe((packet) => this.onRtcp(packet));
    this.#transport.onStateChange.subscribe((state) => {
      if (this.#isConnected && (state === 'closed' || state === 'failed')) this.onClosed();
    });
  }

  /** RTP and RTCP may be sent. */
  get isConnected(): boolean {
    return this.#isConnected;
  }

  /**
   * Shakes hands and checks the peer's certificate against `fingerprint`. The deadline is the caller's.
   * @throws whatever werift says if the handshake fails or the fingerprint is another.
   */
  async connect(role: 'client' | 'server', fingerprint: string): Promise<void> {
    const transport = this.#transport;
    transport.role = role;
    transport.setRemoteParams(new RTCDtlsParameters([new RTCDtlsFingerprint('sha-256', fingerprint)], 'auto'));
    const connected = transport.start();
    this.#hurryClient();
    this.ice.releaseEarlyRecords();
    await connected;
    correctRollover(transport.srtp);
    this.ice.finishHandshake();
    this.#isConnected = true;
  }

  /** Protects and sends at once. */
  sendRtp({ payload, payloadType, sequence, timestamp, marker, ssrc }: OutgoingRtp): void {
    const header = new RtpHeader({ payloadType, sequenceNumber: sequence, timestamp, marker, ssrc });
    this.ice.send(this.#transport.srtp.encrypt(Buffer.from(payload), header));
  }

  /** Protects and sends a compound RTCP packet. */
  sendRtcp(compound: Buffer): void {
    this.ice.send(this.#transport.srtcp.encrypt(compound));
  }

  async close(): Promise<void> {
    this.#isConnected = false;
    await this.#transport.stop();
    this.#transport.onRtp.complete();
    this.#transport.onRtcp.complete();
    this.#transport.onStateChange.complete();
  }

  /** werift's client sleeps 100 ms before its ClientHello: speech lost on each call we answer. We send it at once, once. */
  #hurryClient(): void {
    const client = this.#transport.dtls;
    if (!(client instanceof DtlsClient)) return;
    renumberFinished(client);
    client.connect().catch((cause: unknown) => client.onError.execute(new Error('DTLS client failed', { cause })));
    client.connect = () => Promise.resolve();
  }
}
