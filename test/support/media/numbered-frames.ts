/** Opus TOC of 20 ms of CELT, fullband, mono, one frame (RFC 6716 §3.1). What follows is never decoded where Opus is handed on. */
const toc = 0xf8;
const magic = 0x5157;
const frameBytes = 40;
const silentBytes = 3;

/** Makes and reads frames of Opus that say which call they are of and which one they are. */
export function numberedFrame(call: number, number: number): Buffer {
  const frame = Buffer.alloc(frameBytes, 0x33);
  frame[0] = toc;
  frame.writeUInt16BE(magic, 1);
  frame.writeUInt16BE(call, 3);
  frame.writeUInt32BE(number, 5);
  return frame;
}

/** Which of a call's numbered frames have arrived at the far end. */
export class Arrivals {
  /** Frames that are not of this call, nor the bridge's own silence, or came a second time. */
  strange = 0;
  readonly #seen = new Set<number>();

  constructor(private readonly call: number) {}

  take(payload: Uint8Array): void {
    if (payload.length <= silentBytes) return;
    const frame = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    const isOurs =
      frame.length === frameBytes && frame.readUInt16BE(1) === magic && frame.readUInt16BE(3) === this.call;
    const number = isOurs ? frame.readUInt32BE(5) : -1;
    if (!isOurs || this.#seen.has(number)) this.strange++;
    else this.#seen.add(number);
  }

  get count(): number {
    return this.#seen.size;
  }

  forget(): void {
    this.#seen.clear();
    this.strange = 0;
  }
}
