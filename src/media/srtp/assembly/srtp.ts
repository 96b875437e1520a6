/**
 * AES in counter mode with HMAC-SHA1 for SRTP packets (RFC 3711 §4.1.1, §4.2.1), compiled to WebAssembly with vectors. One packet,
 * one call: the host has put the session's state and the packet in place.
 */
import { applyKeyStream, expandKey, makeSBox } from './aes';
import { hashAt, openAt, sealAt, tagAt } from './memory';
import { keyMac, mac } from './sha1';

export { keyAt, openAt, saltAt, sealAt, stateAt, stateBytes } from './memory';
export { expandKey, keyMac };

const indexBytes: usize = 4;
const longestTagBytes: usize = 10;
const encryptedFlag: u32 = 0x8000_0000;

makeSBox();

/** Encrypts the packet at `sealAt` behind its header and puts a tag behind it. The index is `rollovers` · 2^16 + `sequence`. */
export function sealRtp(
  bytes: usize,
  headerBytes: usize,
  ssrc: u32,
  rollovers: u32,
  sequence: u32,
  tagBytes: usize,
): void {
  const end = sealAt + bytes;
  applyKeyStream(sealAt + headerBytes, end, ssrc, rollovers, sequence);
  // The rollover counter is authenticated, too, though it is not sent (§4.2).
  store<u32>(end, bswap<u32>(rollovers));
  mac(sealAt, bytes + indexBytes);
  memory.copy(end, hashAt, tagBytes);
}

/** Decrypts the packet at `openAt`, whose tag stands behind its `bytes`; false, and as it was, if it is not authentic. */
export function openRtp(
  bytes: usize,
  headerBytes: usize,
  ssrc: u32,
  rollovers: u32,
  sequence: u32,
  tagBytes: usize,
): bool {
  const end = openAt + bytes;
  memory.copy(tagAt, end, longestTagBytes);
  store<u32>(end, bswap<u32>(rollovers));
  mac(openAt, bytes + indexBytes);
  if (!isTag(tagBytes)) return false;
  applyKeyStream(openAt + headerBytes, end, ssrc, rollovers, sequence);
  return true;
}

/** The same for a compound RTCP packet (§3.4): its index stands behind it, in the clear and authenticated. */
export function sealRtcp(bytes: usize, headerBytes: usize, ssrc: u32, index: u32, tagBytes: usize): void {
  const end = sealAt + bytes;
  applyKeyStream(sealAt + headerBytes, end, ssrc, index >>> 16, index & 0xffff);
  store<u32>(end, bswap<u32>(encryptedFlag | index));
  mac(sealAt, bytes + indexBytes);
  memory.copy(end + indexBytes, hashAt, tagBytes);
}

/** Index and tag stand behind the `bytes` of the packet. */
export function openRtcp(bytes: usize, headerBytes: usize, ssrc: u32, index: u32, tagBytes: usize): bool {
  const end = openAt + bytes;
  memory.copy(tagAt, end + indexBytes, longestTagBytes);
  mac(openAt, bytes + indexBytes);
  if (!isTag(tagBytes)) return false;
  applyKeyStream(openAt + headerBytes, end, ssrc, index >>> 16, index & 0xffff);
  return true;
}

/** Whether the MAC begins with the tag at `tagAt`, in a time that does not tell where they differ. */
function isTag(tagBytes: usize): bool {
  let difference: u32 = 0;
  for (let i: usize = 0; i < tagBytes; i++) difference |= load<u8>(tagAt + i) ^ load<u8>(hashAt + i);
  return difference == 0;
}
