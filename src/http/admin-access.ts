import { isIP } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isSameSecret } from '../whatsapp/webhook-verify.js';

/** Whether an address to listen on, or a client's, is this machine's own. */
export const isLoopback = (host: string): boolean => host === 'localhost' || /^(?:::ffff:)?127\.|^::1$/.test(host);

/** Whoever is on this machine and means it, or shows the token. */
export function mayKnow(request: FastifyRequest, token: string): boolean {
  const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  if (given !== undefined && isSameSecret(given, token)) return true;
  return isLoopback(request.ip) && isDirectHost(request.headers.host);
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
