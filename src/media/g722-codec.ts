import type { AudioCodec, AudioDecoder, AudioEncoder } from './audio-codec.js';
import { G722Decoder, G722Encoder } from './g722.js';
import { PitchConcealment } from './pitch-concealment.js';

const sampleRate = 16_000;
const samplesPerOctet = 2;

class G722AudioDecoder implements AudioDecoder {
  readonly #decoder = new G722Decoder();
  readonly #concealment = new PitchConcealment(sampleRate);

  decode(payload: Uint8Array, pcm: Int16Array): number {
    const count = this.#decoder.decode(payload, pcm);
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

class G722AudioEncoder implements AudioEncoder {
  readonly #encoder = new G722Encoder();
  readonly #octets: Uint8Array;

  constructor(frameSamples: number) {
    this.#octets = new Uint8Array(frameSamples / samplesPerOctet);
  }

  encode(frame: Int16Array): Uint8Array {
    this.#encoder.encode(frame, this.#octets);
    return this.#octets;
  }

  close(): void {
    // Nothing is held.
  }
}

/** G.722 at 64 kbit/s: 16 kHz audio on an RTP clock of 8000 (RFC 3551 §4.5.2). */
export const g722Codec: AudioCodec = {
  name: 'G722',
  sampleRates: [sampleRate],
  createDecoder: () => new G722AudioDecoder(),
  createEncoder: (_sampleRate, frameSamples) => new G722AudioEncoder(frameSamples),
};
