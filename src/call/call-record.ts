import type { CallId } from '../lib/ids.js';
import type { EndCode, EndedBy, ResultClass } from './end-reason.js';
import type { CallQuality } from './media-quality.js';

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
  /** The WhatsApp user's number, unmasked: records are for billing. No record has the profile name, which bills nobody. */
  readonly user?: string;
  /** The user's business-scoped id, which stands for a number that is hidden. */
  readonly userId?: string;
  readonly trunk?: string;
  /** Who called at the PBX, to the last digits, or `anonymous`; the number itself bills nobody. */
  readonly caller?: string;
  /** Whom a trusted PBX says the call was forwarded by, to the last digits. */
  readonly divertedBy?: string;
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
  /** Meta's own times of a call that was picked up, from its terminate webhook, beside ours above. */
  readonly metaStart?: string;
  readonly metaEnd?: string;
  readonly metaDurationS?: number;
  /** What Meta calls the outcome: COMPLETED says nothing about an answer. */
  readonly metaStatus?: string;
  /** Payload of the call button or of the deep link that the user came by. */
  readonly ctaPayload?: string;
  readonly deeplinkPayload?: string;
  /** The operator's own string (`X-WA-Opaque`), whole even where Meta had to be given less. */
  readonly opaque?: string;
  /** Call-ID headers of the SIP leg's dialogs, the last one being the one that was answered, if any. */
  readonly sipCallIdA?: string;
  readonly sipCallIdB?: string;
  /** Codec of the SIP leg, by its RTP name. */
  readonly codec?: string;
  /** How the audio was, of each leg in each direction; absent when there was none. */
  readonly quality?: CallQuality;
  /** Crypto suite of the SIP leg's SRTP; absent for plain RTP. */
  readonly srtp?: string;
}

/** What is known of a call when it arrives; its record follows. */
export type CallStart = Pick<
  CallRecord,
  'call' | 'direction' | 'number' | 'user' | 'userId' | 'trunk' | 'opaque' | 'start'
>;

/** Takes call records. Never throws and never delays a call. */
export interface CdrSink {
  /** Resolves when the record is where a crash does not reach it, or was given up; of a sink that keeps nothing, at once. Never rejects. */
  write(record: CallRecord): void | Promise<void>;
  /** Told of every call whose record will follow. */
  started?(start: CallStart): void;
  /** Resolves when all that was taken has been stored, or has been given up. */
  close(): Promise<void>;
}
