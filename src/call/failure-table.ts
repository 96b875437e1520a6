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
  | 'permission_requested' // the same, and the user has just been asked for it
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

/** Success rate classes: only `server_error` counts as our own failure. */
export type ResultClass = 'success' | 'client_error' | 'server_error' | 'upstream_error' | 'indeterminate';

/** What derives from an end code. */
export interface Cause {
  /** SIP status an unanswered SIP leg is refused with (RFC 3261 §21). */
  readonly sipStatus: number;
  /** Q.850 cause for the Reason header (RFC 3326) and the CDR. */
  readonly q850: number;
  readonly result: ResultClass;
}

const cause = (sipStatus: number, q850: number, result: ResultClass): Cause => ({ sipStatus, q850, result });

/** How a call ends for each end code: SIP status, Q.850 cause, result class. */
export const causeTable: Readonly<Record<EndCode, Cause>> = {
  hangup: cause(480, 16, 'success'),
  cancelled: cause(487, 16, 'client_error'),
  no_answer: cause(480, 19, 'client_error'),
  busy: cause(486, 17, 'client_error'),
  declined: cause(486, 21, 'client_error'),
  not_found: cause(404, 1, 'client_error'),
  bad_number: cause(484, 28, 'client_error'),
  not_allowed: cause(403, 21, 'client_error'),
  no_permission: cause(403, 21, 'client_error'),
  permission_requested: cause(480, 20, 'client_error'),
  no_route: cause(404, 3, 'client_error'),
  no_codec: cause(488, 88, 'client_error'),
  bad_request: cause(400, 95, 'client_error'),
  limit: cause(503, 42, 'upstream_error'),
  unavailable: cause(480, 20, 'client_error'),
  trunk_down: cause(503, 38, 'upstream_error'),
  upstream: cause(503, 41, 'upstream_error'),
  credentials: cause(503, 41, 'server_error'),
  media_failed: cause(504, 41, 'upstream_error'),
  media_timeout: cause(480, 102, 'upstream_error'),
  max_duration: cause(480, 102, 'success'),
  admin: cause(480, 16, 'success'),
  shutdown: cause(503, 41, 'server_error'),
  internal: cause(500, 41, 'server_error'),
};
