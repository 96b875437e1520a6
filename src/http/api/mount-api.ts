import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { mayChange, mayKnow, isOfThisOrigin } from '../admin-access.js';
import type { AdminPort } from './admin-port.js';
import { openApiDocument } from './openapi.js';
import { operations, type Operation } from './operations.js';
import { ProblemError } from './problem.js';

export interface ApiOptions {
  readonly port: AdminPort;
  /** The bearer token of this moment; empty: none is configured. */
  readonly token: () => string;
}

/** The admin API under `/v1`. Nothing is changed by GET; what changes something comes as JSON and from no foreign page. */
export function mountApi(app: FastifyInstance, options: ApiOptions): void {
  for (const operation of operations) {
    app.route({
      method: operation.method,
      url: operation.path.replace(/\{(\w+)\}/g, ':$1'),
      exposeHeadRoute: false,
      onRequest: (request, _reply, done) => done(refusalOf(operation, request, options.token())),
      handler: (request, reply) => answer(operation, request, reply, options.port),
    });
  }
  const document = JSON.stringify(openApiDocument());
  app.get('/v1/openapi.json', { exposeHeadRoute: false }, (request, reply) => {
    if (!mayKnow(request, options.token())) throw new ProblemError('unauthorized');
    return send(reply, document);
  });
}

/** Why a request is not looked at, before any of its body is read. */
function refusalOf({ method }: Operation, request: FastifyRequest, token: string): ProblemError | undefined {
  if (method === 'GET') return mayKnow(request, token) ? undefined : new ProblemError('unauthorized');
  if (!isOfThisOrigin(request)) return new ProblemError('forbidden');
  if (!mayChange(request, token)) return new ProblemError('unauthorized');
  const isJson = /^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '');
  return method === 'DELETE' || isJson ? undefined : new ProblemError('not_json');
}

async function answer(
  operation: Operation,
  request: FastifyRequest,
  reply: FastifyReply,
  port: AdminPort,
): Promise<FastifyReply> {
  const { id = '' } = request.params as { readonly id?: string };
  const query = operation.query && checked(operation.query, request.query);
  const body = operation.body && checked(operation.body, request.body);
  const said = await operation.run(port, { id, query, body });
  return said instanceof Readable ? sendStream(reply, said) : send(reply, JSON.stringify(said));
}

/** @throws ProblemError naming what is wrong, but no value */
function checked(schema: z.ZodType, value: unknown): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const wrong = result.error.issues.map(({ path, message }) => ({ path: path.map(String).join('.'), message }));
  const [first] = wrong;
  throw new ProblemError('bad_request', first && `${first.path}: ${first.message}`.replace(/^: /, ''), { wrong });
}

const send = (reply: FastifyReply, json: string): FastifyReply =>
  reply
    .code(200)
    .header('cache-control', 'no-store')
    .header('x-content-type-options', 'nosniff')
    .type('application/json; charset=utf-8')
    .send(json);

/** A reader that goes away destroys the stream. */
const sendStream = (reply: FastifyReply, stream: Readable): FastifyReply =>
  reply
    .code(200)
    .header('cache-control', 'no-store')
    .header('x-content-type-options', 'nosniff')
    .type('application/octet-stream')
    .send(stream);
