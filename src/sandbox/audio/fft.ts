/** Exchanges elements into bit-reversed order, both arrays alike. */
function bitReverse(re: Float64Array, im: Float64Array): void {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i >= j) continue;
    [re[i], re[j]] = [re[j] ?? 0, re[i] ?? 0];
    [im[i], im[j]] = [im[j] ?? 0, im[i] ?? 0];
  }
}

/** Fourier transform in place, radix 2; the length must be a power of two. `inverse` leaves out the factor 1/n. */
export function fft(re: Float64Array, im: Float64Array, inverse = false): void {
  const n = re.length;
  if (n === 0 || (n & (n - 1)) !== 0 || im.length !== n) throw new RangeError('length must be a power of two');
  bitReverse(re, im);
  const sign = inverse ? 2 : -2;
  const cos = Float64Array.from({ length: n >> 1 }, (_, k) => Math.cos((sign * Math.PI * k) / n));
  const sin = Float64Array.from({ length: n >> 1 }, (_, k) => Math.sin((sign * Math.PI * k) / n));
  for (let size = 2; size <= n; size <<= 1) {
    for (let start = 0; start < n; start += size) butterflies(re, im, start, size >> 1, cos, sin);
  }
}

/** Joins two transforms of length `half`; `cos` and `sin` hold the roots of unity of the whole. */
function butterflies(
  re: Float64Array,
  im: Float64Array,
  start: number,
  half: number,
  cos: Float64Array,
  sin: Float64Array,
): void {
  const stride = cos.length / half;
  for (let k = 0; k < half; k++) {
    const a = start + k;
    const b = a + half;
    const wr = cos[k * stride] ?? 0;
    const wi = sin[k * stride] ?? 0;
    const br = re[b] ?? 0;
    const bi = im[b] ?? 0;
    const tr = br * wr - bi * wi;
    const ti = br * wi + bi * wr;
    const ar = re[a] ?? 0;
    const ai = im[a] ?? 0;
    re[b] = ar - tr;
    im[b] = ai - ti;
    re[a] = ar + tr;
    im[a] = ai + ti;
  }
}

/** The smallest power of two that is not below `n`. */
export function powerOfTwo(n: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, n)));
}

/** Cross-correlation: element `d` is the sum over i of `reference[i] * signal[i + d]`, for d from 0 to signal.length - 1. */
export function correlate(reference: Float32Array, signal: Float32Array): Float64Array {
  const n = powerOfTwo(reference.length + signal.length);
  const [ar, ai, br, bi] = [new Float64Array(n), new Float64Array(n), new Float64Array(n), new Float64Array(n)];
  ar.set(reference);
  br.set(signal);
  fft(ar, ai);
  fft(br, bi);
  for (let k = 0; k < n; k++) {
    const xr = ar[k] ?? 0;
    const xi = ai[k] ?? 0;
    const yr = br[k] ?? 0;
    const yi = bi[k] ?? 0;
    ar[k] = xr * yr + xi * yi;
    ai[k] = xr * yi - xi * yr;
  }
  fft(ar, ai, true);
  return ar.subarray(0, signal.length).map((value) => value / n);
}
