import { g722Module } from './g722-module.js';

/*
 * ITU-T G.722 at 64 kbit/s (mode 1): two samples at 16 kHz become one octet. It runs in a WebAssembly module that has one memory for
 * all coders of the process; what a coder keeps, its state, is put there for each call.
 */

type Samples = Int16Array | Uint8Array;

/** The beginning of an array, mostly as long as the last time: a view made anew for each packet would be garbage. */
class Beginning<T extends Samples> {
  #last: T;

  constructor(private readonly whole: T) {
    this.#last = whole;
  }

  of(length: number): T {
    if (this.#last.length !== length) this.#last = this.whole.subarray(0, length) as T;
    return this.#last;
  }
}

function part<T extends Samples>(whole: T, from: number, length: number): T {
  return length === whole.length ? whole : (whole.subarray(from, from + length) as T);
}

export class G722Encoder {
  readonly #module = g722Module();
  readonly #state = this.#module.freshState();
  readonly #coded = new Beginning(this.#module.octets);

  /** Codes pairs of samples; returns the octets written. */
  encode(pcm: Int16Array, octets: Uint8Array): number {
    return this.#encode('encode', pcm, octets, 2);
  }

  /** Codes samples at 8 kHz, an octet each: the higher sub-band stays empty. */
  encodeNarrow(pcm: Int16Array, octets: Uint8Array): number {
    return this.#encode('encodeNarrow', pcm, octets, 1);
  }

  #encode(way: 'encode' | 'encodeNarrow', pcm: Int16Array, octets: Uint8Array, samplesPerOctet: number): number {
    const { run, state, samples, octets: all } = this.#module;
    const count = Math.floor(pcm.length / samplesPerOctet);
    state.set(this.#state);
    for (let from = 0; from < count; from += all.length) {
      const size = Math.min(all.length, count - from);
      samples.set(part(pcm, from * samplesPerOctet, size * samplesPerOctet));
      run[way](size);
      octets.set(this.#coded.of(size), from);
    }
    this.#state.set(state);
    return count;
  }
}

export class G722Decoder {
  readonly #module = g722Module();
  readonly #state = this.#module.freshState();
  readonly #decoded = new Beginning(this.#module.decoded);

  /** Decodes into the start of `pcm`, two samples an octet; returns the samples written. */
  decode(octets: Uint8Array, pcm: Int16Array): number {
    return this.#decode('decode', octets, pcm, 2);
  }

  /** Decodes the lower sub-band alone into the start of `pcm`, a sample at 8 kHz an octet; returns the samples written. */
  decodeNarrow(octets: Uint8Array, pcm: Int16Array): number {
    return this.#decode('decodeNarrow', octets, pcm, 1);
  }

  #decode(way: 'decode' | 'decodeNarrow', octets: Uint8Array, pcm: Int16Array, samplesPerOctet: number): number {
    const { run, state, octets: all } = this.#module;
    const count = Math.min(octets.length, Math.floor(pcm.length / samplesPerOctet));
    state.set(this.#state);
    for (let from = 0; from < count; from += all.length) {
      const size = Math.min(all.length, count - from);
      all.set(part(octets, from, size));
      run[way](size);
      pcm.set(this.#decoded.of(size * samplesPerOctet), from * samplesPerOctet);
    }
    this.#state.set(state);
    return count * samplesPerOctet;
  }
}
