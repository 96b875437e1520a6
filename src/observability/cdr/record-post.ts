import type { Clock } from '../../lib/clock.js';
import { withDeadline } from '../../lib/deadline.js';

/** Where records go. */
export interface RecordReceiver {
  /** Empty: nowhere. */
  readonly url: string;
  /** Bearer token; empty: none is shown. */
  readonly token: string;
}

/** What became of one attempt. */
export type Verdict =
  | { readonly kind: 'taken' }
  /** The receiver will never take this record. */
  | { readonly kind: 'refused'; readonly status: number; readonly said: string }
  /** It may later. `afterMs`: not before, as it says. */
  | { readonly kind: 'again'; readonly why: string; readonly afterMs: number };

export interface PostTerms extends RecordReceiver {
  readonly call: string;
  /** The record as JSON. */
  readonly text: string;
  /** Longest wait for the status, in milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly fetch: typeof fetch;
}

/**
 * Statuses of 4xx that say nothing of the record: the token, the address, a proxy is wrong (401, 403, 404, 405, 407), it is we who
 * are to wait (408, 425, 429), or an earlier attempt with this key is still being worked on (409, as the draft of Idempotency-Key has
 * it). A redirection is not followed, since the token would go along, and is tried again like a receiver that is down.
 */
const passing: ReadonlySet<number> = new Set([401, 403, 404, 405, 407, 408, 409, 425, 429]);
/** Longest pause that a receiver is granted, in milliseconds. */
const longestRetryAfterMs = 600_000;
/** As much of an answer is read: it says what is wrong, if anything. */
const mostAnswerBytes = 16_384;
/** For so long at most, in milliseconds. */
const answerMs = 1_000;
const saidCharacters = 200;

/**
 * Posts one record. `Idempotency-Key` is the call's id: a receiver that has seen it knows the record. The status alone says what became
 * of it: a body that does not end is no reason to post again what was taken. Never rejects.
 */
export async function postRecord(terms: PostTerms): Promise<Verdict> {
  const { timeoutMs, clock } = terms;
  const abort = new AbortController();
  try {
    const response = await withDeadline(request(terms, abort.signal), timeoutMs, 'posting a call record', clock);
    return verdictOf(response, await startOf(response, clock), clock);
  } catch (error) {
    abort.abort();
    return { kind: 'again', why: faultOf(error), afterMs: 0 };
  }
}

const request = ({ url, token, call, text, fetch }: PostTerms, signal: AbortSignal): Promise<Response> =>
  fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'idempotency-key': call,
      ...(token !== '' && { authorization: `Bearer ${token}` }),
    },
    body: text,
    redirect: 'manual',
    signal,
  });

function verdictOf({ status, headers }: Response, answer: string, clock: Clock): Verdict {
  if (status >= 200 && status < 300) return { kind: 'taken' };
  if (status >= 400 && status < 500 && !passing.has(status)) return { kind: 'refused', status, said: plain(answer) };
  return { kind: 'again', why: `status ${status}`, afterMs: retryAfterMs(headers.get('retry-after'), clock.now()) };
}

/** Reads on, so that the connection can be used again, but neither for ever nor everything. Never rejects. */
async function startOf({ body }: Response, clock: Clock): Promise<string> {
  if (!body) return '';
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  const parts: Uint8Array[] = [];
  await withDeadline(readInto(parts, reader), answerMs, 'reading an answer', clock).catch(() => undefined);
  // Gives the connection up if there is more to come.
  reader.cancel().catch(() => undefined);
  return Buffer.concat(parts).toString('utf8');
}

async function readInto(parts: Uint8Array[], reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  for (let bytes = 0; bytes < mostAnswerBytes;) {
    const { done, value } = await reader.read();
    if (done) return;
    parts.push(value);
    bytes += value.byteLength;
  }
}

/** Words from outside go to the log: one short line. */
const plain = (text: string): string =>
  text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
    .slice(0, saidCharacters);

/** Seconds, or a date (RFC 9110 §10.2.3). */
function retryAfterMs(written: string | null, nowMs: number): number {
  if (written === null) return 0;
  const ms = /^\d{1,9}$/.test(written) ? Number(written) * 1000 : Date.parse(written) - nowMs;
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), longestRetryAfterMs) : 0;
}

/** The system's code, which fetch hides as a cause; never its own message, which may quote a header. */
function faultOf(error: unknown): string {
  for (let at = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) {
    if ('code' in at && typeof at.code === 'string') return at.code;
    const first: unknown = at instanceof AggregateError ? at.errors[0] : undefined;
    if (first instanceof Error && 'code' in first && typeof first.code === 'string') return first.code;
  }
  return 'network error';
}
