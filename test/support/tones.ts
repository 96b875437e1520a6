import { createOpusCodec } from '../../src/media/opus-codec.js';
import {
  decodeG711,
  alawDecodeTable,
  alawEncodeTable,
  encodeG711,
  ulawDecodeTable,
  ulawEncodeTable,
} from '../../src/media/g711.js';
import type { Pcm } from '../../src/sandbox/audio/pcm.js';

/** Frames of a sine at 8 kHz, one after the other without a seam. */
export class ToneSource {
  #position = 0;

  constructor(
    private readonly hz: number,
    private readonly amplitude = 8000,
  ) {}

  next(samples: number): Int16Array {
    const start = this.#position;
    this.#position += samples;
    return Int16Array.from({ length: samples }, (_, i) =>
      Math.round(this.amplitude * Math.sin((2 * Math.PI * this.hz * (start + i)) / 8000)),
    );
  }
}

export function toG711(codec: 'PCMA' | 'PCMU', pcm: Int16Array): Uint8Array {
  const octets = new Uint8Array(pcm.length);
  encodeG711(codec === 'PCMA' ? alawEncodeTable : ulawEncodeTable, pcm, pcm.length, octets);
  return octets;
}

export function fromG711(codec: 'PCMA' | 'PCMU', payloads: readonly Uint8Array[]): Pcm {
  const octets = Buffer.concat(payloads);
  const pcm = new Int16Array(octets.length);
  decodeG711(codec === 'PCMA' ? alawDecodeTable : ulawDecodeTable, octets, pcm);
  return { rateHz: 8000, samples: Float32Array.from(pcm, (value) => value / 32_768) };
}

export function fromOpus(packets: readonly Uint8Array[]): Pcm {
  const decoder = createOpusCodec('wasm').createDecoder(8000);
  const pcm = new Int16Array(960);
  const samples = packets.flatMap((packet) => [...pcm.subarray(0, decoder.decode(packet, pcm))]);
  decoder.close();
  return { rateHz: 8000, samples: Float32Array.from(samples, (value) => value / 32_768) };
}
