import type { FastifyReply } from 'fastify';

/** What went wrong with a request of the admin API, as its stable word. */
export type ProblemCode =
  | 'bad_request'
  | 'unauthorized'
  | 'forbidden'
  | 'not_found'
  | 'no_such_call'
  | 'ambiguous_call'
  | 'call_over'
  | 'captured_already'
  | 'method_not_allowed'
  | 'misdirected'
  | 'not_json'
  | 'too_large'
  | 'too_many_attempts'
  | 'configuration_refused'
  | 'reload_impossible'
  | 'stopping'
  | 'unavailable'
  | 'internal';

const PROBLEMS: Readonly<Record<ProblemCode, { readonly status: number; readonly title: string }>> = {
  bad_request: { status: 400, title: 'The request makes no sense' },
  unauthorized: { status: 401, title: 'The bearer token is missing or wrong' },
  forbidden: { status: 403, title: 'Pages of other origins may not ask' },
  not_found: { status: 404, title: 'There is nothing here' },
  no_such_call: { status: 404, title: 'No such call is known' },
  ambiguous_call: { status: 409, title: 'Several calls begin like this' },
  call_over: { status: 409, title: 'The call is over' },
  captured_already: { status: 409, title: 'The call is being recorded already' },
  method_not_allowed: { status: 405, title: 'Not by this method' },
  misdirected: { status: 421, title: 'This is another host' },
  not_json: { status: 415, title: 'The body must be application/json' },
  too_large: { status: 413, title: 'The body is too large' },
  too_many_attempts: { status: 429, title: 'Too many wrong tokens came from there; try again in a few seconds' },
  configuration_refused: { status: 422, title: 'The configuration has errors; the old one stays in use' },
  reload_impossible: { status: 409, title: 'This process was not started from a configuration file' },
  stopping: { status: 409, title: 'The daemon is stopping' },
  unavailable: { status: 503, title: 'Not now' },
  internal: { status: 500, title: 'The request failed' },
};

/** An error document (RFC 9457); `code` is the last part of `type`. Further members are of the kind of problem. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ProblemCode;
  readonly detail?: string;
}

/** A request that is answered with a problem document. `detail` and `more` are shown: no secrets. */
export class ProblemError extends Error {
  constructor(
    readonly code: ProblemCode,
    readonly detail?: string,
    readonly more: Readonly<Record<string, unknown>> = {},
  ) {
    super(detail ?? PROBLEMS[code].title);
    this.name = 'ProblemError';
  }

  get status(): number {
    return PROBLEMS[this.code].status;
  }

  get document(): Problem {
    const { code, detail, more } = this;
    const about = { type: `urn:sip2wa:problem:${code}`, ...PROBLEMS[code], code };
    return { ...more, ...about, ...(detail === undefined ? {} : { detail }) };
  }
}

/** Answers with the problem's document. */
export function sendProblem(reply: FastifyReply, problem: ProblemError): FastifyReply {
  if (problem.code === 'unauthorized') void reply.header('www-authenticate', 'Bearer');
  return reply
    .code(problem.status)
    .header('cache-control', 'no-store')
    .type('application/problem+json')
    .send(JSON.stringify(problem.document));
}

/** The problem that an error of the HTTP framework stands for. */
export function problemOf(error: Error & { readonly statusCode?: number }): ProblemError {
  if (error instanceof ProblemError) return error;
  const status = error.statusCode ?? 500;
  if (status === 413) return new ProblemError('too_large');
  if (status === 415) return new ProblemError('not_json');
  return new ProblemError(status < 500 ? 'bad_request' : 'internal');
}
