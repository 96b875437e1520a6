import { isIP } from 'node:net';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Logger } from '../lib/logger.js';
import { isSameSecret } from '../whatsapp/webhook-verify.js';
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
  /** Bearer token for all that tells more than yes or no; without one, only loopback clients are told. */
  readonly token: string;
  readonly checks: () => readonly ReadinessCheck[];
  readonly logger: Logger;
}

/**
 * The admin listener: `/livez` (the process runs), `/healthz` (the same, an older name), `/readyz` (calls can be taken;
 * `?verbose` lists the checks). Yes and no are for everybody who reaches the port, the rest needs the token.
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
      if (!isDirectHost(request.headers.host)) await reply.code(421).send();
    });
  }
  app.setErrorHandler<Error & { statusCode?: number }>((error, _request, reply) => {
    if ((error.statusCode ?? 500) >= 500) options.logger.error('admin request failed', { err: error });
    return reply.code(error.statusCode ?? 500).send();
  });
  app.setNotFoundHandler((_request, reply) => reply.code(404).send());
  mountHealth(app, options);
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
    if (!mayKnow(request, token)) return reply.code(401).header('www-authenticate', 'Bearer').send();
    const lines = all.map(({ name, ok, detail }) => `[${ok ? '+' : '-'}] ${name}${detail ? `: ${detail}` : ''}\n`);
    return plain(reply, status, `${lines.join('')}${ready ? 'ready' : 'not ready'}\n`);
  });
}

const plain = (reply: FastifyReply, status: number, text: string): FastifyReply =>
  reply.code(status).type('text/plain; charset=utf-8').header('cache-control', 'no-store').send(text);

const isLoopback = (host: string): boolean => host === 'localhost' || /^(?:::ffff:)?127\.|^::1$/.test(host);

/** Whoever is on this machine and means it, or shows the token. */
function mayKnow(request: FastifyRequest, token: string): boolean {
  const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  if (given !== undefined && isSameSecret(given, token)) return true;
  return isLoopback(request.ip) && isDirectHost(request.headers.host);
}

/**
 * Whether the Host header names this listener by address or as localhost or a name without dots (a container's). A web page
 * that had its own domain rebound to this address sends that domain (DNS rebinding).
 */
function isDirectHost(host: string | undefined): boolean {
  const name = (host ?? '').replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return isIP(name) !== 0 || (name !== '' && !name.includes('.'));
}
