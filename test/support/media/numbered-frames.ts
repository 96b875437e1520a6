import { userTone } from './fleet-tones.js';

const magic = 0x5157;
const labelBytes = 8;

/**
 * A frame of the user's tone that says which call it is of and which one it is: the label is Opus padding (RFC 6716 §3.2.5),
 * which no decoder looks at. The sound has to be loud, since frames of a pause may be doubled or left out.
 */
export function numberedFrame(call: number, number: number): Buffer {
  const frame = userTone[number % userTone.length] ?? Buffer.alloc(0);
  const oneFrameAndPadding = 0x41;
  const label = Buffer.alloc(labelBytes);
  label.writeUInt16BE(magic, 0);
  label.writeUInt16BE(call, 2);
  label.writeUInt32BE(number, 4);
  return Buffer.concat([Buffer.of((frame[0] ?? 0) | 3, oneFrameAndPadding, labelBytes), frame.subarray(1), label]);
}

/** Which of a call's numbered frames have arrived at the far end. */
export class Arrivals {
  /** Frames that are not of this call, nor the bridge's own silence, or came a second time. */
  strange = 0;
  readonly #seen = new Set<number>();

  constructor(private readonly call: number) {}

  take(payload: Uint8Array): void {
    const label = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).subarray(-labelBytes);
    // The bridge's own silence, and its telephone-events, are shorter than any label.
    if (label.length < labelBytes) return;
    const isOurs = label.readUInt16BE(0) === magic && label.readUInt16BE(2) === this.call;
    const number = isOurs ? label.readUInt32BE(4) : -1;
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
