import type { CallId } from '../lib/ids.js';
import type { EndCode, EndedBy, ResultClass } from './end-reason.js';

/** Who began a call; Meta's two words. */
export type CallDirection = 'user_initiated' | 'business_initiated';

/** The record of one call: exactly one is written for each, whatever came of it. Times are ISO 8601 in UTC. */
export interface CallRecord {
  /** Version of this form; it grows when a field changes its meaning or goes away. */
  readonly version: 1;
  readonly call: CallId;
  readonly direction: CallDirection;
  /** Alias of the business number; absent when the call ended before it was known. */
  readonly number?: string;
  /** The WhatsApp user, unmasked: records are for billing. */
  readonly user?: string;
  readonly trunk?: string;
  /** When the call arrived. */
  readonly start: string;
  /** When it was answered; absent if it never was. */
  readonly answer?: string;
  readonly end: string;
  /** From start to end, ringing included, in milliseconds of the monotonic clock. */
  readonly durationMs: number;
  /** From answer to end, in milliseconds of the monotonic clock; 0 if never answered. */
  readonly billsecMs: number;
  readonly endedBy: EndedBy;
  readonly code: EndCode;
  readonly sipStatus: number;
  /** Q.850 cause. */
  readonly q850: number;
  readonly result: ResultClass;
  readonly metaCode?: number;
  /** What the other side said; sanitised by whoever writes it out. */
  readonly text?: string;
  readonly waCallId?: string;
  /** Call-ID headers of the SIP leg's dialogs, the last one being the one that was answered, if any. */
  readonly sipCallIdA?: string;
  readonly sipCallIdB?: string;
  /** Codec of the SIP leg, by its RTP name. */
  readonly codec?: string;
}

/** Takes call records. Never throws and never delays a call. */
export interface CdrSink {
  write(record: CallRecord): void;
  /** Resolves when all that was taken has been stored, or has been given up. */
  close(): Promise<void>;
}
