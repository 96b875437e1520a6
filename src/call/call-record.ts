import type { CallDirection } from './call.js';
import type { EndCode, EndedBy, ResultClass } from './end-reason.js';

/**
 * The call detail record: one per call, always. Times are ISO 8601 in UTC; `duration` runs from the first message,
 * `billsec` from the answer (Asterisk's words), both in whole milliseconds.
 */
export interface CallRecord {
  readonly version: 1;
  /** Our call id. */
  readonly call: string;
  readonly direction: CallDirection;
  /** Alias of the business number, or null when the call never got one. */
  readonly number: string | null;
  /** The WhatsApp user: E.164, or null when Meta gave no number. */
  readonly user: string | null;
  readonly trunk: string | null;
  readonly start: string;
  readonly answer: string | null;
  readonly end: string;
  readonly durationMs: number;
  readonly billsecMs: number;
  readonly endedBy: EndedBy;
  readonly code: EndCode;
  readonly result: ResultClass;
  readonly sipStatus: number;
  /** Q.850 cause. */
  readonly q850: number;
  readonly metaCode: number | null;
  readonly text: string | null;
  readonly waCallId: string | null;
  readonly sipCallId: string | null;
}

/** Where call records go. Never throws into a call. */
export interface CdrSink {
  write(record: CallRecord): void;
}
