import type { IdSource } from '../../lib/ids.js';

const BLOCK_BYTES = 2048;

/**
 * Draws randomness in blocks: a call needs some thirty ids, and a system call for each would cost more than the rest of
 * the signalling.
 */
export class IdPool implements IdSource {
  #block = '';
  #used = 0;

  constructor(private readonly source: IdSource) {}

  callId(): ReturnType<IdSource['callId']> {
    return this.source.callId();
  }

  hex(bytes: number): string {
    const length = 2 * bytes;
    if (length > 2 * BLOCK_BYTES) return this.source.hex(bytes);
    if (this.#used + length > this.#block.length) {
      this.#block = this.source.hex(BLOCK_BYTES);
      this.#used = 0;
    }
    const text = this.#block.slice(this.#used, this.#used + length);
    this.#used += length;
    return text;
  }
}
