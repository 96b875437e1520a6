/** As long as the far end has not said otherwise encoders prepare for a little loss, and never for less than that where there is any. */
const littlePercent = 10;
/** Beyond this, redundancy would leave too little for the speech itself. */
const mostPercent = 40;
/** Less than this is no loss: a copy in every packet would cost speech its bits, and the coder half as much time again. */
const nonePercent = 0.5;
/** Reports come about every 5 s; what was seen before counts for three quarters when they get better. */
const forgetEveryMs = 5000;
const kept = 0.75;
/** Good reports for so long are believed. */
const believedAfterMs = 10_000;

/** How much loss an encoder is to prepare for, by what the far end reports (RFC 3550 §6.4.1): up at once, down slowly. */
export class ExpectedLoss {
  #percent = 0;
  #forgottenAtMs = 0;
  #toldSinceMs: number | undefined;

  /** Takes the last report's share, 0 to 1, or that there is none; returns per cent. To be called often, reports or not. */
  after(fractionLost: number | undefined, nowMs: number): number {
    if (fractionLost === undefined) return littlePercent;
    this.#toldSinceMs ??= nowMs;
    const seen = 100 * fractionLost;
    if (seen >= this.#percent) {
      this.#percent = seen;
      this.#forgottenAtMs = nowMs;
    } else if (nowMs - this.#forgottenAtMs >= forgetEveryMs) {
      this.#percent = seen + (this.#percent - seen) * kept;
      this.#forgottenAtMs = nowMs;
    }
    if (this.#percent < nonePercent && nowMs - this.#toldSinceMs >= believedAfterMs) return 0;
    return Math.min(mostPercent, Math.max(littlePercent, Math.round(this.#percent)));
  }
}
