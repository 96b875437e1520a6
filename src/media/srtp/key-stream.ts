import { createCipheriv, type Cipher } from 'node:crypto';
import type { SessionKeys } from './packet-transform.js';

const blockBytes = 16;
/** The longest datagram there is fits into so many blocks. */
const maxBlocks = 4096;
const initialBlocks = 16;

/**
 * The key stream of AES in counter mode for one session key (RFC 3711 §4.1.1). One cipher in ECB mode encrypts the counters of
 * every packet, since a cipher in counter mode would have to be made anew for each.
 */
export class KeyStream {
  readonly #cipher: Cipher;
  readonly #salt: Buffer;
  #counters = Buffer.alloc(0);

  constructor({ key, salt }: Pick<SessionKeys, 'key' | 'salt'>) {
    this.#cipher = createCipheriv('aes-128-ecb', key, null).setAutoPadding(false);
    this.#salt = salt;
    this.#reserve(initialBlocks);
  }

  /** Encrypts or decrypts the bytes between `start` and `end` in place. */
  apply(bytes: Uint8Array, start: number, end: number, ssrc: number, index: number): void {
    const blocks = Math.min(maxBlocks, (end - start + blockBytes - 1) >> 4);
    if (blocks <= 0) return;
    this.#count(blocks, ssrc, index);
    const stream = this.#cipher.update(this.#counters.subarray(0, blocks * blockBytes));
    for (let i = start, k = 0; i < end; i++, k++) bytes[i] = (bytes[i] ?? 0) ^ (stream[k] ?? 0);
  }

  /** IV = (salt · 2^16) XOR (SSRC · 2^64) XOR (index · 2^16): the bytes 4 to 13 are the packet's, the last two count blocks. */
  #count(blocks: number, ssrc: number, index: number): void {
    if (this.#counters.length < blocks * blockBytes) this.#reserve(blocks);
    const counters = this.#counters;
    const salt = this.#salt;
    const high = Math.floor(index / 0x1_0000);
    const source = salt.readInt32BE(4) ^ ssrc;
    const rollover = salt.readInt32BE(8) ^ high;
    const sequence = salt.readUInt16BE(12) ^ (index & 0xffff);
    for (let at = 4; at < blocks * blockBytes; at += blockBytes) {
      counters[at] = source >>> 24;
      counters[at + 1] = source >>> 16;
      counters[at + 2] = source >>> 8;
      counters[at + 3] = source;
      counters[at + 4] = rollover >>> 24;
      counters[at + 5] = rollover >>> 16;
      counters[at + 6] = rollover >>> 8;
      counters[at + 7] = rollover;
      counters[at + 8] = sequence >>> 8;
      counters[at + 9] = sequence;
    }
  }

  #reserve(blocks: number): void {
    const counters = Buffer.alloc(blocks * blockBytes);
    for (let block = 0; block < blocks; block++) {
      this.#salt.copy(counters, block * blockBytes, 0, 4);
      counters.writeUInt16BE(block, block * blockBytes + 14);
    }
    this.#counters = counters;
  }
}
