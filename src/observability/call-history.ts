import type { CallRecord, CallStart } from '../call/call-record.js';
import type { MediaSide, QualityReport } from '../call/media-quality.js';
import type { CallId } from '../lib/ids.js';
import { QualityHistory, type QualitySample } from './quality-history.js';

/** Ended calls that are remembered. */
const MAX_ENDED = 1_000;

/** A call as its start and its record tell of it. */
export interface KnownCall {
  readonly start: CallStart;
  /** Absent: it is live. */
  readonly record: CallRecord | undefined;
}

/** The last report of each side's audio. */
export type LatestQuality = Partial<Record<MediaSide, QualityReport>>;

/** The live calls and the last ones that ended, for whoever looks at the daemon. */
export class CallHistory {
  readonly #live = new Map<CallId, CallStart>();
  /** The latest last. */
  readonly #ended = new Map<CallId, KnownCall>();
  readonly #quality = new Map<CallId, LatestQuality>();
  readonly #samples = new Map<CallId, QualityHistory>();

  constructor(private readonly maxEnded = MAX_ENDED) {}

  started(start: CallStart): void {
    this.#live.set(start.call, start);
  }

  ended(record: CallRecord): void {
    const start = this.#live.get(record.call) ?? record;
    this.#live.delete(record.call);
    this.#ended.set(record.call, { start, record });
    const [oldest] = this.#ended.keys();
    if (this.#ended.size <= this.maxEnded || oldest === undefined) return;
    this.#ended.delete(oldest);
    this.#quality.delete(oldest);
    this.#samples.delete(oldest);
  }

  /** Reports on calls that are not known are forgotten. */
  heard(call: CallId, side: MediaSide, report: QualityReport, atMs: number): void {
    if (!this.get(call)) return;
    this.#quality.set(call, { ...this.#quality.get(call), [side]: report });
    const samples = this.#samples.get(call) ?? new QualityHistory();
    this.#samples.set(call, samples);
    samples.add(side, atMs, report);
  }

  /** Of the whole call, in the order of their times. */
  samplesOf(call: CallId): readonly QualitySample[] {
    return this.#samples.get(call)?.samples ?? [];
  }

  qualityOf(call: CallId): LatestQuality {
    return this.#quality.get(call) ?? {};
  }

  /** Oldest first. */
  live(): readonly KnownCall[] {
    return [...this.#live.values()].map((start) => ({ start, record: undefined }));
  }

  /** Latest first, at most `limit` of those that fit. */
  recent(limit: number, fits: (record: CallRecord) => boolean = () => true): readonly KnownCall[] {
    const found: KnownCall[] = [];
    for (const known of [...this.#ended.values()].reverse()) {
      if (found.length >= limit) break;
      if (known.record && fits(known.record)) found.push(known);
    }
    return found;
  }

  get(id: CallId): KnownCall | undefined {
    const start = this.#live.get(id);
    return start ? { start, record: undefined } : this.#ended.get(id);
  }

  /** All whose id begins so; case does not matter. */
  beginningWith(prefix: string): readonly KnownCall[] {
    const wanted = prefix.toUpperCase();
    const all = [...this.live(), ...this.#ended.values()];
    return all.filter(({ start }) => start.call.startsWith(wanted));
  }
}
