import {
  RTCPeerConnection,
  RTCRtpCodecParameters,
  RtpHeader,
  useOPUS,
  type RTCDtlsTransport,
  type RtpPacket,
} from 'werift';
import { rtpHeaderLength } from '../../../src/media/rtp-packet.js';
import { SrtpSender } from '../../../src/media/srtp/srtp-sender.js';
import { SrtpKey } from '../../../src/sdp/sdes.js';
import { until } from '../until.js';

/** What a peer may say in one RTP packet. */
export interface LiteRtp {
  readonly payloadType: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly marker?: boolean;
  readonly payload: Uint8Array;
}

/** The peer's SSRC, as its SDP names it. */
export const peerSsrc = 99;

/**
 * A peer that is truly ICE-lite, as Meta's relay is and libwebrtc cannot be: it never checks us, and it says what it received
 * in the clear. It can also say anything under the call's own keys, and repeat what it said. On werift's own stack, which is
 * nothing of the bridge's packet path; independent stacks are proven elsewhere.
 */
export class LitePeer {
  readonly heard: RtpPacket[] = [];
  /** RTCP packets heard, by their type. */
  readonly reports: number[] = [];
  /** Keeps no packet in `heard`, for long calls; `onRtp` gets them. */
  onRtp: (packet: RtpPacket) => void = (packet) => void this.heard.push(packet);
  readonly connection: RTCPeerConnection;

  constructor(private readonly host = '127.0.0.1') {
    this.connection = new RTCPeerConnection({
      iceLite: true,
      iceServers: [{ urls: 'stun:127.0.0.1:9' }],
      iceUseIpv4: false,
      iceUseIpv6: false,
      iceInterfaceAddresses: { udp4: host },
      iceAdditionalHostAddresses: [host],
      headerExtensions: { audio: [], video: [] },
      codecs: {
        audio: [
          useOPUS({ mimeType: 'audio/opus', payloadType: 111 }),
          new RTCRtpCodecParameters({
            mimeType: 'audio/telephone-event',
            clockRate: 8000,
            payloadType: 126,
            channels: 1,
          }),
        ],
        video: [],
      },
    });
  }

  /** The user calls: Meta's relay offers. */
  async offer(): Promise<string> {
    this.connection.addTransceiver('audio', { direction: 'sendrecv' });
    return this.#describe(await this.connection.createOffer());
  }

  accept(answer: string): Promise<void> {
    return this.connection.setRemoteDescription({ type: 'answer', sdp: answer });
  }

  /** The business calls: Meta's relay answers. */
  async answer(offer: string): Promise<string> {
    await this.connection.setRemoteDescription({ type: 'offer', sdp: offer });
    this.connection.getTransceivers()[0]?.setDirection('sendrecv');
    return this.#describe(await this.connection.createAnswer());
  }

  async connected(deadlineMs?: number): Promise<void> {
    await until(() => this.connection.connectionState === 'connected', 'the lite peer connected', deadlineMs);
  }

  /** What its own stack says of the connection. */
  get state(): string {
    return `${this.connection.connectionState}, ICE ${this.connection.iceConnectionState}, DTLS ${this.#transport.state}`;
  }

  /** Where the other side is. */
  get remote(): { readonly address: string; readonly port: number } {
    const [address, port] = this.#transport.iceTransport.connection.nominated?.remoteAddr ?? ['', 0];
    return { address, port };
  }

  /** Our half of the ICE credentials, which every check of the other side has to carry; and the other half. */
  get credentials(): {
    readonly local: string;
    readonly localPassword: string;
    readonly remote: string;
    readonly remotePassword: string;
  } {
    const { localUsername, localPassword, remoteUsername, remotePassword } = this.#transport.iceTransport.connection;
    return { local: localUsername, localPassword, remote: remoteUsername, remotePassword };
  }

  /** Says it under the call's keys; returns the datagram that went out, for whoever wants to repeat it. */
  sendRtp({ payloadType, sequence, timestamp, marker = false, payload }: LiteRtp): Buffer {
    const header = new RtpHeader({
      payloadType,
      sequenceNumber: sequence & 0xffff,
      timestamp: timestamp >>> 0,
      marker,
      ssrc: peerSsrc,
    });
    const datagram = this.#transport.srtp.encrypt(Buffer.from(payload), header);
    this.sendDatagram(datagram);
    return datagram;
  }

  /** The same for a compound RTCP packet, which may be anything. */
  sendRtcp(compound: Buffer): Buffer {
    const datagram = this.#transport.srtcp.encrypt(compound);
    this.sendDatagram(datagram);
    return datagram;
  }

  /** Says any octets as RTP under the call's keys; those that are no RTP header at all go out as they are. */
  sendSealed(packet: Buffer): void {
    const isRtp = packet.length >= 12 && rtpHeaderLength(packet) <= packet.length;
    // A sender for each: it would not let numbers go back.
    this.sendDatagram(isRtp ? new SrtpSender(this.#key).sealRtp(packet) : packet);
  }

  get #key(): SrtpKey {
    const { localMasterKey, localMasterSalt } = this.#transport.srtp.config.keys;
    const key = SrtpKey.of('AES_CM_128_HMAC_SHA1_80', Buffer.concat([localMasterKey, localMasterSalt]));
    if (!key) throw new Error('no key of the profile that is agreed on');
    return key;
  }

  /** Sends octets as they are from the peer's own address: what a forger of addresses could send. */
  sendDatagram(datagram: Buffer): void {
    void this.#transport.iceTransport.connection.send(datagram);
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  get #transport(): RTCDtlsTransport {
    return this.connection.dtlsTransports[0]!;
  }

  async #describe(description: Parameters<RTCPeerConnection['setLocalDescription']>[0]): Promise<string> {
    await this.connection.setLocalDescription(description);
    this.#transport.onRtp.subscribe((packet) => this.onRtp(packet));
    this.#transport.onRtcp.subscribe(({ type }) => this.reports.push(type));
    // Reports of its own would be among those that a test counts.
    this.#transport.sendRtcp = () => Promise.resolve(undefined);
    const sdp = String(this.connection.localDescription?.sdp);
    if (!sdp.includes(` ${this.host} `)) throw new Error('the lite peer has no candidate');
    return sdp;
  }
}
