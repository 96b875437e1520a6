import { z } from 'zod';
import type { Clock } from '../lib/clock.js';
import { DeadlineError, withDeadline } from '../lib/deadline.js';
import { GraphError } from './graph-error.js';

/** Longest answer that is read, in bytes. */
const ANSWER_CAP_BYTES = 1024 * 1024;
/** Longest text taken from an error body, in characters. */
const TEXT_CAP = 500;

export interface GraphTransportOptions {
  /** `https://graph.facebook.com`; plain http only towards a loopback double. */
  readonly baseUrl: string;
  /** `v23.0`. */
  readonly version: string;
  /** Asked for every request, so that a rotated token is used at once. */
  readonly token: () => string;
  /** Deadline of one request, answer included, in milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Injected in tests; the runtime's own `fetch` otherwise. */
  readonly fetch?: typeof fetch | undefined;
}

/** Network errors that come before a byte of the request was written. */
const unsentCodes: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

const text = z
  .string()
  .transform((value) => value.slice(0, TEXT_CAP))
  .optional()
  .catch(undefined);
const errorBody = z.object({
  error: z.object({
    message: text,
    code: z.coerce.number().int().optional().catch(undefined),
    error_subcode: z.coerce.number().int().optional().catch(undefined),
    error_user_title: text,
    error_user_msg: text,
    error_data: z.object({ details: text }).optional().catch(undefined),
  }),
});

/** One HTTP exchange with the Graph API: deadline, no redirects, capped answer, typed errors. */
export class GraphTransport {
  constructor(private readonly options: GraphTransportOptions) {}

  /**
   * Posts `body` and returns the JSON of a successful answer, not yet checked against a schema.
   * @throws GraphError
   */
  async post(path: string, body: unknown, what: string): Promise<unknown> {
    const { timeoutMs, clock } = this.options;
    const abort = new AbortController();
    try {
      return await withDeadline(this.#exchange(path, body, abort.signal), timeoutMs, what, clock);
    } catch (error) {
      abort.abort();
      throw asGraphError(error, what);
    }
  }

  async #exchange(path: string, body: unknown, signal: AbortSignal): Promise<unknown> {
    const { baseUrl, version, clock } = this.options;
    const send = this.options.fetch ?? fetch;
    const token = this.#token();
    const response = await send(`${baseUrl.replace(/\/+$/, '')}/${version}/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      redirect: 'manual',
      signal,
    });
    const { status } = response;
    if (response.type === 'opaqueredirect' || (status >= 300 && status < 400)) {
      await response.body?.cancel();
      throw new GraphError('answer', 'redirected', { httpStatus: status });
    }
    // An error may quote the token, and its text goes to the PBX and into the CDR.
    const json = parse(withoutToken(await readCapped(response), token), status);
    const parsed = errorBody.safeParse(json);
    if (parsed.success) throw apiError(parsed.data.error, response, clock);
    if (!response.ok) throw new GraphError('answer', 'error without a body of Meta’s form', { httpStatus: status });
    return json;
  }

  /** A token with a control character would be quoted in fetch's own error; it is refused here without being shown. */
  #token(): string {
    const token = this.options.token();
    if (!/^[\x21-\x7e]+$/.test(token)) {
      throw new GraphError('token', 'access token is empty or has unusable characters', { unsent: true });
    }
    return token;
  }
}

/** The body without the token, also where JSON has its slashes escaped. */
function withoutToken(body: string, token: string): string {
  return body.replaceAll(token, '[redacted]').replaceAll(token.replaceAll('/', '\\/'), '[redacted]');
}

async function readCapped(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = response.body?.getReader();
  for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
    const chunk = next.value as Uint8Array;
    bytes += chunk.byteLength;
    if (bytes > ANSWER_CAP_BYTES) {
      await reader?.cancel();
      throw new GraphError('answer', 'longer than 1 MiB', { httpStatus: response.status });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(body: string, httpStatus: number): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new GraphError('answer', 'not JSON', { httpStatus });
  }
}

function apiError(body: z.infer<typeof errorBody>['error'], response: Response, clock: Clock): GraphError {
  const details = body.error_data?.details ?? body.error_user_msg;
  return new GraphError('api', body.message ?? body.error_user_title ?? 'error without a message', {
    httpStatus: response.status,
    metaCode: body.code,
    metaSubcode: body.error_subcode,
    title: body.error_user_title ?? body.message,
    details,
    retryAfterS: retryAfterS(response.headers.get('retry-after'), details, clock.now()),
  });
}

/**
 * Seconds until a new attempt, from Retry-After (RFC 9110 §10.2.3: seconds or a date), else from a time that the details
 * name: 138012 says when the next call is allowed.
 */
function retryAfterS(header: string | null, details: string | undefined, nowMs: number): number | undefined {
  if (header !== null && /^\d{1,9}$/.test(header)) return Number(header);
  const named = header ?? /\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)/.exec(details ?? '')?.[0];
  const unix = /\b(1[6-9]\d{8}|2\d{9})\b/.exec(details ?? '')?.[0];
  const atMs = named === undefined ? Number(unix) * 1000 : Date.parse(named);
  return Number.isFinite(atMs) && atMs > nowMs ? Math.ceil((atMs - nowMs) / 1000) : undefined;
}

function asGraphError(error: unknown, what: string): GraphError {
  if (error instanceof GraphError) return error;
  if (error instanceof DeadlineError) return new GraphError('timeout', `no answer to ${what} in time`);
  const code = networkCode(error);
  const unsent = code !== undefined && unsentCodes.has(code);
  return new GraphError('transport', `${what} did not get through: ${code ?? 'network error'}`, { unsent });
}

/** The system's error code; fetch hides it as cause of a TypeError, one deeper when several addresses were tried. */
function networkCode(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) {
    if ('code' in at && typeof at.code === 'string') return at.code;
    const first: unknown = at instanceof AggregateError ? at.errors[0] : undefined;
    if (first instanceof Error && 'code' in first && typeof first.code === 'string') return first.code;
  }
  return undefined;
}
