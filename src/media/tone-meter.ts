/**
 * Measures tones in a window of samples: Goertzel's filter behind a Hann window, which keeps the two groups of DTMF out of each
 * other. From one look to the next the phase of a tone moves by its frequency: that tells how far it is off.
 */
export class ToneMeter {
  readonly #window: Float64Array;
  readonly #windowed: Float64Array;
  readonly #coefficients: Float64Array;
  readonly #phases: Float64Array;
  readonly #lastPhases: Float64Array;
  readonly #raw: Float64Array;
  /** Of a sine's power to what the filter gives for it. */
  readonly #gain: number;
  readonly #energyGain: number;

  constructor(
    private readonly tonesHz: readonly number[],
    private readonly sampleRate: number,
    private readonly samples: number,
    private readonly hopSamples: number,
  ) {
    this.#window = Float64Array.from(
      { length: samples },
      (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / samples),
    );
    this.#windowed = new Float64Array(samples);
    const sum = this.#window.reduce((total, value) => total + value, 0);
    this.#gain = 2 / (sum * sum);
    this.#energyGain = 1 / this.#window.reduce((total, value) => total + value * value, 0);
    this.#coefficients = Float64Array.from(tonesHz, (hz) => 2 * Math.cos((2 * Math.PI * hz) / sampleRate));
    this.#phases = new Float64Array(tonesHz.length);
    this.#lastPhases = new Float64Array(tonesHz.length);
    this.#raw = new Float64Array(tonesHz.length);
  }

  /** Looks at a ring of samples whose oldest is at `from`; returns the mean power of what is in the window. */
  measure(ring: Float64Array, from: number): number {
    let energy = 0;
    for (let i = 0; i < this.samples; i++) {
      const value = (ring[(from + i) % this.samples] ?? 0) * (this.#window[i] ?? 0);
      this.#windowed[i] = value;
      energy += value * value;
    }
    this.#lastPhases.set(this.#phases);
    for (let tone = 0; tone < this.tonesHz.length; tone++) this.#filter(tone);
    return energy * this.#energyGain;
  }

  /** Of the filter of a tone: how strong it is there, whatever its exact frequency. */
  raw(tone: number): number {
    return this.#raw[tone] ?? 0;
  }

  /** Mean power of a tone, what the filter misses of it for being off put back. */
  power(tone: number): number {
    const bins = (this.#offsetHz(tone) * this.samples) / this.sampleRate;
    const loss = hannResponse(Math.min(0.9, Math.abs(bins)));
    return (this.raw(tone) * this.#gain) / (loss * loss);
  }

  /** How far the tone is off its frequency, as a share of that. */
  deviation(tone: number): number {
    return this.#offsetHz(tone) / (this.tonesHz[tone] ?? 1);
  }

  #offsetHz(tone: number): number {
    const hz = this.tonesHz[tone] ?? 0;
    const expected = (2 * Math.PI * hz * this.hopSamples) / this.sampleRate;
    const moved = (this.#phases[tone] ?? 0) - (this.#lastPhases[tone] ?? 0) - expected;
    const turn = moved - 2 * Math.PI * Math.round(moved / (2 * Math.PI));
    return (turn * this.sampleRate) / (2 * Math.PI * this.hopSamples);
  }

  #filter(tone: number): void {
    const coefficient = this.#coefficients[tone] ?? 0;
    let [before, last] = [0, 0];
    for (let i = 0; i < this.samples; i++) {
      const value = (this.#windowed[i] ?? 0) + coefficient * last - before;
      before = last;
      last = value;
    }
    const angle = (2 * Math.PI * (this.tonesHz[tone] ?? 0)) / this.sampleRate;
    const real = last - before * Math.cos(angle);
    const imaginary = before * Math.sin(angle);
    this.#raw[tone] = real * real + imaginary * imaginary;
    // Of the window's end; it moves from look to look by the tone's own frequency.
    this.#phases[tone] = Math.atan2(imaginary, real);
  }
}

/** What a Hann window lets through of a tone `bins` away from the filter's frequency: 1 at 0. */
function hannResponse(bins: number): number {
  if (bins < 1e-6) return 1;
  const x = Math.PI * bins;
  return Math.sin(x) / (x * (1 - bins * bins));
}
