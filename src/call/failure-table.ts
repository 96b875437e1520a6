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
  | 'closed' // a user called outside the number's call hours
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
  closed: cause(480, 20, 'client_error'),
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

/** What a fault of the other side means: the end code, and what of its cause is said differently for this fault. */
export interface Failure {
  readonly code: EndCode;
  readonly sipStatus?: number;
  readonly q850?: number;
}

/** A failure that Meta reports, by the Graph API or in a webhook. */
export interface MetaFailure extends Failure {
  /** Retry-After when Meta names no time, in seconds. */
  readonly retryAfterS?: number;
  /** What the same code means in a call that had been answered. */
  readonly afterAnswer?: Failure;
}

const meta = (code: EndCode, more: Omit<MetaFailure, 'code'> = {}): MetaFailure => ({ code, ...more });

/** A relay that cannot be reached is "unavailable" before the answer, and lost media after it. */
const unreachable = meta('unavailable', { afterAnswer: { code: 'media_failed', q850: 41 } });

/** It takes somebody to mend it. */
const credentials = meta('credentials', { retryAfterS: 60 });

/**
 * Meta's error codes, of the Graph API and of webhooks. Where Meta's pages leave room, decision note 0050 says why. Codes 100
 * and 200 to 299 and codes that are not here: `metaOtherwise`.
 */
export const metaFailures: ReadonlyMap<number, MetaFailure> = new Map([
  // Service, token and rate limits (Meta's general error codes).
  [1, meta('upstream')],
  [2, meta('upstream')],
  [4, meta('limit', { retryAfterS: 60 })],
  [10, credentials],
  [102, credentials],
  [190, credentials],
  [613, meta('limit', { retryAfterS: 5 })],
  [80007, meta('limit', { retryAfterS: 60 })],
  [130429, meta('limit', { retryAfterS: 60 })],
  [130497, meta('not_allowed')],
  [131000, meta('upstream')],
  [131009, meta('internal')],
  [131016, meta('upstream')],
  [131026, unreachable],
  [131030, meta('not_allowed')],
  [131044, meta('not_allowed')],
  // The number is in SIP mode: a fault of the set-up, not of the call.
  [131055, meta('internal', { sipStatus: 503 })],
  // Calling (Meta's troubleshooting page).
  [138000, meta('not_allowed')],
  [138001, meta('not_found')],
  [138002, meta('limit', { retryAfterS: 10 })],
  [138003, meta('busy')],
  [138004, meta('upstream', { sipStatus: 500 })],
  [138005, meta('limit', { retryAfterS: 3600 })],
  [138006, meta('no_permission')],
  [138007, meta('media_failed')],
  [138008, meta('internal')],
  [138009, meta('no_permission')],
  [138011, meta('no_permission')],
  [138012, meta('limit', { sipStatus: 403, retryAfterS: 3600 })],
  [138013, meta('not_allowed')],
  [138014, meta('not_allowed')],
  [138015, meta('not_allowed')],
  [138017, meta('internal')],
  [138018, meta('not_allowed')],
  [138019, unreachable],
  [138020, unreachable],
  [138021, meta('media_timeout')],
  [138022, meta('media_timeout')],
  [138023, meta('media_failed')],
  [138024, meta('not_allowed')],
  [138025, meta('not_allowed')],
]);

/** What Meta says by other means than a code of its own. */
export const metaOtherwise = {
  /** Code 100, whose text names the parameter: the user's number has a wrong form. */
  malformedUser: meta('bad_number'),
  /** Code 100: the user's number is not one that can be called. */
  unknownUser: meta('not_found'),
  /** Code 100 with subcode 33, codes 200 to 299, HTTP 401 or 403: token or number are not set up. */
  noAccess: credentials,
  /** Code 100 about anything else: our request was wrong. */
  badRequest: meta('internal'),
  /** No code that is known, by HTTP status. */
  http429: meta('limit', { retryAfterS: 60 }),
  http4xx: meta('upstream', { sipStatus: 500 }),
  /** 5xx, and an answer that cannot be read. */
  http5xx: meta('upstream'),
  unreachable: meta('upstream'),
  timeout: meta('upstream', { sipStatus: 504 }),
  /** The user's REJECTED. */
  rejected: meta('declined'),
  /** A terminate webhook that says FAILED without a code that is known. */
  failed: meta('unavailable', { afterAnswer: { code: 'upstream' } }),
} as const satisfies Readonly<Record<string, MetaFailure>>;

/** A final response of a PBX to our INVITE. */
export interface SipFailure extends Failure {
  /** Another server of the trunk may do better. */
  readonly retry: boolean;
}

const sip = (code: EndCode, q850?: number): SipFailure => ({ code, retry: false, ...(q850 !== undefined && { q850 }) });
/** It is the server that failed, not the call (RFC 3261 §21.5). */
const down = (q850: number): SipFailure => ({ ...sip('trunk_down', q850), retry: true });

/**
 * Every final status other than 2xx of IANA's registry. Q.850 causes are those of RFC 3398 §8.2.6.1 where it has one; a cause
 * that the PBX names itself (RFC 6432) goes before them.
 */
export const sipFailures: ReadonlyMap<number, SipFailure> = new Map([
  // A redirect is not followed: it could point anywhere.
  [300, sip('unavailable')],
  [301, sip('unavailable')],
  [302, sip('unavailable')],
  [305, sip('unavailable')],
  [380, sip('unavailable')],
  [400, sip('bad_request', 41)],
  [401, sip('not_allowed', 21)],
  [402, sip('not_allowed', 21)],
  [403, sip('not_allowed', 21)],
  [404, sip('not_found', 1)],
  [405, sip('bad_request', 63)],
  [406, sip('bad_request', 79)],
  [407, sip('not_allowed', 21)],
  [408, sip('no_answer', 102)],
  [410, sip('not_found', 22)],
  [412, sip('bad_request')],
  [413, sip('bad_request', 127)],
  [414, sip('bad_request', 127)],
  [415, sip('no_codec', 79)],
  [416, sip('bad_request', 127)],
  [417, sip('bad_request')],
  [420, sip('bad_request', 127)],
  [421, sip('bad_request', 127)],
  [422, sip('bad_request')],
  [423, sip('bad_request', 127)],
  [424, sip('bad_request')],
  [425, sip('bad_request')],
  // Who calls cannot be shown in the way the PBX wants (RFC 8224, RFC 3892, RFC 5079).
  [428, sip('not_allowed')],
  [429, sip('not_allowed')],
  [430, sip('unavailable')],
  [433, sip('declined')],
  [436, sip('not_allowed')],
  [437, sip('not_allowed')],
  [438, sip('not_allowed')],
  [439, sip('bad_request')],
  [440, sip('no_route')],
  [469, sip('bad_request')],
  [470, sip('not_allowed')],
  [480, sip('unavailable', 18)],
  [481, sip('unavailable', 41)],
  [482, sip('no_route', 25)],
  [483, sip('no_route', 25)],
  [484, sip('bad_number', 28)],
  [485, sip('bad_number', 1)],
  [486, sip('busy', 17)],
  // Not by a CANCEL of ours: the PBX rang as long as it cared to.
  [487, sip('no_answer')],
  [488, sip('no_codec')],
  [489, sip('bad_request')],
  [491, sip('unavailable')],
  [493, sip('bad_request')],
  [494, sip('not_allowed')],
  [500, down(41)],
  [501, down(79)],
  [502, down(38)],
  [503, down(41)],
  [504, down(102)],
  [505, down(127)],
  [513, down(127)],
  [555, down(41)],
  [580, down(41)],
  [600, sip('busy', 17)],
  [603, sip('declined', 21)],
  [604, sip('not_found', 1)],
  [606, sip('no_codec')],
  [607, sip('declined', 21)],
  [608, sip('declined', 21)],
]);

/** Statuses that are not registered, by class (RFC 3261 §8.1.3.2). */
export const sipFailuresByClass = {
  3: sip('unavailable'),
  4: sip('bad_request', 41),
  5: down(41),
  6: sip('declined', 21),
} as const satisfies Readonly<Record<number, SipFailure>>;
