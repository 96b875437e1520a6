import { AdminFault } from './admin-client.js';

const HEAD_BYTES = 8;
const MAX_BLOCK_BYTES = 256 * 1024;
const ENHANCED_PACKET = 6;
const INTERFACE_STATISTICS = 5;
const DROPPED = 5;
/** Of a statistics block: head, interface and time. */
const OPTIONS_AT = 20;

/** Cuts a stream of pcapng into its blocks, so that a file made of them is good wherever the stream ends. */
export class PcapngBlocks {
  packets = 0;
  /** Packets that the daemon left out, as it says at the end. */
  dropped = 0;
  #rest: Buffer = Buffer.alloc(0);

  /** The blocks that are whole now. @throws AdminFault if it is no pcapng */
  take(chunk: Uint8Array): Buffer[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const blocks: Buffer[] = [];
    while (this.#rest.length >= HEAD_BYTES) {
      const bytes = this.#rest.readUInt32LE(4);
      if (bytes < HEAD_BYTES || bytes > MAX_BLOCK_BYTES) throw new AdminFault('the daemon sent no pcapng');
      if (this.#rest.length < bytes) break;
      const block = this.#rest.subarray(0, bytes);
      this.#rest = this.#rest.subarray(bytes);
      this.#count(block);
      blocks.push(block);
    }
    return blocks;
  }

  #count(block: Buffer): void {
    const type = block.readUInt32LE(0);
    if (type === ENHANCED_PACKET) this.packets++;
    if (type !== INTERFACE_STATISTICS) return;
    for (let at = OPTIONS_AT; at + 4 <= block.length - 4; at += 4 + ((block.readUInt16LE(at + 2) + 3) & ~3)) {
      if (block.readUInt16LE(at) === DROPPED) this.dropped += Number(block.readBigUInt64LE(at + 4));
    }
  }
}
