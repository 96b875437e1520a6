/** What a codec costs in the E-model: equipment impairment and robustness against loss (ITU-T G.113 Appendix I). */
interface Impairment {
  /** Ie: of the codec itself. */
  readonly codec: number;
  /** Bpl: how much loss it bears; with random loss of this many percent half of what is left of quality is gone. */
  readonly lossRobustness: number;
  /** Of its frames and look-ahead. */
  readonly delayMs: number;
}

/**
 * G.711 with concealment is G.113's own row (0, 25.1). It has none for Opus and rates G.722 on another scale only: theirs are
 * ours, set so that Opus with in-band FEC bears loss as G.711 with concealment does, and G.722 half as much.
 */
const impairments: Readonly<Record<string, Impairment>> = {
  PCMA: { codec: 0, lossRobustness: 25.1, delayMs: 20 },
  PCMU: { codec: 0, lossRobustness: 25.1, delayMs: 20 },
  G722: { codec: 0, lossRobustness: 12.5, delayMs: 21.5 },
  opus: { codec: 0, lossRobustness: 25.1, delayMs: 26.5 },
};

/** For what is not in the table: a low-rate codec's middle. */
const unknownCodec: Impairment = { codec: 11, lossRobustness: 15, delayMs: 25 };

/** R0 - Is of a connection with all parameters at their defaults (ITU-T G.107 §7.7). */
const bestRating = 93.2;
/** What a receiver waits for late packets, in units of the jitter. */
const jitterBufferFactor = 2;
/** Below this one-way delay conversation does not suffer (G.107 Annex). */
const freeDelayMs = 177.3;

export interface LinkConditions {
  /** By its RTP name. */
  readonly codec: string;
  /** Share of packets lost, 0 to 1. */
  readonly lossRatio: number;
  readonly jitterMs: number;
  /** Of the network; unknown counts as none. */
  readonly roundTripMs?: number | undefined;
}

/**
 * Mean opinion score of one direction of one leg, 1 to 4.5, by the E-model (ITU-T G.107) as it is simplified for VoIP: all
 * parameters at their defaults but the codec, random packet loss, and the delay from mouth to ear.
 */
export function mosOf(conditions: LinkConditions): number {
  const { codec, lossRobustness, delayMs } = impairments[conditions.codec] ?? unknownCodec;
  const { jitterMs, roundTripMs = 0 } = conditions;
  const lossPercent = 100 * Math.min(1, Math.max(0, conditions.lossRatio));
  const oneWayMs = roundTripMs / 2 + delayMs + jitterBufferFactor * jitterMs;
  // G.107 §7.5 with BurstR 1: loss at random.
  const equipment = codec + ((95 - codec) * lossPercent) / (lossPercent + lossRobustness);
  const delay = 0.024 * oneWayMs + (oneWayMs > freeDelayMs ? 0.11 * (oneWayMs - freeDelayMs) : 0);
  return mosOfRating(bestRating - delay - equipment);
}

/** G.107 Annex B. */
function mosOfRating(rating: number): number {
  if (rating <= 0) return 1;
  if (rating >= 100) return 4.5;
  return Math.max(1, 1 + 0.035 * rating + 7e-6 * rating * (rating - 60) * (100 - rating));
}
