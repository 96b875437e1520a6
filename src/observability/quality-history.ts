import type { MediaSide, QualityReport } from '../call/media-quality.js';

/** One report on one side's audio, cut to what a chart shows. */
export interface QualitySample {
  readonly side: MediaSide;
  /** Unix milliseconds. */
  readonly at: number;
  /** Share of packets lost on the way to us, 0 to 1. */
  readonly loss: number;
  readonly jitterMs?: number;
  /** Of what we hear, 1 to 4.5. */
  readonly mos?: number;
  readonly roundTripMs?: number;
  /** Of what we hear. */
  readonly levelDbfs?: number;
}

/** Samples kept of one call; beyond them every second one goes, so that a long call is told of as a whole. */
const maxSamples = 120;

/** How a call's audio was over time. */
export class QualityHistory {
  #samples: QualitySample[] = [];
  /** Of this many reports of a side one is kept. */
  #step = 1;
  readonly #count: Record<MediaSide, number> = { whatsapp: 0, pbx: 0 };

  /** In the order of their times. */
  get samples(): readonly QualitySample[] {
    return this.#samples;
  }

  add(side: MediaSide, at: number, { received, roundTripMs }: QualityReport): void {
    if (this.#count[side]++ % this.#step !== 0) return;
    const { packets, lost = 0, jitterMs, mos, levelDbfs } = received;
    const expected = packets + Math.max(0, lost);
    this.#samples.push({
      ...{ side, at, loss: expected === 0 ? 0 : Math.max(0, lost) / expected },
      ...(jitterMs === undefined ? {} : { jitterMs }),
      ...(mos === undefined ? {} : { mos }),
      ...(roundTripMs === undefined ? {} : { roundTripMs }),
      ...(levelDbfs === undefined ? {} : { levelDbfs }),
    });
    if (this.#samples.length > maxSamples) this.#thin();
  }

  #thin(): void {
    const place: Record<MediaSide, number> = { whatsapp: 0, pbx: 0 };
    this.#samples = this.#samples.filter(({ side }) => place[side]++ % 2 === 0);
    this.#step *= 2;
  }
}
