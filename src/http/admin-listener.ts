import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import { askForToken, isDirectHost, isLoopback, mayKnow } from './admin-access.js';
import type { AdminPort } from './api/admin-port.js';
import { mountApi } from './api/mount-api.js';
import { ProblemError, problemOf, sendProblem } from './api/problem.js';
import { mountDashboard } from './dashboard.js';
import { limitTokenAttempts } from './token-attempts.js';
import { EventStreams, type EventFeed } from './event-streams.js';
import { listenOn, type HttpListener } from './http-listener.js';

/** One thing that must be so for the daemon to be ready. */
export interface ReadinessCheck {
  readonly name: string;
  readonly ok: boolean;
  /** Shown with `?verbose`; no secrets. */
  readonly detail?: string;
}

export interface AdminListenerOptions {
  readonly listen: { readonly host: string; readonly port: number };
  /** Bearer token of this moment, for all that tells more than yes or no; without one, only loopback clients are told. */
  readonly token: () => string;
  readonly checks: () => readonly ReadinessCheck[];
  /** The metrics of this moment, in the format its content type names. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  readonly events: EventFeed;
  /** What `/v1` asks; absent: there is no more of it than `/v1/events`. */
  readonly api?: AdminPort;
  readonly logger: Logger;
  readonly clock?: Clock;
}

/**
 * The admin listener: `/livez` (the process runs), `/healthz` (the same, an older name), `/readyz` (calls can be taken;
 * `?verbose` lists the checks), `/metrics` for Prometheus, the admin API under `/v1`. Yes and no are for everybody who reaches
 * the port, the rest needs the token.
 */
export function startAdminListener(options: AdminListenerOptions): Promise<HttpListener> {
  return listenOn(createAdminApp(options), options.listen);
}

/** The admin routes, not yet listening. */
export function createAdminApp(options: AdminListenerOptions): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: 64 * 1024,
    requestTimeout: 10_000,
    forceCloseConnections: true,
    http: { headersTimeout: 5000 },
  });
  if (isLoopback(options.listen.host)) {
    app.addHook('onRequest', async (request, reply) => {
      if (!isDirectHost(request.headers.host)) await sendProblem(reply, new ProblemError('misdirected'));
    });
  }
  app.removeContentTypeParser('text/plain');
  app.setErrorHandler<Error & { statusCode?: number }>((error, _request, reply) => {
    const problem = problemOf(error);
    if (problem.code === 'internal') options.logger.error('admin request failed', { err: error });
    return sendProblem(reply, problem);
  });
  app.setNotFoundHandler((_request, reply) => sendProblem(reply, new ProblemError('not_found')));
  limitTokenAttempts(app, options);
  mountHealth(app, options);
  mountMetrics(app, options);
  if (options.api) mountDashboard(app);
  if (options.api) mountApi(app, { port: options.api, token: options.token });
  new EventStreams({ feed: options.events, token: options.token, logger: options.logger }).mount(app);
  return app;
}

function mountHealth(app: FastifyInstance, { token, checks }: AdminListenerOptions): void {
  const alive = (_request: FastifyRequest, reply: FastifyReply) => plain(reply, 200, 'ok\n');
  app.get('/livez', alive);
  app.get('/healthz', alive);
  app.get('/readyz', (request, reply) => {
    const all = checks();
    const ready = all.every(({ ok }) => ok);
    const status = ready ? 200 : 503;
    const wantsMore = Object.hasOwn(request.query as object, 'verbose');
    if (!wantsMore) return plain(reply, status, ready ? 'ok\n' : 'not ready\n');
    if (!mayKnow(request, token())) return askForToken(reply);
    const lines = all.map(({ name, ok, detail }) => `[${ok ? '+' : '-'}] ${name}${detail ? `: ${detail}` : ''}\n`);
    return plain(reply, status, `${lines.join('')}${ready ? 'ready' : 'not ready'}\n`);
  });
}

function mountMetrics(app: FastifyInstance, { token, metrics }: AdminListenerOptions): void {
  app.get('/metrics', async (request, reply) => {
    if (!mayKnow(request, token())) return askForToken(reply);
    const { contentType, text } = await metrics();
    return reply.code(200).header('content-type', contentType).header('cache-control', 'no-store').send(text);
  });
}

const plain = (reply: FastifyReply, status: number, text: string): FastifyReply =>
  reply.code(status).type('text/plain; charset=utf-8').header('cache-control', 'no-store').send(text);
