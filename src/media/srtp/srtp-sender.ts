import type { SrtpKey } from '../../sdp/sdes.js';
import { rtpHeaderLength, uint16At, uint32At } from '../rtp-packet.js';
import type { PacketTransform } from './packet-transform.js';
import { srtpTransform } from './srtp-transform.js';

const cycle = 0x1_0000;

/** Encrypts one stream's RTP and RTCP with one master key. */
export class SrtpSender {
  readonly #transform: PacketTransform;
  /** Index of the newest packet sealed. */
  #index: number | undefined;
  #rtcpIndex = 0;

  constructor(readonly key: SrtpKey) {
    this.#transform = srtpTransform(key);
  }

  /** Seals a packet, which stays as it is. The result is only good until the next one is sealed. */
  sealRtp(packet: Buffer): Buffer {
    const sequence = uint16At(packet, 2);
    const last = this.#index;
    // Always ahead: an index that comes twice under one key would give the key stream away (RFC 3711 §9.1).
    const index = last === undefined ? sequence : last + ((sequence - last) & 0xffff || cycle);
    this.#index = index;
    return this.#transform.sealRtp(packet, rtpHeaderLength(packet), uint32At(packet, 8), index);
  }

  /** The same for a compound RTCP packet. */
  sealRtcp(packet: Buffer): Buffer {
    const index = this.#rtcpIndex++;
    return this.#transform.sealRtcp(packet, uint32At(packet, 4), index);
  }
}
