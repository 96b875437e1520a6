import { createHash } from 'node:crypto';
import type { CallRecord, CdrSink } from '../../call/call-record.js';
import type { Clock, Timer } from '../../lib/clock.js';
import { withDeadline } from '../../lib/deadline.js';
import type { CallId } from '../../lib/ids.js';
import type { Logger } from '../../lib/logger.js';
import type { Redaction } from '../redaction.js';
import type { Timeline } from '../timeline.js';
import type { CallSpan } from './call-span.js';
import { callSpans } from './call-spans.js';

/** The spans of one call and the id that holds them together. */
export interface CallTrace {
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  readonly root: CallSpan;
}

/** Where traces go. */
export interface TraceExport {
  /** Rejects when they are lost; whoever does it has its own deadline and tries again by itself. */
  send(traces: readonly CallTrace[]): Promise<void>;
  close(): Promise<void>;
}

export type DropReason = 'queue_full' | 'export_failed';

export interface CallTracesOptions {
  readonly to: TraceExport;
  /** Share of calls that are traced, 0 to 1. */
  readonly sampleRatio: number;
  readonly timeline: Pick<Timeline, 'stepsOf'>;
  readonly redaction: Pick<Redaction, 'value'>;
  readonly onDropped: (reason: DropReason, calls: number) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Calls that wait to be sent; beyond that they are dropped and counted. */
  readonly queueCap?: number;
}

const QUEUE_CAP = 1_000;
/** Calls sent in one request: some hundred kilobytes. */
const BATCH = 64;
/** Calls are gathered for this long before they are sent, in milliseconds. */
const GATHER_MS = 1_000;
/** Longest wait for the last ones when the daemon stops, in milliseconds: a part of what a second signal leaves. */
const CLOSE_MS = 2_000;

/**
 * Sends a trace of each call when it is over. Never delays a call and never throws into it: what the collector does not take is
 * counted, and said once until it takes some again.
 */
export class CallTraces {
  #waiting: CallTrace[] = [];
  #timer: Timer | undefined;
  #sending: Promise<void> | undefined;
  /** Calls in the request that is under way. */
  #underWay = 0;
  #isFailing = false;
  #isClosed = false;

  constructor(private readonly options: CallTracesOptions) {}

  /** A sink that traces each call whose record it is given, and hands the record on. */
  before(records: CdrSink): CdrSink {
    return {
      started: (start) => records.started?.(start),
      write: (record) => {
        this.ended(record);
        return records.write(record);
      },
      close: () => records.close(),
    };
  }

  /** The call is over and all its steps are known. */
  ended(record: CallRecord): void {
    const { timeline, redaction, sampleRatio, queueCap = QUEUE_CAP, onDropped, logger } = this.options;
    const traceId = traceIdOf(record.call);
    if (this.#isClosed || !isSampled(traceId, sampleRatio)) return;
    if (this.#waiting.length >= queueCap) return onDropped('queue_full', 1);
    try {
      this.#waiting.push({ traceId, root: callSpans(record, timeline.stepsOf(record.call), redaction) });
    } catch (err) {
      logger.error('trace of a call could not be made', { call: record.call, err });
      return;
    }
    this.#timer ??= this.options.clock.after(GATHER_MS, () => this.#begin());
  }

  /** Sends what waits, for a short time; the rest is dropped and counted. Never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const { to, clock, onDropped, logger } = this.options;
    this.#timer?.cancel();
    this.#begin();
    try {
      await withDeadline(this.#sending ?? Promise.resolve(), CLOSE_MS, 'sending the last traces', clock);
    } catch (err) {
      const calls = this.#underWay + this.#waiting.length;
      this.#waiting = [];
      this.#underWay = 0;
      onDropped('export_failed', calls);
      logger.warn('traces could not be sent before the end', { calls, err });
    }
    await withDeadline(to.close(), CLOSE_MS, 'end of the exporter', clock).catch(() => undefined);
  }

  #begin(): void {
    this.#timer = undefined;
    if (this.#waiting.length > 0) this.#sending ??= this.#send().finally(() => (this.#sending = undefined));
  }

  /** One request at a time, until nothing waits. Never rejects. */
  async #send(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH);
      this.#underWay = batch.length;
      try {
        await this.options.to.send(batch);
        this.#recovered();
      } catch (err) {
        // Nothing is under way any more if it was given up.
        if (this.#underWay > 0) this.#failed(this.#underWay, err);
      }
      this.#underWay = 0;
    }
  }

  #failed(calls: number, err: unknown): void {
    this.options.onDropped('export_failed', calls);
    if (!this.#isFailing) this.options.logger.warn('traces cannot be sent', { calls, err });
    this.#isFailing = true;
  }

  #recovered(): void {
    if (this.#isFailing) this.options.logger.info('traces are sent again');
    this.#isFailing = false;
  }
}

/** A call has one trace id, whoever works it out: nothing needs to be remembered between our two sides of it. */
export const traceIdOf = (call: CallId): string => createHash('sha256').update(call).digest('hex').slice(0, 32);

/** By the id's own bits, so that a call is traced or not wherever that is asked. */
export function isSampled(traceId: string, ratio: number): boolean {
  return Number.parseInt(traceId.slice(-12), 16) < ratio * 2 ** 48;
}
