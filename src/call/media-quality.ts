/** What one direction of a leg's audio was like over a stretch of time. What is unknown is absent. */
export interface DirectionQuality {
  readonly packets: number;
  readonly lost?: number;
  /** Interarrival jitter where the packets arrive (RFC 3550 §6.4.1). */
  readonly jitterMs?: number;
  /** Estimated by the E-model: 1 (bad) to 4.5. */
  readonly mos?: number;
  /** How loud it was, a sine of full scale being 0; absent for audio that is passed on without being decoded. */
  readonly levelDbfs?: number;
}

/** What was seen and reported of one leg's audio in the last few seconds. */
export interface QualityReport {
  /** By its RTP name. */
  readonly codec: string;
  readonly intervalMs: number;
  /** From the far end to us, as we count. */
  readonly received: DirectionQuality;
  /** From us to the far end, as its reports say; `packets` are ours. */
  readonly sent: DirectionQuality;
  readonly roundTripMs?: number;
}

/** One direction of a leg over the whole call. */
export interface DirectionSummary {
  readonly packets: number;
  readonly lost?: number;
  readonly jitterAvgMs?: number;
  readonly jitterMaxMs?: number;
  readonly mosMin?: number;
  readonly mosAvg?: number;
  readonly levelAvgDbfs?: number;
  /** Of the loudest few seconds. */
  readonly levelMaxDbfs?: number;
}

/** One leg over the whole call, for its record. */
export interface LegQuality {
  readonly codec: string;
  /** From the far end to us. */
  readonly received: DirectionSummary;
  /** From us to the far end, as it reported. */
  readonly sent: DirectionSummary;
  readonly roundTripAvgMs?: number;
  readonly roundTripMaxMs?: number;
}

/** Both sides of a call. */
export interface CallQuality {
  readonly whatsapp?: LegQuality;
  readonly pbx?: LegQuality;
}

/** Which side of the bridge. */
export type MediaSide = keyof CallQuality;

/** For records: figures to two decimals, no more than they are worth; undefined if nothing is known of either side. */
export function roundedQuality(quality: CallQuality | undefined): CallQuality | undefined {
  if (!quality?.whatsapp && !quality?.pbx) return undefined;
  const rounded = (_key: string, value: unknown): unknown =>
    typeof value === 'number' ? Math.round(value * 100) / 100 : value;
  return JSON.parse(JSON.stringify(quality, rounded)) as CallQuality;
}
