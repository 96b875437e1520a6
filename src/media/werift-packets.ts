import {
  ProtectionProfileAes128CmHmacSha1_80,
  RtpPacket,
  type DtlsSocket,
  type RTCDtlsTransport,
  type RtcpPacket,
} from 'werift';
import { SrtpKey } from '../sdp/sdes.js';
import { MediaError } from './media-error.js';
import { OwnPackets, type PacketSink, type SecuredPackets } from './webrtc-packets.js';
import { ReplayFilter } from './webrtc-replay.js';
import type { WeriftIce } from './werift-ice.js';
import { correctRollover } from './werift-rollover.js';

/**
 * How packets run once DTLS is up: by our own SRTP, straight from socket to stream, or by werift's packet events, at three
 * times the cost, if a start-up check found that werift is not what this was written for.
 */
export type PacketPath = 'own' | 'werift';

type Keys = Record<'localKey' | 'localSalt' | 'remoteKey' | 'remoteSalt', unknown>;

const suite = 'AES_CM_128_HMAC_SHA1_80';
const masterKeyBytes = 16;
const masterSaltBytes = 14;

/**
 * The one place where packets leave or enter werift: joins a transport whose handshake is done to `sink`.
 * @throws MediaError `internal` if werift has no keys as expected.
 */
export function securedPackets(
  path: PacketPath,
  transport: RTCDtlsTransport,
  ice: WeriftIce,
  sink: PacketSink,
): SecuredPackets {
  if (path === 'werift') return new WeriftPackets(transport, ice, sink);
  const packets = new OwnPackets(agreedKeys(transport.dtls), sink, ice);
  ice.divertPackets(packets);
  return packets;
}

/** The master keys of both directions (RFC 5764 §4.2). */
function agreedKeys(dtls: DtlsSocket | undefined): { local: SrtpKey; remote: SrtpKey } {
  if (dtls?.srtp.srtpProfile !== ProtectionProfileAes128CmHmacSha1_80) {
    throw new MediaError('internal', 'no SRTP profile that was offered');
  }
  const keys: Keys = dtls.extractSessionKeys(masterKeyBytes, masterSaltBytes);
  return { local: keyOf(keys.localKey, keys.localSalt), remote: keyOf(keys.remoteKey, keys.remoteSalt) };
}

function keyOf(key: unknown, salt: unknown): SrtpKey {
  const isAsExpected = Buffer.isBuffer(key) && Buffer.isBuffer(salt) && key.length === masterKeyBytes;
  const made = isAsExpected ? SrtpKey.of(suite, Buffer.concat([key, salt])) : undefined;
  if (!made) throw new MediaError('internal', 'the session keys of werift are not built as expected');
  return made;
}

/** The fall-back: werift's SRTP and its packet events, with the replay window and the roll-over that it lacks. */
class WeriftPackets implements SecuredPackets {
  readonly #replays = new ReplayFilter();

  constructor(
    private readonly transport: RTCDtlsTransport,
    private readonly ice: WeriftIce,
    private readonly sink: PacketSink,
  ) {
    correctRollover(transport.srtp);
    transport.onRtp.subscribe((packet) => this.#receive(packet));
    transport.onRtcp.subscribe((packet: RtcpPacket) => this.sink.receiveReport(packet.serialize()));
  }

  /** werift drops and does not count what is not authentic. */
  get refused(): { unauthentic: number; replayed: number } {
    return { unauthentic: 0, replayed: this.#replays.refused };
  }

  sendRtp(packet: Buffer): void {
    const { header, payload } = RtpPacket.deSerialize(packet);
    this.ice.send(this.transport.srtp.encrypt(payload, header));
  }

  sendRtcp(compound: Buffer): void {
    this.ice.send(this.transport.srtcp.encrypt(compound));
  }

  #receive(packet: RtpPacket): void {
    const { ssrc, sequenceNumber } = packet.header;
    if (this.#replays.accepts(ssrc, sequenceNumber)) this.sink.receive(packet.serialize());
  }
}
