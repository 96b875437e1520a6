/** Encoders always prepare for a little loss; beyond the other bound redundancy would leave too little for the speech itself. */
const [leastPercent, mostPercent] = [10, 40];
/** Reports come about every 5 s; what was seen before counts for three quarters when they get better. */
const forgetEveryMs = 5000;
const kept = 0.75;

/** How much loss an encoder is to prepare for, by what the far end reports: up at once, down slowly. */
export class ExpectedLoss {
  #percent = 0;
  #forgottenAtMs = 0;

  /** Takes the last report's share, 0 to 1, or that there is none; returns per cent. To be called often, reports or not. */
  after(fractionLost: number | undefined, nowMs: number): number {
    const seen = 100 * (fractionLost ?? 0);
    if (seen >= this.#percent) {
      this.#percent = seen;
      this.#forgottenAtMs = nowMs;
    } else if (nowMs - this.#forgottenAtMs >= forgetEveryMs) {
      this.#percent = seen + (this.#percent - seen) * kept;
      this.#forgottenAtMs = nowMs;
    }
    return Math.min(mostPercent, Math.max(leastPercent, Math.round(this.#percent)));
  }
}
