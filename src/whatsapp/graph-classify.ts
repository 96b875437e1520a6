import type { GraphError } from './graph-error.js';

/** Codes of Meta's general rate limits, which may come with HTTP 400 as well as 429. */
const rateLimitCodes: ReadonlySet<number> = new Set([4, 80007, 130429]);

/** Whether Meta asks to slow down. */
export function isRateLimit(error: GraphError): boolean {
  return error.httpStatus === 429 || (error.metaCode !== undefined && rateLimitCodes.has(error.metaCode));
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
