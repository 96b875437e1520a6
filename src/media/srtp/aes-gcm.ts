import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import type { PacketTransform, SessionKeys } from './packet-transform.js';

const algorithm = 'aes-128-gcm';
const ivBytes = 12;
const tagBytes = 16;
const rtcpHeaderBytes = 8;
const encryptedFlag = 0x8000_0000;

/** AES-128 in Galois/counter mode (RFC 7714): its tag of 128 bits is part of the ciphertext. */
export class AesGcm implements PacketTransform {
  /** An MKI stands behind everything (RFC 7714 §8.2, §9.2). */
  readonly tagBytes = { rtp: 0, rtcp: 0 };
  readonly overheadBytes = { rtp: tagBytes, rtcp: tagBytes + 4 };
  readonly #rtp: Aead;
  readonly #rtcp: Aead;

  constructor(rtp: SessionKeys, rtcp: SessionKeys) {
    this.#rtp = new Aead(rtp);
    this.#rtcp = new Aead(rtcp);
  }

  sealRtp(packet: Buffer, headerBytes: number, ssrc: number, index: number): Buffer {
    const sealed = Buffer.allocUnsafe(packet.length + tagBytes);
    packet.copy(sealed, 0, 0, headerBytes);
    const header = packet.subarray(0, headerBytes);
    this.#rtp.seal(packet.subarray(headerBytes), header, rtpIv(ssrc, index), sealed, headerBytes);
    return sealed;
  }

  openRtp(packet: Buffer, headerBytes: number, ssrc: number, index: number): Buffer | undefined {
    const header = packet.subarray(0, headerBytes);
    const payload = this.#rtp.open(packet.subarray(headerBytes), header, rtpIv(ssrc, index));
    return payload && replaced(packet, headerBytes, payload);
  }

  sealRtcp(packet: Buffer, ssrc: number, index: number): Buffer {
    const sealed = Buffer.allocUnsafe(packet.length + tagBytes + 4);
    packet.copy(sealed, 0, 0, rtcpHeaderBytes);
    sealed.writeUInt32BE(encryptedFlag + index, sealed.length - 4);
    const authenticated = Buffer.concat([packet.subarray(0, rtcpHeaderBytes), sealed.subarray(sealed.length - 4)]);
    this.#rtcp.seal(packet.subarray(rtcpHeaderBytes), authenticated, rtcpIv(ssrc, index), sealed, rtcpHeaderBytes);
    return sealed;
  }

  openRtcp(packet: Buffer, ssrc: number, index: number): Buffer | undefined {
    const end = packet.length - 4;
    const authenticated = Buffer.concat([packet.subarray(0, rtcpHeaderBytes), packet.subarray(end)]);
    const content = this.#rtcp.open(packet.subarray(rtcpHeaderBytes, end), authenticated, rtcpIv(ssrc, index));
    return content && replaced(packet, rtcpHeaderBytes, content);
  }
}

/** One session key with its salt. */
class Aead {
  readonly #key: KeyObject;
  readonly #salt: Buffer;

  constructor({ key, salt }: SessionKeys) {
    this.#key = createSecretKey(key);
    this.#salt = salt;
  }

  /** Writes ciphertext and tag into `into`. */
  seal(plain: Buffer, authenticated: Buffer, iv: Buffer, into: Buffer, at: number): void {
    const cipher = createCipheriv(algorithm, this.#key, this.#salted(iv), { authTagLength: tagBytes });
    cipher.setAAD(authenticated);
    cipher.update(plain).copy(into, at);
    cipher.final();
    cipher.getAuthTag().copy(into, at + plain.length);
  }

  open(sealed: Buffer, authenticated: Buffer, iv: Buffer): Buffer | undefined {
    const end = sealed.length - tagBytes;
    const decipher = createDecipheriv(algorithm, this.#key, this.#salted(iv), { authTagLength: tagBytes });
    decipher.setAAD(authenticated).setAuthTag(sealed.subarray(end));
    const plain = decipher.update(sealed.subarray(0, end));
    try {
      decipher.final();
      return plain;
    } catch {
      return undefined;
    }
  }

  #salted(iv: Buffer): Buffer {
    for (let i = 0; i < ivBytes; i++) iv[i] = (iv[i] ?? 0) ^ (this.#salt[i] ?? 0);
    return iv;
  }
}

/** RFC 7714 §8.1: two zero bytes, SSRC, rollover counter and sequence number. */
function rtpIv(ssrc: number, index: number): Buffer {
  const iv = Buffer.alloc(ivBytes);
  iv.writeUInt32BE(ssrc, 2);
  iv.writeUIntBE(index, 6, 6);
  return iv;
}

/** RFC 7714 §9.1: two zero bytes, SSRC, two zero bytes, SRTCP index. */
function rtcpIv(ssrc: number, index: number): Buffer {
  const iv = Buffer.alloc(ivBytes);
  iv.writeUInt32BE(ssrc, 2);
  iv.writeUInt32BE(index, 8);
  return iv;
}

/** The packet with its decrypted content in place of what was sealed. */
function replaced(packet: Buffer, headerBytes: number, content: Buffer): Buffer {
  content.copy(packet, headerBytes);
  return packet.subarray(0, headerBytes + content.length);
}
