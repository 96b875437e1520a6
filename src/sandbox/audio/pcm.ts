/** Mono sound; samples lie between -1 and 1. */
export interface Pcm {
  readonly rateHz: number;
  readonly samples: Float32Array;
}

/** Length of a sound in milliseconds. */
export function durationMs(pcm: Pcm): number {
  return (pcm.samples.length / pcm.rateHz) * 1000;
}

/** Quiet of `lengthMs` milliseconds. */
export function silence(rateHz: number, lengthMs: number): Pcm {
  return { rateHz, samples: new Float32Array(Math.round((rateHz * lengthMs) / 1000)) };
}

/** Joins sounds of one rate, in order. @throws RangeError if the rates differ. */
export function concat(first: Pcm, ...others: readonly Pcm[]): Pcm {
  const parts = [first, ...others];
  if (parts.some((part) => part.rateHz !== first.rateHz)) throw new RangeError('sounds of different rates');
  const samples = new Float32Array(parts.reduce((sum, part) => sum + part.samples.length, 0));
  let at = 0;
  for (const part of parts) {
    samples.set(part.samples, at);
    at += part.samples.length;
  }
  return { rateHz: first.rateHz, samples };
}

/** The part from `fromMs` to `toMs`, milliseconds from the sound's start, clipped to what there is. */
export function slice(pcm: Pcm, fromMs: number, toMs: number): Pcm {
  const from = Math.max(0, Math.round((fromMs * pcm.rateHz) / 1000));
  const to = Math.max(from, Math.round((toMs * pcm.rateHz) / 1000));
  return { rateHz: pcm.rateHz, samples: pcm.samples.subarray(from, to) };
}

const HALF_WIDTH = 16;

/** Windowed sinc, cut off below both Nyquist frequencies; `x` in input samples. */
function kernel(x: number, cutoff: number): number {
  const reach = HALF_WIDTH / cutoff;
  if (Math.abs(x) >= reach) return 0;
  const window = 0.5 + 0.5 * Math.cos((Math.PI * x) / reach);
  const phase = Math.PI * x * cutoff;
  return cutoff * window * (phase === 0 ? 1 : Math.sin(phase) / phase);
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}

/** The filter's taps for each of the `phases` places that an output sample can have between two input samples. */
function filterBank(phases: number, cutoff: number): Float64Array[] {
  const reach = Math.ceil(HALF_WIDTH / cutoff);
  return Array.from({ length: phases }, (_, phase) =>
    Float64Array.from({ length: 2 * reach + 1 }, (_tap, k) => kernel(k - reach - phase / phases, cutoff)),
  );
}

/** Changes the sample rate by band-limited interpolation; rates in whole Hz. */
export function resample(pcm: Pcm, rateHz: number): Pcm {
  if (rateHz === pcm.rateHz) return pcm;
  const common = divisor(rateHz, pcm.rateHz);
  const [phases, step] = [rateHz / common, pcm.rateHz / common];
  const bank = filterBank(phases, Math.min(1, phases / step) * 0.95);
  const reach = ((bank[0]?.length ?? 1) - 1) / 2;
  const input = pcm.samples;
  const samples = new Float32Array(Math.floor((input.length * phases) / step));
  for (let i = 0; i < samples.length; i++) {
    const at = i * step;
    const taps = bank[at % phases] ?? new Float64Array();
    const start = Math.floor(at / phases) - reach;
    const last = Math.min(taps.length - 1, input.length - 1 - start);
    let sum = 0;
    for (let k = Math.max(0, -start); k <= last; k++) sum += (input[start + k] ?? 0) * (taps[k] ?? 0);
    samples[i] = sum;
  }
  return { rateHz, samples };
}

/** 16-bit samples, clipped. */
export function toInt16(samples: Float32Array): Int16Array {
  return Int16Array.from(samples, (value) => Math.max(-32768, Math.min(32767, Math.round(value * 32767))));
}

/** Samples from -1 to 1. */
export function fromInt16(samples: Int16Array): Float32Array {
  return Float32Array.from(samples, (value) => value / 32768);
}
