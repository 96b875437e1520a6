import { isCredentialFault, isRateLimit, isTransient } from './graph-classify.js';
import type { GraphError } from './graph-error.js';
import type { GraphRequest } from './graph-request.js';

/** How long a request is tried, how often, and after which errors again. */
export interface RetryRule {
  /** From the moment it is asked for to the last answer, waiting in the queue included; milliseconds. */
  readonly totalMs: number;
  /** Longest wait for one answer, in milliseconds. */
  readonly attemptMs: number;
  readonly attempts: number;
  readonly repeatAfter: (error: GraphError) => boolean;
}

/** Within the 15 s that a leg waits for its end. */
const END_TOTAL_MS = 12_000;
/** An answer takes Meta a fraction of a second; one that does not come is asked for again while there is time. */
const END_ATTEMPT_MS = 4_000;
const END_ATTEMPTS = 8;
/** Inside Meta's answer window of 30 to 60 s, part of which the PBX has used to pick up. */
const ANSWER_TOTAL_MS = 20_000;

/** Longest pause before a repeat, jitter included and whatever Retry-After says, in milliseconds: callers are waiting. */
const PAUSE_CAP_MS = 2000;
/** Share of a pause that jitter adds or takes away, at most. */
const JITTER = 0.25;
/** A limit passes more slowly than a fault of the network. */
const LIMIT_BACKOFF_FACTOR = 4;

const isPassing = (error: GraphError): boolean => isTransient(error) || isRateLimit(error);
/** A token that is being replaced may let the next one through; a call that nobody ends costs its user time and money. */
const mayStillEnd = (error: GraphError): boolean => isPassing(error) || isCredentialFault(error);
const neverLeft = (error: GraphError): boolean => error.unsent && error.fault === 'transport';

/**
 * The rule of a request's lane. `end`: persistent within a bound. `answer`: once more. `connect` and other posts: only when
 * not a byte was sent, since a second connect would ring the user twice or give 138003; a look-up once more.
 */
export function retryRule(
  { lane, method }: Pick<GraphRequest<unknown>, 'lane' | 'method'>,
  timeoutMs: number,
): RetryRule {
  const once = { totalMs: timeoutMs, attemptMs: timeoutMs, attempts: 2 };
  switch (lane) {
    case 'end':
      return {
        totalMs: END_TOTAL_MS,
        attemptMs: Math.min(timeoutMs, END_ATTEMPT_MS),
        attempts: END_ATTEMPTS,
        repeatAfter: mayStillEnd,
      };
    case 'answer':
      return { ...once, totalMs: Math.min(2 * timeoutMs, ANSWER_TOTAL_MS), repeatAfter: isPassing };
    case 'connect':
      return { ...once, repeatAfter: neverLeft };
    case 'other':
      return { ...once, repeatAfter: method === 'GET' ? isTransient : neverLeft };
  }
}

/** The pause after a failed attempt, in milliseconds: doubling from `backoffMs`, ±25 %; `random` is 0 to 1. */
export function pauseMs(attempt: number, error: GraphError, backoffMs: number, random: number): number {
  const factor = isRateLimit(error) ? LIMIT_BACKOFF_FACTOR : 1;
  const wantedMs = Math.max(backoffMs * factor * 2 ** attempt, (error.retryAfterS ?? 0) * 1000);
  return Math.min(wantedMs, PAUSE_CAP_MS / (1 + JITTER)) * (1 - JITTER + random * 2 * JITTER);
}
