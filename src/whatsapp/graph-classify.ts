import type { GraphError } from './graph-error.js';

/**
 * Codes of Meta's rate limits, which may come with HTTP 400 as well as 429: app, account, throughput, look-ups, concurrent
 * calls of a number, calls of a number in a day.
 */
const rateLimitCodes: ReadonlySet<number> = new Set([4, 80007, 130429, 613, 138002, 138005]);
/** Access token expired, revoked or unreadable (Meta's general error codes). */
const tokenCodes: ReadonlySet<number> = new Set([102, 190]);
/** An object that the token may not see is said not to exist: code 100 with this subcode. */
const NO_ACCESS_SUBCODE = 33;

/** Whether Meta asks to slow down. */
export function isRateLimit(error: GraphError): boolean {
  return error.httpStatus === 429 || (error.metaCode !== undefined && rateLimitCodes.has(error.metaCode));
}

/** A limit, and whom it holds back. */
export interface LimitReach {
  readonly scope: 'app' | 'number';
  /** The first pause when Meta names no time, in milliseconds. */
  readonly baseMs: number;
}

const LIMIT_BASE_MS = 5_000;
/** First pauses of limits that pass faster or more slowly: look-ups a second, calls that are on, calls in a day. */
const limitBases: ReadonlyMap<number, number> = new Map([
  [613, 1_000],
  [138002, 2_000],
  [138005, 60_000],
]);
/** These are about one pair of business and user and say nothing of the next call, whatever their HTTP status. */
const pairCodes: ReadonlySet<number> = new Set([131056, 138003, 138009, 138012]);

/** Whom a limit holds back: code 4 the whole app, the others the number; undefined when the error is none. */
export function limitReach(error: GraphError): LimitReach | undefined {
  const { metaCode } = error;
  if (!isRateLimit(error) || error.fault === 'held' || (metaCode !== undefined && pairCodes.has(metaCode)))
    return undefined;
  const baseMs = (metaCode === undefined ? undefined : limitBases.get(metaCode)) ?? LIMIT_BASE_MS;
  return { scope: metaCode === 4 ? 'app' : 'number', baseMs };
}

/**
 * Where a fault of the network or of Meta's servers lies: a connection that fails is everybody's; silence, HTTP 5xx and answers
 * that nobody can read may be one number's. Codes of calling (138…) are about the call.
 */
export function faultScope(error: GraphError): 'app' | 'number' | undefined {
  const { metaCode = 0, httpStatus = 0 } = error;
  switch (error.fault) {
    case 'transport':
      return 'app';
    case 'timeout':
      return error.unsent ? undefined : 'number';
    case 'answer':
      return httpStatus >= 400 && httpStatus < 500 ? undefined : 'number';
    case 'api':
      return httpStatus >= 500 && Math.floor(metaCode / 1000) !== 138 ? 'number' : undefined;
    case 'token':
    case 'held':
      return undefined;
  }
}

/** Whether the fault lies with the network or with Meta's servers, so that the same request may succeed later. */
export function isTransient(error: GraphError): boolean {
  return (
    error.fault === 'transport' ||
    error.fault === 'timeout' ||
    (error.httpStatus !== undefined && error.httpStatus >= 500)
  );
}

/**
 * Whether Meta may have done what was asked although we got no usable answer. An error body with a code is an answer.
 * A request that never left has a known outcome too.
 */
export function isOutcomeUnknown(error: GraphError): boolean {
  if (error.unsent) return false;
  if (error.fault === 'transport' || error.fault === 'timeout') return true;
  const status = error.httpStatus ?? 0;
  return error.metaCode === undefined && (status >= 500 || (status >= 200 && status < 300));
}

/**
 * Whether a connect met an answer that cannot be used: HTML with a 200, cut JSON, wrong types, 50 MB, a redirect. Meta may have
 * placed the call, yet its id is lost, and waiting for a webhook would keep the PBX waiting for what will hardly come: the call
 * is given up at once, and a webhook that turns up all the same ends it. Such an error is of unknown outcome, too.
 */
export function isAnswerUnusable(error: GraphError): boolean {
  return error.fault === 'answer' && (error.httpStatus ?? 0) < 400;
}

/** Whether the access token itself is refused, so that nothing works with it, whatever the number. */
export function isTokenRefused(error: GraphError): boolean {
  if (error.fault === 'token') return true;
  const { metaCode, httpStatus } = error;
  if (error.fault !== 'api') return false;
  return metaCode === undefined ? httpStatus === 401 : tokenCodes.has(metaCode);
}

/**
 * Whether the token is good but may not do this on this number: codes 10 and 200 to 299, or an object that it does not see.
 * 138000 and 138006 come with HTTP 401 as well and are about the call.
 */
export function isPermissionMissing(error: GraphError): boolean {
  const { metaCode = 0, metaSubcode } = error;
  if (error.fault !== 'api') return false;
  return (
    metaCode === 10 || (metaCode >= 200 && metaCode <= 299) || (metaCode === 100 && metaSubcode === NO_ACCESS_SUBCODE)
  );
}

/** Whether the credentials are at fault, and no call can be placed until the operator has done something. */
export function isCredentialFault(error: GraphError): boolean {
  return isTokenRefused(error) || isPermissionMissing(error);
}

const over =
  /already (?:been )?(?:in progress|accepted|rejected|ended|terminated|completed|failed|disconnected|over)|in progress, completed or failed|(?:call|it) (?:is|was|has)(?: already)?(?: been)? (?:not active|over|ended|completed|terminated|rejected|failed)|no (?:longer|such|active) |call (?:id )?(?:not found|does not exist)/i;
const underway =
  /already (?:been )?(?:in progress|(?:pre[-_ ]?)?accepted|answered)|(?:in progress|accepted|answered) already/i;

const saysOf = (error: GraphError): string => [error.title, error.details, error.message].join(' ');

const isRefusal = (error: GraphError): boolean =>
  error.fault === 'api' &&
  error.httpStatus !== undefined &&
  error.httpStatus >= 400 &&
  error.httpStatus < 500 &&
  error.httpStatus !== 401 &&
  error.httpStatus !== 403 &&
  !isRateLimit(error);

/**
 * Whether a terminate or reject was refused because the call is over: racing hang-ups get "call already in progress,
 * completed or failed" (Meta's list of causes gives no code), and what we wanted has come about.
 */
export function isOverAlready(error: GraphError): boolean {
  return isRefusal(error) && over.test(saysOf(error));
}

/** Whether a repeated pre_accept or accept was refused because the first one had arrived. */
export function isAcceptedAlready(error: GraphError): boolean {
  return isRefusal(error) && underway.test(saysOf(error));
}
