import { createCipheriv } from 'node:crypto';
import type { SrtpKey } from '../../sdp/sdes.js';
import { AesCmHmac } from './aes-cm-hmac.js';
import { AesGcm } from './aes-gcm.js';
import type { PacketTransform, SessionKeys } from './packet-transform.js';

const labels = { rtp: [0, 1, 2], rtcp: [3, 4, 5] } as const;
const authKeyBytes = 20;

/** Makes the transform of a key's suite. */
export function srtpTransform(key: SrtpKey): PacketTransform {
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
