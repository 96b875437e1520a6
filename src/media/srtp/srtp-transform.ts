import { createCipheriv } from 'node:crypto';
import type { SrtpKey } from '../../sdp/sdes.js';
import { AesCmHmac } from './aes-cm-hmac.js';
import { AesGcm } from './aes-gcm.js';

/**
 * How packets of one direction are encrypted and authenticated. `index` is the packet index of RFC 3711 §3.3.1 (48 bits) for
 * RTP, the SRTCP index (31 bits) for RTCP. What does not authenticate is undefined, and its bytes are as they were; what does
 * may have been decrypted in place.
 */
export interface SrtpTransform {
  /** Bytes of the tag that stands after an MKI, for RTP and for RTCP. */
  readonly tagBytes: { readonly rtp: number; readonly rtcp: number };
  /** Bytes that a sealed packet is longer by. */
  readonly overheadBytes: { readonly rtp: number; readonly rtcp: number };
  sealRtp(packet: Buffer, headerBytes: number, ssrc: number, index: number): Buffer;
  openRtp(packet: Buffer, headerBytes: number, ssrc: number, index: number): Buffer | undefined;
  sealRtcp(packet: Buffer, ssrc: number, index: number): Buffer;
  openRtcp(packet: Buffer, ssrc: number, index: number): Buffer | undefined;
}

/** Keys of one protocol of one direction. */
export interface SessionKeys {
  readonly key: Buffer;
  readonly salt: Buffer;
  /** Unused by AEAD. */
  readonly authKey: Buffer;
}

const labels = { rtp: [0, 1, 2], rtcp: [3, 4, 5] } as const;
const authKeyBytes = 20;

/** Makes the transform of a key's suite. */
export function srtpTransform(key: SrtpKey): SrtpTransform {
  const [rtp, rtcp] = [sessionKeys(key, 'rtp'), sessionKeys(key, 'rtcp')];
  switch (key.suite) {
    case 'AEAD_AES_128_GCM':
      return new AesGcm(rtp, rtcp);
    case 'AES_CM_128_HMAC_SHA1_80':
      return new AesCmHmac(rtp, rtcp, 10);
    case 'AES_CM_128_HMAC_SHA1_32':
      return new AesCmHmac(rtp, rtcp, 4);
  }
}

/** Session keys by RFC 3711 §4.3.1, with a key derivation rate of zero (RFC 4568 §6.3.1); RFC 7714 §11 for GCM. */
export function sessionKeys({ masterKey, masterSalt }: SrtpKey, protocol: 'rtp' | 'rtcp'): SessionKeys {
  const [key, auth, salt] = labels[protocol];
  return {
    key: derived(masterKey, masterSalt, key, 16),
    authKey: derived(masterKey, masterSalt, auth, authKeyBytes),
    salt: derived(masterKey, masterSalt, salt, masterSalt.length),
  };
}

/** The key stream of AES in counter mode, begun at the salt with the label mixed in at its byte 7. */
function derived(masterKey: Buffer, masterSalt: Buffer, label: number, bytes: number): Buffer {
  const start = Buffer.alloc(16);
  masterSalt.copy(start);
  start.writeUInt8(start.readUInt8(7) ^ label, 7);
  return createCipheriv('aes-128-ctr', masterKey, start).update(Buffer.alloc(bytes));
}
