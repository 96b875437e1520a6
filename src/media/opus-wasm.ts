import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { MediaError } from './media-error.js';
import { hasSimd, instantiateWasm } from './wasm.js';

/** What libopus exports from the package's WebAssembly build; pointers are offsets into its memory. */
export interface OpusExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  _initialize(): void;
  malloc(bytes: number): number;
  free(pointer: number): void;
  opus_decoder_get_size(channels: number): number;
  opus_decoder_init(decoder: number, sampleRate: number, channels: number): number;
  opus_decode(
    decoder: number,
    packet: number,
    packetBytes: number,
    pcm: number,
    frameSamples: number,
    useFec: number,
  ): number;
  opus_encoder_get_size(channels: number): number;
  opus_encoder_init(encoder: number, sampleRate: number, channels: number, application: number): number;
  opus_encode(encoder: number, pcm: number, frameSamples: number, packet: number, packetBytes: number): number;
  opus_encoder_ctl_set(encoder: number, request: number, value: number): number;
}

/** Longest packet and longest audio of one packet (RFC 6716 §3.2: 120 ms, here at 48 kHz). */
const packetBytes = 1500;
const pcmBytes = 2 * 5760;

/** libopus in WebAssembly with one packet and one audio buffer, shared by all coders of the process: calls never overlap. */
export class OpusWasm {
  static #shared: OpusWasm | undefined;
  readonly lib: OpusExports;
  /** Where coders put a packet, and samples. */
  readonly packetPointer: number;
  readonly pcmPointer: number;
  #bytes = new Uint8Array(0);
  #samples = new Int16Array(0);

  private constructor(exports: OpusExports) {
    this.lib = exports;
    this.packetPointer = exports.malloc(packetBytes);
    this.pcmPointer = exports.malloc(pcmBytes);
  }

  /** The process's instance, compiled at the first call. @throws MediaError `internal` if the package is not as expected. */
  static shared(): OpusWasm {
    OpusWasm.#shared ??= new OpusWasm(loadExports());
    return OpusWasm.#shared;
  }

  /** Reserves memory for a coder. @throws MediaError `limit` when there is none left. */
  allocate(bytes: number): number {
    const pointer = this.lib.malloc(bytes);
    if (pointer === 0) throw new MediaError('limit', 'no memory left for another codec');
    return pointer;
  }

  /** Copies a packet to `packetPointer`; false if it is longer than any real one. */
  putPacket(packet: Uint8Array): boolean {
    if (packet.length > packetBytes) return false;
    this.bytes().set(packet, this.packetPointer);
    return true;
  }

  /** The memory as bytes; looked up anew because memory that grows moves to another buffer. */
  bytes(): Uint8Array {
    if (this.#bytes.buffer !== this.lib.memory.buffer) this.#bytes = new Uint8Array(this.lib.memory.buffer);
    return this.#bytes;
  }

  /** The memory as samples. */
  samples(): Int16Array {
    if (this.#samples.buffer !== this.lib.memory.buffer) this.#samples = new Int16Array(this.lib.memory.buffer);
    return this.#samples;
  }
}

function loadExports(): OpusExports {
  const build = hasSimd() ? 'simd' : 'opus';
  const ignore = (): void => undefined;
  try {
    const file = createRequire(import.meta.url).resolve(`@evan/opus/wasm/${build}.wasm`);
    const exports = instantiateWasm(readFileSync(file), {
      wasi_snapshot_preview1: { fd_seek: ignore, fd_write: ignore, fd_close: ignore, proc_exit: ignore },
      env: { emscripten_notify_memory_growth: ignore },
    }) as OpusExports;
    exports._initialize();
    return exports;
  } catch (cause) {
    throw new MediaError('internal', 'the Opus codec could not be loaded', { cause });
  }
}
