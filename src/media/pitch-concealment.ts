/** How far back a loss looks, and the range of pitch periods it looks for: 200 Hz down to 66 Hz (ITU-T G.711 Appendix I). */
const historyMs = 50;
const [shortestPeriodMs, longestPeriodMs] = [5, 15];
/** Stretch of sound that is compared with what was one period before it. */
const comparedMs = 20;
/** Sound is kept at its level for so long, then fades to nothing at the second time: what was heard last says little by then. */
const [fullMs, silentMs] = [10, 60];
/** The first sound behind a loss is faded in over this time, and more behind a longer one. */
const [shortestBlendMs, longestBlendMs] = [4, 10];
const mostPeriods = 3;

/**
 * Covers losses of codecs without concealment of their own as G.711 Appendix I does: the last pitch period goes on, after 10 ms
 * the last two, then three, lest it buzz; their seams overlap, the whole fades out within 60 ms, and what comes behind
 * is cross-faded in. Other than the Appendix it delays nothing, so the sound before a loss stays as it was.
 */
export class PitchConcealment {
  /** What was played, made-up sound included, the newest last. */
  readonly #played: Int16Array;
  /** The same as it was when the loss began. */
  readonly #past: Int16Array;
  readonly #samplesPerMs: number;
  #concealed = 0;
  #period = 0;
  /** Place in `#past`, counted from its end: negative. */
  #position = 0;

  constructor(sampleRate: number) {
    this.#samplesPerMs = sampleRate / 1000;
    this.#played = new Int16Array(historyMs * this.#samplesPerMs);
    this.#past = new Int16Array(this.#played.length);
  }

  /** Takes note of the first `count` samples of good sound; the first behind a loss are changed, so that no seam is heard. */
  remember(pcm: Int16Array, count: number): void {
    if (this.#concealed > 0 && count > 0) this.#blendIn(pcm, count);
    this.#keep(pcm, count);
  }

  /** Writes `samples` samples of made-up sound to the start of `pcm`. */
  conceal(samples: number, pcm: Int16Array): void {
    if (this.#concealed === 0) this.#begin();
    for (let i = 0; i < samples; i++) pcm[i] = this.#next();
    this.#keep(pcm, samples);
  }

  #begin(): void {
    this.#past.set(this.#played);
    this.#period = this.#findPeriod();
    this.#position = -this.#period;
  }

  #next(): number {
    const passedMs = this.#concealed++ / this.#samplesPerMs;
    if (passedMs >= silentMs) return 0;
    const periods = passedMs < fullMs ? 1 : passedMs < 2 * fullMs ? 2 : mostPeriods;
    const gain = passedMs < fullMs ? 1 : 1 - (passedMs - fullMs) / (silentMs - fullMs);
    const position = this.#position++;
    if (this.#position === 0) this.#position = -this.#period * periods;
    return Math.round(gain * this.#cycle(position, periods * this.#period));
  }

  /** The last `length` samples as one wave without a seam: its end glides into what came before its beginning. */
  #cycle(position: number, length: number): number {
    const past = this.#past;
    const at = past.length + position;
    const overlap = this.#period >> 2;
    const share = Math.max(0, (position + overlap) / overlap);
    return (past[at] ?? 0) * (1 - share) + (share > 0 ? (past[at - length] ?? 0) * share : 0);
  }

  #blendIn(pcm: Int16Array, count: number): void {
    const lostMs = this.#concealed / this.#samplesPerMs;
    const blendMs = Math.min(longestBlendMs, shortestBlendMs * Math.max(1, lostMs / 10));
    const length = Math.min(count, Math.round(blendMs * this.#samplesPerMs));
    for (let i = 0; i < length; i++) {
      const share = (i + 1) / (length + 1);
      pcm[i] = Math.round((pcm[i] ?? 0) * share + this.#next() * (1 - share));
    }
    this.#concealed = 0;
  }

  #keep(pcm: Int16Array, count: number): void {
    const played = this.#played;
    const kept = Math.min(count, played.length);
    played.copyWithin(0, kept);
    for (let i = 0; i < kept; i++) played[played.length - kept + i] = pcm[count - kept + i] ?? 0;
  }

  /** The shift at which the last 20 ms are most like what came before them. */
  #findPeriod(): number {
    const [shortest, longest] = [shortestPeriodMs * this.#samplesPerMs, longestPeriodMs * this.#samplesPerMs];
    let [best, mostAlike] = [longest, 0];
    for (let period = shortest; period <= longest; period++) {
      const alike = this.#likeness(period);
      if (alike > mostAlike) [best, mostAlike] = [period, alike];
    }
    return best;
  }

  #likeness(period: number): number {
    const past = this.#past;
    // Every other sample will do at 16 kHz.
    const step = this.#samplesPerMs >> 3;
    let [product, energy] = [0, 1];
    for (let i = past.length - comparedMs * this.#samplesPerMs; i < past.length; i += step) {
      const before = past[i - period] ?? 0;
      product += (past[i] ?? 0) * before;
      energy += before * before;
    }
    return product / Math.sqrt(energy);
  }
}
