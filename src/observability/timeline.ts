import type { MediaSide, QualityReport } from '../call/media-quality.js';
import type { CallObserver, CallStep } from '../call/observer.js';
import type { Clock } from '../lib/clock.js';
import type { CallId } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';

/** Steps kept of one call: enough for both legs and their troubles. */
const MAX_STEPS = 128;
/** Calls kept; the one that ended longest ago is forgotten first, a live one only where there is no other. */
const MAX_CALLS = 1_000;

export type StepDetail = Readonly<Record<string, string | number | boolean>>;

/** One step of one call. */
export interface TimelineEntry {
  readonly call: CallId;
  readonly step: CallStep;
  /** Wall clock, milliseconds since the Unix epoch. */
  readonly at: number;
  /** Milliseconds since the call's first step, by the monotonic clock. */
  readonly sinceStartMs: number;
  readonly detail: StepDetail;
}

export type TimelineListener = (entry: TimelineEntry) => void;

/** How one leg's audio was in the last few seconds. */
export interface LegReport {
  readonly call: CallId;
  readonly side: MediaSide;
  readonly report: QualityReport;
}

/** Steps of the machinery below; the rest are lifecycle steps that an operator wants to see of every call. */
const DEBUG_STEPS: ReadonlySet<CallStep> = new Set<CallStep>([
  'call.state',
  'ice.connected',
  'dtls.connected',
  'sip.ack',
]);

interface CallTrace {
  readonly startedMs: number;
  readonly steps: TimelineEntry[];
}

/** Keeps the last calls' steps, logs each with its call id, and tells whoever listens. Never throws back. */
export class Timeline implements CallObserver {
  readonly #calls = new Map<CallId, CallTrace>();
  /** In the order of their ends. */
  readonly #ended = new Set<CallId>();
  readonly #listeners = new Set<TimelineListener>();
  /** Takes the reports of quality, which are no steps: there are too many of them. */
  onQuality: (report: LegReport) => void = () => undefined;

  constructor(
    private readonly logger: Logger,
    private readonly clock: Clock,
  ) {}

  step(call: CallId, step: CallStep, detail: StepDetail = {}): void {
    const trace = this.#trace(call);
    const sinceStartMs = Math.round(this.clock.monotonicMs() - trace.startedMs);
    const entry: TimelineEntry = { call, step, at: this.clock.now(), sinceStartMs, detail: { ...detail } };
    if (trace.steps.length >= MAX_STEPS) trace.steps.splice(1, 1); // the first step stays: it tells how the call began
    trace.steps.push(entry);
    if (step === 'call.ended') this.#ended.add(call);
    const fields = { ...detail, call, sinceStartMs };
    if (DEBUG_STEPS.has(step)) this.logger.debug(step, fields);
    else this.logger.info(step, fields);
    this.#tell(entry);
  }

  quality(call: CallId, side: MediaSide, report: QualityReport): void {
    this.logger.debug('media quality', { call, side, ...report });
    this.onQuality({ call, side, report });
  }

  /** The steps of a call in their order; empty when it is not known (any more). */
  stepsOf(call: CallId): readonly TimelineEntry[] {
    return [...(this.#calls.get(call)?.steps ?? [])];
  }

  /** Milliseconds since a call's first step, by the monotonic clock; 0 when it is not known (any more). */
  ageMs(call: CallId): number {
    const trace = this.#calls.get(call);
    return trace ? Math.round(this.clock.monotonicMs() - trace.startedMs) : 0;
  }

  /** Calls that are remembered, oldest first. */
  get calls(): readonly CallId[] {
    return [...this.#calls.keys()];
  }

  /** Adds a listener for every step from now on; returns the function that takes it away again. */
  subscribe(listener: TimelineListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  #trace(call: CallId): CallTrace {
    const known = this.#calls.get(call);
    if (known) return known;
    if (this.#calls.size >= MAX_CALLS) this.#forgetOne();
    const trace = { startedMs: this.clock.monotonicMs(), steps: [] };
    this.#calls.set(call, trace);
    return trace;
  }

  #forgetOne(): void {
    const [oldest] = this.#ended.size > 0 ? this.#ended : this.#calls.keys();
    if (oldest === undefined) return;
    this.#calls.delete(oldest);
    this.#ended.delete(oldest);
  }

  #tell(entry: TimelineEntry): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(entry);
      } catch (err) {
        this.logger.warn('timeline listener failed', { call: entry.call, err });
      }
    }
  }
}
