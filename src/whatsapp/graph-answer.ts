import { z } from 'zod';
import { GraphError } from './graph-error.js';

/** Longest answer that is read, in bytes. */
const ANSWER_CAP_BYTES = 1024 * 1024;
/** Longest text taken from an error body, in characters. */
const TEXT_CAP = 500;

const text = z
  .string()
  .transform((value) => value.slice(0, TEXT_CAP))
  .optional()
  .catch(undefined);
const code = z.coerce.number().int().optional().catch(undefined);
const errorBody = z.object({
  error: z.object({
    message: text,
    code,
    error_subcode: code,
    error_user_title: text,
    error_user_msg: text,
    error_data: z.object({ details: text }).optional().catch(undefined),
  }),
});

/**
 * Reads an answer of the Graph API to the end: the JSON of a successful one, not yet checked against a schema. `token` is cut
 * out first, since an error may quote it and its text goes to the PBX and into the CDR.
 * @throws GraphError for a redirect, a refusal, and for what is no answer of Meta's form or longer than 1 MiB
 */
export async function readAnswer(response: Response, token: string, nowMs: number): Promise<unknown> {
  const { status } = response;
  if (response.type === 'opaqueredirect' || (status >= 300 && status < 400)) {
    await response.body?.cancel();
    throw new GraphError('answer', 'redirected', { httpStatus: status });
  }
  const retryAfter = response.headers.get('retry-after');
  const json = parse(withoutToken(await readCapped(response), token), status, secondsOf(retryAfter, nowMs));
  const refusal = errorBody.safeParse(json);
  if (refusal.success) throw apiError(refusal.data.error, status, retryAfter, nowMs);
  if (response.ok) return json;
  const retryAfterS = secondsOf(retryAfter, nowMs);
  throw new GraphError('answer', 'error without a body of Meta’s form', { httpStatus: status, retryAfterS });
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

function parse(body: string, httpStatus: number, retryAfterS: number | undefined): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new GraphError('answer', 'not JSON', { httpStatus, retryAfterS });
  }
}

function apiError(
  body: z.infer<typeof errorBody>['error'],
  httpStatus: number,
  retryAfter: string | null,
  nowMs: number,
): GraphError {
  const details = body.error_data?.details ?? body.error_user_msg;
  return new GraphError('api', body.message ?? body.error_user_title ?? 'error without a message', {
    httpStatus,
    metaCode: body.code,
    metaSubcode: body.error_subcode,
    title: body.error_user_title ?? body.message,
    details,
    retryAfterS: retryAfter === null ? secondsNamed(details, nowMs) : secondsOf(retryAfter, nowMs),
  });
}

/** Seconds of a Retry-After header (RFC 9110 §10.2.3: seconds or a date). */
function secondsOf(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  return /^\d{1,9}$/.test(header) ? Number(header) : secondsUntil(Date.parse(header), nowMs);
}

/** Seconds until a time that the details name: 138012 says when the next call is allowed. */
function secondsNamed(details: string | undefined, nowMs: number): number | undefined {
  const date = /\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)/.exec(details ?? '')?.[0];
  const unix = /\b(1[6-9]\d{8}|2\d{9})\b/.exec(details ?? '')?.[0];
  return secondsUntil(date === undefined ? Number(unix) * 1000 : Date.parse(date), nowMs);
}

const secondsUntil = (atMs: number, nowMs: number): number | undefined =>
  Number.isFinite(atMs) && atMs > nowMs ? Math.ceil((atMs - nowMs) / 1000) : undefined;
