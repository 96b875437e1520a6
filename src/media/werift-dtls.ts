import {
  DtlsClient,
  ProtectionProfileAes128CmHmacSha1_80,
  RTCDtlsFingerprint,
  RTCDtlsParameters,
  RTCDtlsTransport,
} from 'werift';
import type { PacketSink, SecuredPackets } from './webrtc-packets.js';
import type { Certificate } from './werift-certificate.js';
import type { WeriftIce } from './werift-ice.js';
import { securedPackets, type PacketPath } from './werift-packets.js';
import { renumberFinished } from './werift-retransmission.js';

/**
 * DTLS-SRTP on an ICE path: werift's handshake, and packets with the keys of it. Its tracks, senders and receivers are not
 * used: they re-stamp payload types and bring their own RTCP.
 */
export class WeriftDtls {
  /** The peer closed DTLS, or it broke after it had been up. */
  onClosed: () => void = () => undefined;
  readonly #transport: RTCDtlsTransport;
  #packets: SecuredPackets | undefined;
  #isUp = false;

  constructor(
    private readonly ice: WeriftIce,
    { certificate }: Certificate,
    private readonly path: PacketPath,
    private readonly sink: PacketSink,
  ) {
    // SHA1_80 is the profile every WebRTC stack must have (RFC 8827 §6.5); one profile means one packet path to prove.
    this.#transport = new RTCDtlsTransport({}, ice.transport, certificate, [ProtectionProfileAes128CmHmacSha1_80]);
    this.#transport.onStateChange.subscribe((state) => {
      if (this.#isUp && (state === 'closed' || state === 'failed')) this.onClosed();
    });
  }

  /** The way of RTP and RTCP; undefined while there are no keys. */
  get packets(): SecuredPackets | undefined {
    return this.#packets;
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
    this.#packets = securedPackets(this.path, transport, this.ice, this.sink);
    this.ice.finishHandshake();
    this.#isUp = true;
  }

  async close(): Promise<void> {
    this.#isUp = false;
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
