/** What the far end says of the stream that it gets (RFC 3550 §6.4.1). */
export interface LossReports {
  /** Reports so far. */
  readonly blocks: number;
  /** By the last one: share of packets that were lost since the one before, 0 to 1. */
  readonly fractionLost: number | undefined;
}

/** As long as the far end has not said otherwise encoders prepare for a little loss, and never for less than that where there is any. */
const littlePercent = 10;
/** Beyond this, redundancy would leave too little for the speech itself. */
const mostPercent = 40;
/** Less than this is no loss: a copy in every packet would cost speech its bits, and the coder half as much time again. */
const nonePercent = 0.5;
/** Reports come about every 5 s; what was seen before counts for three quarters when they get better. */
const forgetEveryMs = 5000;
const kept = 0.75;
/** Reports that have been good for so long are believed. */
const believedAfterMs = 10_000;
/** A report that is older says nothing of the path. */
const staleAfterMs = 15_000;

/** How much loss an encoder is to prepare for, by what the far end reports: up at once, down slowly. */
export class ExpectedLoss {
  /** What is prepared for at the moment. */
  #wanted = littlePercent;
  #percent = 0;
  #forgottenAtMs = 0;
  /** Reports taken note of; those from before this path are no news. */
  #reports: number | undefined;
  #heardAtMs = 0;
  #goodSinceMs: number | undefined;

  /** In per cent. To be called often: it looks whether there is another report, and whether the last one is too old. */
  after(reports: LossReports | undefined, nowMs: number): number {
    this.#reports ??= reports?.blocks;
    if (reports?.fractionLost !== undefined && reports.blocks !== this.#reports) {
      this.#reports = reports.blocks;
      this.#heardAtMs = nowMs;
      this.#hear(100 * reports.fractionLost, nowMs);
    } else if (nowMs - this.#heardAtMs > staleAfterMs) this.#forget();
    return this.#wanted;
  }

  #hear(seen: number, nowMs: number): void {
    if (seen >= this.#percent) {
      this.#percent = seen;
      this.#forgottenAtMs = nowMs;
    } else if (nowMs - this.#forgottenAtMs >= forgetEveryMs) {
      this.#percent = seen + (this.#percent - seen) * kept;
      this.#forgottenAtMs = nowMs;
    }
    this.#goodSinceMs = this.#percent < nonePercent ? (this.#goodSinceMs ?? nowMs) : undefined;
    const isGood = this.#goodSinceMs !== undefined && nowMs - this.#goodSinceMs >= believedAfterMs;
    this.#wanted = isGood ? 0 : Math.min(mostPercent, Math.max(littlePercent, Math.round(this.#percent)));
  }

  #forget(): void {
    this.#wanted = littlePercent;
    this.#percent = 0;
    this.#goodSinceMs = undefined;
  }
}
