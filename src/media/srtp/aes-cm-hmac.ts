import { HmacSha1 } from './hmac-sha1.js';
import { KeyStream } from './key-stream.js';
import type { PacketTransform, SessionKeys } from './packet-transform.js';

const rtcpHeaderBytes = 8;
const rtcpTagBytes = 10;
const indexBytes = 4;
const encryptedFlag = 0x8000_0000;

/**
 * AES in counter mode with HMAC-SHA1 (RFC 3711 §4.1.1, §4.2.1): RTP has a tag of 80 or 32 bits, RTCP always one of 80
 * (RFC 4568 §6.2.2). Packets are sealed where they are hashed, so that nothing is made for a packet but views of that buffer.
 */
export class AesCmHmac implements PacketTransform {
  readonly tagBytes: { readonly rtp: number; readonly rtcp: number };
  readonly overheadBytes: { readonly rtp: number; readonly rtcp: number };
  readonly #rtp: KeyStream;
  readonly #rtcp: KeyStream;
  readonly #rtpAuth: HmacSha1;
  readonly #rtcpAuth: HmacSha1;

  constructor(rtp: SessionKeys, rtcp: SessionKeys, rtpTagBytes: 4 | 10) {
    this.tagBytes = { rtp: rtpTagBytes, rtcp: rtcpTagBytes };
    this.overheadBytes = { rtp: rtpTagBytes, rtcp: indexBytes + rtcpTagBytes };
    this.#rtp = new KeyStream(rtp);
    this.#rtcp = new KeyStream(rtcp);
    this.#rtpAuth = new HmacSha1(rtp.authKey);
    this.#rtcpAuth = new HmacSha1(rtcp.authKey);
  }

  sealRtp(packet: Buffer, headerBytes: number, ssrc: number, index: number): Buffer {
    const { start, buffer } = placed(packet, packet.length, this.#rtpAuth);
    const end = start + packet.length;
    this.#rtp.apply(buffer, start + headerBytes, end, ssrc, index);
    // The rollover counter is authenticated, too, though it is not sent (RFC 3711 §4.2).
    buffer.writeUInt32BE(Math.floor(index / 0x1_0000), end);
    const tagBytes = this.tagBytes.rtp;
    buffer.write(this.#rtpAuth.digest(packet.length + indexBytes), end, tagBytes, 'binary');
    return buffer.subarray(start, end + tagBytes);
  }

  openRtp(packet: Buffer, headerBytes: number, ssrc: number, index: number): Buffer | undefined {
    const end = packet.length - this.tagBytes.rtp;
    const { start, buffer } = placed(packet, end, this.#rtpAuth);
    buffer.writeUInt32BE(Math.floor(index / 0x1_0000), start + end);
    if (!isTag(packet, end, this.#rtpAuth.digest(end + indexBytes))) return undefined;
    this.#rtp.apply(packet, headerBytes, end, ssrc, index);
    return packet.subarray(0, end);
  }

  sealRtcp(packet: Buffer, ssrc: number, index: number): Buffer {
    const { start, buffer } = placed(packet, packet.length, this.#rtcpAuth);
    const end = start + packet.length;
    this.#rtcp.apply(buffer, start + rtcpHeaderBytes, end, ssrc, index);
    buffer.writeUInt32BE(encryptedFlag + index, end);
    const tag = this.#rtcpAuth.digest(packet.length + indexBytes);
    buffer.write(tag, end + indexBytes, rtcpTagBytes, 'binary');
    return buffer.subarray(start, end + this.overheadBytes.rtcp);
  }

  openRtcp(packet: Buffer, ssrc: number, index: number): Buffer | undefined {
    const authenticated = packet.length - rtcpTagBytes;
    const end = authenticated - indexBytes;
    placed(packet, authenticated, this.#rtcpAuth);
    if (!isTag(packet, authenticated, this.#rtcpAuth.digest(authenticated))) return undefined;
    this.#rtcp.apply(packet, rtcpHeaderBytes, end, ssrc, index);
    return packet.subarray(0, end);
  }
}

/** Puts the first `bytes` of a packet where they are hashed, with room for what follows them. */
function placed(packet: Buffer, bytes: number, auth: HmacSha1): HmacSha1 {
  auth.reserve(bytes + indexBytes + rtcpTagBytes);
  packet.copy(auth.buffer, auth.start, 0, bytes);
  return auth;
}

/** Compares the bytes from `at` on with the beginning of a MAC, in a time that does not tell where they differ. */
function isTag(packet: Buffer, at: number, mac: string): boolean {
  let difference = 0;
  for (let i = at; i < packet.length; i++) difference |= (packet[i] ?? 0) ^ mac.charCodeAt(i - at);
  return difference === 0;
}
