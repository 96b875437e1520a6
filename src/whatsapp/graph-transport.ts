import { createHmac } from 'node:crypto';
import type { Clock } from '../lib/clock.js';
import { DeadlineError, withDeadline } from '../lib/deadline.js';
import { readAnswer } from './graph-answer.js';
import { GraphError } from './graph-error.js';
import type { GraphRequest } from './graph-request.js';

export interface GraphTransportOptions {
  /** `https://graph.facebook.com`; plain http only towards a loopback double. */
  readonly baseUrl: string;
  /** `v23.0`. */
  readonly version: string;
  /** The app's secret, asked for every request, if requests are to carry the proof that we know it (`appsecret_proof`). */
  readonly appSecret?: (() => string | undefined) | undefined;
  readonly clock: Clock;
  /** Injected in tests; the runtime's own `fetch` otherwise. */
  readonly fetch?: typeof fetch | undefined;
}

/** How one exchange is done. */
export interface ExchangeTerms {
  readonly token: string;
  /** Longest wait for the whole answer, in milliseconds. */
  readonly timeoutMs: number;
  /** Told the headers of any answer, refusals included. */
  readonly onHeaders?: (headers: Headers) => void;
}

type Target = Pick<GraphRequest<unknown>, 'method' | 'path' | 'query' | 'body' | 'what'>;

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

/** One HTTP exchange with the Graph API: deadline, no redirects, capped answer, typed errors. */
export class GraphTransport {
  constructor(private readonly options: GraphTransportOptions) {}

  /**
   * Sends a request and returns the JSON of a successful answer, not yet checked against a schema.
   * @throws GraphError
   */
  async exchange(target: Target, terms: ExchangeTerms): Promise<unknown> {
    const abort = new AbortController();
    try {
      const exchange = this.#send(target, terms, abort.signal);
      return await withDeadline(exchange, terms.timeoutMs, target.what, this.options.clock);
    } catch (error) {
      abort.abort();
      throw asGraphError(error, target.what);
    }
  }

  async #send(target: Target, { token, onHeaders }: ExchangeTerms, signal: AbortSignal): Promise<unknown> {
    checkToken(token);
    const { body, method } = target;
    const send = this.options.fetch ?? fetch;
    const response = await send(this.#url(target, token), {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      redirect: 'manual',
      signal,
    });
    onHeaders?.(response.headers);
    return readAnswer(response, token, this.options.clock.now());
  }

  #url({ path, query }: Target, token: string): string {
    const { baseUrl, version, appSecret } = this.options;
    const parts = path.split('/').map(encodeURIComponent).join('/');
    const secret = appSecret?.();
    const proof = secret === undefined ? {} : { appsecret_proof: appSecretProof(token, secret) };
    const asked = new URLSearchParams({ ...query, ...proof }).toString();
    return `${baseUrl.replace(/\/+$/, '')}/${version}/${parts}${asked === '' ? '' : `?${asked}`}`;
  }
}

/** Shows that whoever sends the token knows the app's secret too (Meta's page on securing Graph API requests). */
const appSecretProof = (token: string, secret: string): string =>
  createHmac('sha256', secret).update(token).digest('hex');

/** A token with a control character would be quoted in fetch's own error; it is refused here without being shown. */
function checkToken(token: string): void {
  if (/^[\x21-\x7e]+$/.test(token)) return;
  throw new GraphError('token', 'access token is empty or has unusable characters', { unsent: true });
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
