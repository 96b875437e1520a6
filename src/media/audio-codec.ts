import type { PbxCodec } from '../routing/types.js';

/** Turns payloads into 16-bit mono samples, one stream's packets in order. Never throws on what came from outside. */
export interface AudioDecoder {
  /** Decodes a payload into the start of `pcm`; returns the samples written, 0 if the payload is unusable. */
  decode(payload: Uint8Array, pcm: Int16Array): number;
  /**
   * Writes `samples` samples in place of lost audio to the start of `pcm`. `next` is the payload that follows at once,
   * if it is there already: some codecs carry a copy of the last frame in it.
   */
  conceal(samples: number, next: Uint8Array | undefined, pcm: Int16Array): void;
  /** Frees what the decoder holds outside the garbage collector's sight. Idempotent. */
  close(): void;
}

/** Turns frames of 16-bit mono samples into payloads. */
export interface AudioEncoder {
  /** Codes one frame of the length given at creation. The result is valid until the next call. */
  encode(frame: Int16Array): Uint8Array;
  /** Prepares for so many per cent of packets lost on the way; absent where a codec cannot. */
  expectLoss?(percent: number): void;
  /** Idempotent. */
  close(): void;
}

/** How hard encoders work. */
export interface CodecEffort {
  /** 0 cheapest to 10 best; to be lowered under overload. */
  complexity: number;
}

/** A codec as the bridge sees it. Rates are sampling rates of the audio, not RTP clocks. */
export interface AudioCodec {
  readonly name: PbxCodec;
  /** Sampling rates in Hz it can work at, the one it would rather use first. */
  readonly sampleRates: readonly number[];
  /** What its encoders obey, those at work too; absent where there is nothing to choose. */
  readonly effort?: CodecEffort;
  createDecoder(sampleRate: number): AudioDecoder;
  /** `frameSamples`: length of the frames it will be given, in samples. */
  createEncoder(sampleRate: number, frameSamples: number): AudioEncoder;
}
