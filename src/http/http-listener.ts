import type { FastifyInstance } from 'fastify';
import { BridgeError } from '../lib/bridge-error.js';

/** A listening HTTP server. */
export interface HttpListener {
  /** The port it listens on; the one the system chose when 0 was asked for. */
  readonly port: number;
  /** Stops listening and closes what is open. Idempotent. */
  close(): Promise<void>;
}

/** @throws BridgeError (`SIP2WA_LISTEN`) when the address cannot be had */
export async function listenOn(
  app: FastifyInstance,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<HttpListener> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    throw new BridgeError('SIP2WA_LISTEN', `cannot listen on ${host}:${port}`, { cause });
  }
  const address = app.server.address();
  if (address === null || typeof address === 'string') throw new BridgeError('SIP2WA_LISTEN', 'listener has no port');
  return { port: address.port, close: () => app.close() };
}
