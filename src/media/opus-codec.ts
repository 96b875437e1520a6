import { createRequire } from 'node:module';
import type { AudioCodec, AudioDecoder, AudioEncoder, CodecEffort } from './audio-codec.js';
import { MediaError } from './media-error.js';
import { OpusWasm } from './opus-wasm.js';

/** Where the encoder runs: the package's compiled add-on if it loads here, else WebAssembly. */
export type OpusBackend = 'native' | 'wasm';

/** How speech is coded towards WhatsApp. */
export interface OpusEncoding {
  /** Bit rate in bit/s. */
  readonly bitrate: number;
  /** Loss the encoder prepares for, in per cent: how much forward error correction is put in. */
  readonly expectedLossPercent: number;
}

/**
 * Speech at 8 kHz: what a G.711 call carries, with a copy of the last frame in each packet (RFC 6716 §2.1.7). libopus leaves
 * that copy out below about 19 kbit/s; measured on speech with every tenth packet lost, it brings the lost frames from 2 dB to
 * 9 dB of signal to noise.
 */
export const narrowbandSpeech: OpusEncoding = { bitrate: 20_000, expectedLossPercent: 10 };
/** Speech at 16 kHz and above. */
export const widebandSpeech: OpusEncoding = { bitrate: 24_000, expectedLossPercent: 10 };

const defaultComplexity = 5;
const applicationVoip = 2048;
const signalVoice = 3001;
/** Requests of libopus' control interface. */
const control = { bitrate: 4002, complexity: 4010, inbandFec: 4012, packetLossPercent: 4014, signal: 4024 } as const;
const maxPacketBytes = 1275;

interface NativeEncoder {
  ctl(request: number, value: number): number;
  encode(pcm: Int16Array): Uint8Array;
}
type NativeEncoderClass = new (options: { channels: 1; sample_rate: number; application: 'voip' }) => NativeEncoder;

/** Decodes straight to the wanted rate, with libopus' own concealment and forward error correction. */
class OpusDecoder implements AudioDecoder {
  readonly #wasm = OpusWasm.shared();
  #pointer: number;

  constructor(private readonly sampleRate: number) {
    const { lib } = this.#wasm;
    this.#pointer = this.#wasm.allocate(lib.opus_decoder_get_size(1));
    check(lib.opus_decoder_init(this.#pointer, sampleRate, 1), 'decoder');
  }

  decode(payload: Uint8Array, pcm: Int16Array): number {
    // An empty payload would be taken for a loss.
    if (this.#pointer === 0 || payload.length === 0 || !this.#wasm.putPacket(payload)) return 0;
    return this.#run(this.#wasm.packetPointer, payload.length, Math.floor((this.sampleRate * 120) / 1000), 0, pcm);
  }

  conceal(samples: number, next: Uint8Array | undefined, pcm: Int16Array): void {
    let written = 0;
    if (this.#pointer !== 0) {
      const useFec = next !== undefined && next.length > 0 && this.#wasm.putPacket(next);
      written = useFec
        ? this.#run(this.#wasm.packetPointer, next.length, samples, 1, pcm)
        : this.#run(0, 0, samples, 0, pcm);
    }
    if (written < samples) pcm.fill(0, written, samples);
  }

  close(): void {
    if (this.#pointer !== 0) this.#wasm.lib.free(this.#pointer);
    this.#pointer = 0;
  }

  #run(packet: number, bytes: number, samples: number, useFec: number, pcm: Int16Array): number {
    const { lib, pcmPointer } = this.#wasm;
    const count = lib.opus_decode(this.#pointer, packet, bytes, pcmPointer, samples, useFec);
    if (count <= 0) return 0;
    const source = this.#wasm.samples();
    const start = pcmPointer >> 1;
    const kept = Math.min(count, pcm.length);
    for (let i = 0; i < kept; i++) pcm[i] = source[start + i] ?? 0;
    return kept;
  }
}

class WasmOpusEncoder implements AudioEncoder {
  readonly #wasm = OpusWasm.shared();
  #pointer: number;
  #complexity: number;

  constructor(
    sampleRate: number,
    encoding: OpusEncoding,
    private readonly effort: CodecEffort,
  ) {
    this.#complexity = effort.complexity;
    const { lib } = this.#wasm;
    this.#pointer = this.#wasm.allocate(lib.opus_encoder_get_size(1));
    check(lib.opus_encoder_init(this.#pointer, sampleRate, 1, applicationVoip), 'encoder');
    configure((request, value) => this.#set(request, value), encoding, effort);
  }

  expectLoss(percent: number): void {
    if (this.#pointer !== 0) this.#set(control.packetLossPercent, percent);
  }

  encode(frame: Int16Array): Uint8Array {
    const { lib, packetPointer, pcmPointer } = this.#wasm;
    if (this.#pointer === 0) return empty;
    if (this.#complexity !== this.effort.complexity) {
      this.#complexity = this.effort.complexity;
      this.#set(control.complexity, this.#complexity);
    }
    this.#wasm.samples().set(frame, pcmPointer >> 1);
    const bytes = lib.opus_encode(this.#pointer, pcmPointer, frame.length, packetPointer, maxPacketBytes);
    return bytes > 0 ? this.#wasm.bytes().subarray(packetPointer, packetPointer + bytes) : empty;
  }

  close(): void {
    if (this.#pointer !== 0) this.#wasm.lib.free(this.#pointer);
    this.#pointer = 0;
  }

  #set(request: number, value: number): number {
    return this.#wasm.lib.opus_encoder_ctl_set(this.#pointer, request, value);
  }
}

class NativeOpusEncoder implements AudioEncoder {
  readonly #encoder: NativeEncoder;
  #complexity: number;

  constructor(
    Encoder: NativeEncoderClass,
    sampleRate: number,
    encoding: OpusEncoding,
    private readonly effort: CodecEffort,
  ) {
    this.#complexity = effort.complexity;
    this.#encoder = new Encoder({ channels: 1, sample_rate: sampleRate, application: 'voip' });
    configure((request, value) => this.#encoder.ctl(request, value), encoding, effort);
  }

  expectLoss(percent: number): void {
    this.#encoder.ctl(control.packetLossPercent, percent);
  }

  encode(frame: Int16Array): Uint8Array {
    if (this.#complexity !== this.effort.complexity) {
      this.#complexity = this.effort.complexity;
      this.#encoder.ctl(control.complexity, this.#complexity);
    }
    return this.#encoder.encode(frame);
  }

  close(): void {
    // The add-on's object is freed with its wrapper.
  }
}

const empty = new Uint8Array(0);

/**
 * Opus at any of its rates, mono (RFC 7587). Decoding always runs in WebAssembly, whose plain exports alone offer loss
 * concealment and forward error correction; encoding runs in the add-on when `prefer` is `native` and it loads.
 */
export function createOpusCodec(
  prefer: OpusBackend = 'native',
): AudioCodec & { readonly encoderBackend: OpusBackend; readonly effort: CodecEffort } {
  const effort = { complexity: defaultComplexity };
  const native = prefer === 'native' ? loadNativeEncoder() : undefined;
  return {
    name: 'opus',
    sampleRates: [48_000, 24_000, 16_000, 12_000, 8000],
    effort,
    encoderBackend: native ? 'native' : 'wasm',
    createDecoder: (sampleRate) => new OpusDecoder(sampleRate),
    createEncoder: (sampleRate) => {
      const encoding = sampleRate > 8000 ? widebandSpeech : narrowbandSpeech;
      return native
        ? new NativeOpusEncoder(native, sampleRate, encoding, effort)
        : new WasmOpusEncoder(sampleRate, encoding, effort);
    },
  };
}

/** Audio in an Opus packet in milliseconds, read from its first bytes (RFC 6716 §3.1, §3.2.5); 0 if it is malformed. */
export function opusDurationMs(packet: Uint8Array): number {
  const toc = packet[0];
  if (toc === undefined) return 0;
  const frames = (toc & 3) === 0 ? 1 : (toc & 3) === 3 ? (packet[1] ?? 0) & 0x3f : 2;
  const durationMs = frames * opusFrameMs(toc >> 3);
  return durationMs <= 120 ? durationMs : 0;
}

/**
 * The one octet of a mono packet of 20 ms without content, of the same mode and bandwidth as a packet that begins with `toc`:
 * the decoder that gets it goes on as behind a loss, or with comfort noise (RFC 6716 §3.1, §3.2.2).
 */
export function opusPause(toc: number): number {
  const configuration = toc >> 3;
  const of20Ms =
    configuration >= 16 ? configuration | 3 : configuration >= 12 ? configuration | 1 : (configuration & ~3) | 1;
  return of20Ms << 3;
}

function opusFrameMs(configuration: number): number {
  if (configuration >= 16) return 2.5 * 2 ** (configuration & 3);
  if (configuration >= 12) return configuration & 1 ? 20 : 10;
  return [10, 20, 40, 60][configuration & 3] ?? 0;
}

function configure(set: (request: number, value: number) => number, encoding: OpusEncoding, effort: CodecEffort): void {
  check(set(control.bitrate, encoding.bitrate), 'bit rate');
  check(set(control.complexity, effort.complexity), 'complexity');
  check(set(control.inbandFec, 1), 'forward error correction');
  check(set(control.packetLossPercent, encoding.expectedLossPercent), 'expected loss');
  check(set(control.signal, signalVoice), 'signal type');
}

function check(status: number, what: string): void {
  if (status < 0) throw new MediaError('internal', `Opus refused its ${what} (${status})`);
}

/** Nothing when the add-on is missing for this platform or its C library is too old. */
function loadNativeEncoder(): NativeEncoderClass | undefined {
  try {
    const addon = createRequire(import.meta.url)('@evan/opus/node/index.js') as { Encoder?: NativeEncoderClass };
    return typeof addon.Encoder === 'function' ? addon.Encoder : undefined;
  } catch {
    return undefined;
  }
}
