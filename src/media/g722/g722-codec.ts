import type { AudioCodec, AudioDecoder, AudioEncoder } from '../audio-codec.js';
import { G722Decoder, G722Encoder } from './g722.js';
import { PitchConcealment } from '../pitch-concealment.js';

/** The codec's own, and that of its lower sub-band: for the other side's G.711. */
const [wideRate, narrowRate] = [16_000, 8000];
/** Both bands, or the lower one alone. */
const octetsPerSecond = 8000;

class G722AudioDecoder implements AudioDecoder {
  readonly #decoder = new G722Decoder();
  readonly #concealment: PitchConcealment;

  constructor(private readonly sampleRate: number) {
    this.#concealment = new PitchConcealment(sampleRate);
  }

  decode(payload: Uint8Array, pcm: Int16Array): number {
    const decoder = this.#decoder;
    const count = this.sampleRate === wideRate ? decoder.decode(payload, pcm) : decoder.decodeNarrow(payload, pcm);
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

  constructor(
    private readonly sampleRate: number,
    frameSamples: number,
  ) {
    this.#octets = new Uint8Array((frameSamples * octetsPerSecond) / sampleRate);
  }

  encode(frame: Int16Array): Uint8Array {
    if (this.sampleRate === wideRate) this.#encoder.encode(frame, this.#octets);
    else this.#encoder.encodeNarrow(frame, this.#octets);
    return this.#octets;
  }

  close(): void {
    // Nothing is held.
  }
}

/** G.722 at 64 kbit/s: 16 kHz audio on an RTP clock of 8000 (RFC 3551 §4.5.2). */
export const g722Codec: AudioCodec = {
  name: 'G722',
  sampleRates: [wideRate, narrowRate],
  createDecoder: (sampleRate) => new G722AudioDecoder(sampleRate),
  createEncoder: (sampleRate, frameSamples) => new G722AudioEncoder(sampleRate, frameSamples),
};
