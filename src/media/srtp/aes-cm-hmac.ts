import { createCipheriv, createHmac, createSecretKey, timingSafeEqual, type Cipher, type KeyObject } from 'node:crypto';
import type { PacketTransform, SessionKeys } from './packet-transform.js';

const blockBytes = 16;
/** The longest datagram there is fits into so many blocks. */
const maxBlocks = 4096;
const rtcpHeaderBytes = 8;
const rtcpTagBytes = 10;
const encryptedFlag = 0x8000_0000;

/** AES in counter mode with HMAC-SHA1 (RFC 3711 §4.1.1, §4.2.1): RTP has a tag of 80 or 32 bits, RTCP always one of 80 (RFC 4568 §6.2.2). */
export class AesCmHmac implements PacketTransform {
  readonly tagBytes: { readonly rtp: number; readonly rtcp: number };
  readonly overheadBytes: { readonly rtp: number; readonly rtcp: number };
  readonly #rtp: KeyStream;
  readonly #rtcp: KeyStream;
  readonly #rtpAuth: KeyObject;
  readonly #rtcpAuth: KeyObject;
  readonly #rollover = Buffer.alloc(4);

  constructor(rtp: SessionKeys, rtcp: SessionKeys, rtpTagBytes: 4 | 10) {
    this.tagBytes = { rtp: rtpTagBytes, rtcp: rtcpTagBytes };
    this.overheadBytes = { rtp: rtpTagBytes, rtcp: 4 + rtcpTagBytes };
    this.#rtp = new KeyStream(rtp);
    this.#rtcp = new KeyStream(rtcp);
    this.#rtpAuth = createSecretKey(rtp.authKey);
    this.#rtcpAuth = createSecretKey(rtcp.authKey);
  }

  sealRtp(packet: Buffer, headerBytes: number, ssrc: number, index: number): Buffer {
    const end = packet.length;
    const sealed = Buffer.allocUnsafe(end + this.tagBytes.rtp);
    packet.copy(sealed);
    this.#rtp.apply(sealed, headerBytes, end, ssrc, index);
    this.#rtpTag(sealed.subarray(0, end), index).copy(sealed, end, 0, this.tagBytes.rtp);
    return sealed;
  }

  openRtp(packet: Buffer, headerBytes: number, ssrc: number, index: number): Buffer | undefined {
    const end = packet.length - this.tagBytes.rtp;
    if (!isTag(packet.subarray(end), this.#rtpTag(packet.subarray(0, end), index))) return undefined;
    this.#rtp.apply(packet, headerBytes, end, ssrc, index);
    return packet.subarray(0, end);
  }

  sealRtcp(packet: Buffer, ssrc: number, index: number): Buffer {
    const end = packet.length;
    const sealed = Buffer.allocUnsafe(end + this.overheadBytes.rtcp);
    packet.copy(sealed);
    this.#rtcp.apply(sealed, rtcpHeaderBytes, end, ssrc, index);
    sealed.writeUInt32BE(encryptedFlag + index, end);
    hmac(this.#rtcpAuth, sealed.subarray(0, end + 4)).copy(sealed, end + 4, 0, rtcpTagBytes);
    return sealed;
  }

  openRtcp(packet: Buffer, ssrc: number, index: number): Buffer | undefined {
    const end = packet.length - this.overheadBytes.rtcp;
    if (!isTag(packet.subarray(end + 4), hmac(this.#rtcpAuth, packet.subarray(0, end + 4)))) return undefined;
    this.#rtcp.apply(packet, rtcpHeaderBytes, end, ssrc, index);
    return packet.subarray(0, end);
  }

  /** The rollover counter is authenticated, too, though it is not sent (RFC 3711 §4.2). */
  #rtpTag(authenticated: Buffer, index: number): Buffer {
    this.#rollover.writeUInt32BE(Math.floor(index / 0x1_0000));
    return hmac(this.#rtpAuth, authenticated, this.#rollover);
  }
}

/**
 * The key stream of one session key. One cipher in ECB mode encrypts the counters of every packet, since a cipher in counter
 * mode would have to be made anew for each.
 */
class KeyStream {
  readonly #cipher: Cipher;
  readonly #salt: Buffer;
  #counters = Buffer.alloc(0);

  constructor({ key, salt }: SessionKeys) {
    this.#cipher = createCipheriv('aes-128-ecb', key, null).setAutoPadding(false);
    this.#salt = salt;
  }

  /** Encrypts or decrypts the bytes between `start` and `end` in place (RFC 3711 §4.1.1). */
  apply(bytes: Buffer, start: number, end: number, ssrc: number, index: number): void {
    const blocks = Math.min(maxBlocks, Math.ceil((end - start) / blockBytes));
    if (blocks <= 0) return;
    const stream = this.#cipher.update(this.#countersOf(blocks, ssrc, index));
    for (let i = start, k = 0; i < end; i++, k++) bytes[i] = (bytes[i] ?? 0) ^ (stream[k] ?? 0);
  }

  /** IV = (salt · 2^16) XOR (SSRC · 2^64) XOR (index · 2^16), counted up from block to block. */
  #countersOf(blocks: number, ssrc: number, index: number): Buffer {
    const bytes = blocks * blockBytes;
    if (this.#counters.length < bytes) this.#counters = Buffer.alloc(bytes);
    const counters = this.#counters;
    const salt = this.#salt;
    const [high, low] = [Math.floor(index / 0x1_0000), index % 0x1_0000];
    const words = [
      salt.readUInt32BE(0),
      (salt.readUInt32BE(4) ^ ssrc) >>> 0,
      (salt.readUInt32BE(8) ^ high) >>> 0,
      ((salt.readUInt16BE(12) ^ low) << 16) >>> 0,
    ] as const;
    for (let block = 0, at = 0; block < blocks; block++, at += blockBytes) {
      counters.writeUInt32BE(words[0], at);
      counters.writeUInt32BE(words[1], at + 4);
      counters.writeUInt32BE(words[2], at + 8);
      counters.writeUInt32BE(words[3] + block, at + 12);
    }
    return counters.subarray(0, bytes);
  }
}

function hmac(key: KeyObject, ...parts: readonly Buffer[]): Buffer {
  const mac = createHmac('sha1', key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

function isTag(tag: Buffer, mac: Buffer): boolean {
  return timingSafeEqual(tag, mac.subarray(0, tag.length));
}
