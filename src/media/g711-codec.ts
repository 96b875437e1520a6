import type { AudioCodec, AudioDecoder, AudioEncoder } from './audio-codec.js';
import { alawDecodeTable, alawEncodeTable, decodeG711, encodeG711, ulawDecodeTable, ulawEncodeTable } from './g711.js';
import { PitchConcealment } from './pitch-concealment.js';

const sampleRate = 8000;

class G711Decoder implements AudioDecoder {
  readonly #concealment = new PitchConcealment(sampleRate);

  constructor(private readonly table: Int16Array) {}

  decode(payload: Uint8Array, pcm: Int16Array): number {
    const count = decodeG711(this.table, payload, pcm);
    this.#concealment.remember(pcm, count);
    return count;
  }

  conceal(samples: number, _next: Uint8Array | undefined, pcm: Int16Array): void {
    this.#concealment.conceal(samples, pcm);
  }

  close(): void {
    // Nothing is held.
  }
}

class G711Encoder implements AudioEncoder {
  readonly #octets: Uint8Array;

  constructor(
    private readonly table: Uint8Array,
    frameSamples: number,
  ) {
    this.#octets = new Uint8Array(frameSamples);
  }

  encode(frame: Int16Array): Uint8Array {
    encodeG711(this.table, frame, this.#octets.length, this.#octets);
    return this.#octets;
  }

  close(): void {
    // Nothing is held.
  }
}

/** A-law (RFC 3551 §4.5.14). */
export const pcmaCodec: AudioCodec = {
  name: 'PCMA',
  sampleRates: [sampleRate],
  createDecoder: () => new G711Decoder(alawDecodeTable),
  createEncoder: (_sampleRate, frameSamples) => new G711Encoder(alawEncodeTable, frameSamples),
};

/** µ-law (RFC 3551 §4.5.14). */
export const pcmuCodec: AudioCodec = {
  name: 'PCMU',
  sampleRates: [sampleRate],
  createDecoder: () => new G711Decoder(ulawDecodeTable),
  createEncoder: (_sampleRate, frameSamples) => new G711Encoder(ulawEncodeTable, frameSamples),
};
