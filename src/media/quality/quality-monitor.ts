import type { DirectionQuality, DirectionSummary, LegQuality, QualityReport } from '../../call/media-quality.js';
import type { Clock, Timer } from '../../lib/clock.js';
import type { PeerReports } from '../peer-reports.js';
import type { ReceiveStatistics } from '../receive-statistics.js';
import type { ReportBlock } from '../rtcp-packet.js';
import { mosOf } from './e-model.js';
import type { LevelMeter } from './level-meter.js';
import { Spread } from './spread.js';

/** What a leg's audio is judged by. */
export interface QualitySource {
  readonly clock: Clock;
  readonly received: ReceiveStatistics;
  readonly peer: PeerReports;
  /** Of what is received, where it is decoded. */
  readonly level: LevelMeter;
  /** Of the stream that we send. */
  readonly sent: { readonly packets: number };
  /** What is agreed on; undefined before. */
  readonly audio: () => { readonly codec: string; readonly clockRate: number } | undefined;
  readonly onReport: (report: QualityReport, total: LegQuality) => void;
}

const intervalMs = 5000;

interface Counts {
  readonly atMs: number;
  readonly received: number;
  readonly lost: number;
  readonly sent: number;
  readonly blocks: number;
  readonly block: ReportBlock | undefined;
}

/** One direction, summed up. */
class DirectionTotal {
  readonly #jitter = new Spread();
  readonly #mos = new Spread();
  readonly #level = new Spread();

  add({ jitterMs, mos, levelDbfs }: DirectionQuality): void {
    this.#jitter.add(jitterMs);
    this.#mos.add(mos);
    this.#level.add(levelDbfs);
  }

  summary(packets: number, lost: number | undefined): DirectionSummary {
    const { avg: jitterAvgMs, max: jitterMaxMs } = this.#jitter;
    const { avg: mosAvg, min: mosMin } = this.#mos;
    const { avg: levelAvgDbfs, max: levelMaxDbfs } = this.#level;
    return defined({ packets, lost, jitterAvgMs, jitterMaxMs, mosMin, mosAvg, levelAvgDbfs, levelMaxDbfs });
  }
}

/** Judges one leg's audio every 5 s, from its RTP and from RTCP, and keeps the sum of it. */
export class QualityMonitor {
  #timer: Timer | undefined;
  #last: Counts;
  readonly #received = new DirectionTotal();
  readonly #sent = new DirectionTotal();
  readonly #roundTrip = new Spread();
  #lostByPeer: number | undefined;

  constructor(private readonly source: QualitySource) {
    this.#last = this.#counts();
  }

  /** Idempotent. */
  start(): void {
    if (this.#timer) return;
    this.#last = this.#counts();
    this.#arm();
  }

  /** Reports what was seen since the last report, and stops. Idempotent. */
  stop(): void {
    if (!this.#timer) return;
    this.#timer.cancel();
    this.#timer = undefined;
    this.#report();
  }

  /** The leg so far. */
  get total(): LegQuality {
    const { received, sent, audio } = this.source;
    const { avg: roundTripAvgMs, max: roundTripMaxMs } = this.#roundTrip;
    return defined({
      codec: audio()?.codec ?? '',
      received: this.#received.summary(received.packets, received.lost),
      sent: this.#sent.summary(sent.packets, this.#lostByPeer),
      roundTripAvgMs,
      roundTripMaxMs,
    });
  }

  #arm(): void {
    this.#timer = this.source.clock.after(intervalMs, () => {
      this.#arm();
      this.#report();
    });
  }

  #report(): void {
    const [before, now] = [this.#last, this.#counts()];
    this.#last = now;
    const { audio, peer } = this.source;
    const agreed = audio();
    if (!agreed || (now.received === before.received && now.sent === before.sent)) return;
    const roundTripMs = now.blocks > before.blocks ? peer.roundTripMs : undefined;
    const received = this.#receivedSince(before, now, agreed.codec);
    const sent = this.#sentSince(before, now, agreed);
    this.#received.add(received);
    this.#sent.add(sent);
    this.#roundTrip.add(roundTripMs);
    const elapsedMs = Math.round(now.atMs - before.atMs);
    const report = defined({ codec: agreed.codec, intervalMs: elapsedMs, received, sent, roundTripMs });
    this.source.onReport(report, this.total);
  }

  #receivedSince(before: Counts, now: Counts, codec: string): DirectionQuality {
    const packets = now.received - before.received;
    const lost = Math.max(0, now.lost - before.lost);
    if (packets === 0) return { packets, lost };
    const { jitterMs } = this.source.received;
    const levelDbfs = this.source.level.take();
    return defined({ packets, lost, jitterMs, mos: this.#mos(codec, lost / (packets + lost), jitterMs), levelDbfs });
  }

  /** What the far end has reported meanwhile; only packets without a report. */
  #sentSince(
    before: Counts,
    now: Counts,
    { codec, clockRate }: { codec: string; clockRate: number },
  ): DirectionQuality {
    const packets = now.sent - before.sent;
    const { block } = now;
    if (!block || now.blocks === before.blocks) return { packets };
    this.#lostByPeer = Math.max(0, block.cumulativeLost);
    const { expected, lost } = lossBetween(before.block, block);
    const jitterMs = (block.jitter * 1000) / clockRate;
    const ratio = expected > 0 ? lost / expected : block.fractionLost / 256;
    return { packets, lost, jitterMs, mos: this.#mos(codec, ratio, jitterMs) };
  }

  #mos(codec: string, lossRatio: number, jitterMs: number): number {
    return mosOf({ codec, lossRatio, jitterMs, roundTripMs: this.source.peer.roundTripMs });
  }

  #counts(): Counts {
    const { clock, received, peer, sent } = this.source;
    return {
      atMs: clock.monotonicMs(),
      received: received.packets,
      lost: received.lost,
      sent: sent.packets,
      blocks: peer.blocks,
      block: peer.block,
    };
  }
}

/** Between two reports; from the start of the stream if the first is none, or of a receiver that began anew since. */
function lossBetween(before: ReportBlock | undefined, now: ReportBlock): { expected: number; lost: number } {
  const expected = before ? (now.highestSequence - before.highestSequence) | 0 : 0;
  if (!before || expected < 0) return { expected: 0, lost: Math.max(0, now.cumulativeLost) };
  return { expected, lost: Math.max(0, now.cumulativeLost - before.cumulativeLost) };
}

type Defined<T> = { [Key in keyof T]: undefined extends T[Key] ? Key : never }[keyof T];

/** Leaves out what is unknown. */
function defined<T extends object>(
  values: T,
): Omit<T, Defined<T>> & { [Key in Defined<T>]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
