import { hash } from 'node:crypto';

const blockBytes = 64;
const digestBytes = 20;
const initialBytes = 512;

/**
 * HMAC-SHA1 with one key (RFC 2104). Node makes an object for each HMAC, the dearest part of a packet by far; for a hash in one
 * call it makes none, and a string of bytes costs less than a buffer. So the two hashes of an HMAC are taken one by one, and
 * the message stands behind the padded key in the one buffer that is hashed.
 */
export class HmacSha1 {
  readonly #innerPad: Uint8Array;
  readonly #outer = Buffer.alloc(blockBytes + digestBytes);
  #inner = Buffer.alloc(0);

  constructor(key: Buffer) {
    const padded = Buffer.alloc(blockBytes);
    key.copy(padded);
    this.#innerPad = padded.map((byte) => byte ^ 0x36);
    this.#outer.set(padded.map((byte) => byte ^ 0x5c));
    this.reserve(initialBytes);
  }

  /** Where the message begins in `buffer`. */
  readonly start = blockBytes;

  /** The buffer that the message has to be put into, behind `start`; another one after `reserve`. */
  get buffer(): Buffer {
    return this.#inner;
  }

  /** Makes room for a message of so many bytes; what was in the buffer is lost if it has to grow. */
  reserve(bytes: number): void {
    if (this.#inner.length >= blockBytes + bytes) return;
    this.#inner = Buffer.alloc(blockBytes + bytes);
    this.#inner.set(this.#innerPad);
  }

  /** The MAC of the first `bytes` bytes of the message: twenty characters, one a byte. */
  digest(bytes: number): string {
    const outer = this.#outer;
    outer.write(hash('sha1', this.#inner.subarray(0, blockBytes + bytes), 'binary'), blockBytes, digestBytes, 'binary');
    return hash('sha1', outer, 'binary');
  }
}
