import { causeTable } from './cause-map.js';

/** Why a call or a leg ended, as one stable word. The first reason of a call wins; all else derives from it. */
export type EndCode =
  | 'hangup' // a party hung up an answered call
  | 'cancelled' // the caller gave up before the answer
  | 'no_answer' // nobody picked up in time
  | 'busy'
  | 'declined'
  | 'not_found' // the number dialled does not exist or cannot be called
  | 'bad_number' // the dial string is not a telephone number
  | 'not_allowed' // policy: ours, the trunk's or Meta's
  | 'no_permission' // the user has not given leave to be called
  | 'no_route'
  | 'no_codec' // offer without a usable codec
  | 'bad_request' // a message we cannot use
  | 'limit' // a limit was reached; retryAfterS says when to try again
  | 'unavailable' // temporarily unavailable
  | 'trunk_down' // no server of the trunk answered
  | 'upstream' // Meta's service failed or was unreachable
  | 'credentials' // Meta refused our token or app
  | 'media_failed' // ICE or DTLS did not come up
  | 'media_timeout' // no media for too long
  | 'max_duration'
  | 'admin' // hung up by the operator
  | 'shutdown'
  | 'internal'; // a fault of our own

/** Who ended it: the leg that originated the call, the leg that was dialled, or the bridge itself. */
export type EndedBy = 'a' | 'b' | 'bridge';

/** Success rate classes: only `server_error` counts as our own failure. */
export type ResultClass = 'success' | 'client_error' | 'server_error' | 'upstream_error' | 'indeterminate';

/** Why a call ended, with all that derives from it. */
export interface EndReason {
  readonly code: EndCode;
  /** SIP status an unanswered SIP leg is refused with (RFC 3261 §21). */
  readonly sipStatus: number;
  /** Q.850 cause for the Reason header (RFC 3326) and the CDR. */
  readonly q850: number;
  readonly result: ResultClass;
  /** What the other side said, not yet sanitised for headers. */
  readonly text?: string;
  /** Meta's error code, when Meta gave one. */
  readonly metaCode?: number;
  /** Seconds after which a new attempt makes sense, for Retry-After. */
  readonly retryAfterS?: number;
}

/** What may be said beyond the code; a `sipStatus` or `q850` here overrides the table. */
export type EndDetail = Partial<Pick<EndReason, 'sipStatus' | 'q850' | 'text' | 'metaCode' | 'retryAfterS'>>;

/** Makes an EndReason from its code; status, cause and result come from the cause map unless given. */
export function endReason(code: EndCode, detail: EndDetail = {}): EndReason {
  return { code, ...causeTable[code], ...detail };
}
