import { isIP } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isSameSecret } from '../whatsapp/webhook-verify.js';

/** Whether an address to listen on, or a client's, is this machine's own. */
export const isLoopback = (host: string): boolean => host === 'localhost' || /^(?:::ffff:)?127\.|^::1$/.test(host);

/** Whoever is on this machine and means it, or shows the token. */
export const mayKnow = (request: FastifyRequest, token: string): boolean =>
  showsToken(request, token) || isOnThisMachine(request);

/** Whoever shows the token; where none is configured, whoever is on this machine and means it. */
export const mayChange = (request: FastifyRequest, token: string): boolean =>
  showsToken(request, token) || (token === '' && isOnThisMachine(request));

/** Whether a request shows a token that is not the one. */
export const showsWrongToken = (request: FastifyRequest, token: string): boolean =>
  token !== '' && tokenShown(request) !== undefined && !showsToken(request, token);

/** The bearer token of a request, right or wrong (RFC 6750 §2.1). */
export const tokenShown = ({ headers }: Pick<FastifyRequest, 'headers'>): string | undefined =>
  /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];

function showsToken(request: FastifyRequest, token: string): boolean {
  const given = tokenShown(request);
  return given !== undefined && token !== '' && isSameSecret(given, token);
}

/** What a proxy on this machine hands on is from somewhere else. */
function isOnThisMachine({ ip, headers }: FastifyRequest): boolean {
  const isForwarded = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'].some((name) => headers[name] !== undefined);
  return isLoopback(ip) && isDirectHost(headers.host) && !isForwarded;
}

/** Whether a request comes from no page, or from one of this listener's own: browsers say so by themselves (CSRF). */
export function isOfThisOrigin({ headers }: Pick<FastifyRequest, 'headers'>): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false;
  const { origin } = headers;
  return origin === undefined || /^https?:\/\/(.+)$/.exec(origin)?.[1] === headers.host;
}

/** The answer to whoever may not know. */
export const askForToken = (reply: FastifyReply): FastifyReply =>
  reply.code(401).header('www-authenticate', 'Bearer').send();

/**
 * Whether the Host header names this listener by address or as localhost or a name without dots (a container's). A web page
 * that had its own domain rebound to this address sends that domain (DNS rebinding).
 */
export function isDirectHost(host: string | undefined): boolean {
  const name = (host ?? '').replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return isIP(name) !== 0 || (name !== '' && !name.includes('.'));
}
