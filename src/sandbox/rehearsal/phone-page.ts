import { readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { GraphRefusal } from '../graph/graph-error.js';
import { PageRequestError, type BrowserPhone, type PageEvent } from './browser-phone.js';

/** A step between Meta's stand-in and the bridge, for the page's log. */
export interface RehearsalStep {
  readonly from: 'Meta' | 'bridge';
  readonly text: string;
}

export interface PhonePageOptions {
  readonly phone: BrowserPhone;
  /** Shown at the top. */
  readonly businessNumber: string;
  /** Lets the built-in PBX call the user; absent with a PBX of one's own. @throws Error that says why it could not */
  readonly ringMe?: () => Promise<void>;
}

type PermissionAction = 'temporary' | 'permanent' | 'no_permission';

/** The only files that are served: name, content type. */
const files: Readonly<Record<string, string>> = {
  'page.css': 'text/css; charset=utf-8',
  'phone/phone.css': 'text/css; charset=utf-8',
  'phone/phone.js': 'text/javascript; charset=utf-8',
};
const pages = new URL('../../pages/', import.meta.url);
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src blob:; img-src data:; base-uri 'none'";
const keepAliveMs = 15_000;

/**
 * The rehearsal phone's page and what it talks to, on a loopback port: browsers give the microphone to pages of `localhost` without
 * TLS and to no other. One page at a time; a second one takes over.
 */
export class PhonePage {
  readonly #app: FastifyInstance;
  #stream: ServerResponse | undefined;

  constructor(private readonly options: PhonePageOptions) {
    this.#app = fastify({ logger: false, bodyLimit: 256 * 1024, forceCloseConnections: true });
    this.#app.addHook('onRequest', async (request, reply) => {
      if (!isOwnPage(request)) await reply.code(403).send({ error: 'only the page itself may ask' });
    });
    this.#app.setErrorHandler((error, _request, reply) => refuse(error, reply));
    this.#serveFiles();
    this.#serveCalls();
    this.#app.get('/events', (_request, reply) => this.#listen(reply));
  }

  /** @returns the page's URL @throws Error when the port is taken */
  async listen(port: number): Promise<string> {
    await this.#app.listen({ host: '127.0.0.1', port });
    return `http://localhost:${(this.#app.server.address() as AddressInfo).port}/`;
  }

  /** Shows a step in the page's log. */
  show(step: RehearsalStep): void {
    this.#send({ type: 'step', at: Date.now(), ...step });
  }

  async close(): Promise<void> {
    this.#stream?.end();
    await this.#app.close();
  }

  #serveFiles(): void {
    this.#app.get('/', (_request, reply) => serve(reply, 'phone/index.html', 'text/html; charset=utf-8'));
    for (const [name, type] of Object.entries(files)) {
      this.#app.get(`/${name}`, (_request, reply) => serve(reply, name, type));
    }
  }

  #serveCalls(): void {
    const { phone, ringMe } = this.options;
    const app = this.#app;
    app.post('/prepare', (request) => ({ sdp: phone.prepare(textOf(request, 'sdp')) }));
    app.post('/calls', (request) => ({ call: phone.call(textOf(request, 'sdp')) }));
    app.post('/permission', (request) => done(() => phone.decide(permissionOf(request))));
    app.post('/ring-me', async () => {
      if (!ringMe) throw new PageRequestError('your own PBX calls: dial the user there');
      await ringMe();
      return {};
    });
    const actions: Readonly<Record<string, (call: string, request: FastifyRequest) => void>> = {
      answer: (call, request) => phone.answer(call, textOf(request, 'sdp')),
      applied: (call) => phone.applied(call),
      accept: (call) => phone.accept(call),
      decline: (call) => phone.decline(call),
      hangup: (call) => phone.hangUp(call),
      failed: (call) => phone.failed(call),
    };
    for (const [name, act] of Object.entries(actions)) {
      app.post(`/call/${name}`, (request) => done(() => act(textOf(request, 'call'), request)));
    }
  }

  #listen(reply: FastifyReply): void {
    const { phone, businessNumber, ringMe } = this.options;
    reply.hijack();
    const stream = reply.raw;
    this.#stream?.end();
    this.#stream = stream;
    stream.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    phone.leave();
    phone.tell = (event) => this.#send(event);
    const { waId, permission } = phone;
    this.#send({
      type: 'hello',
      business: businessNumber,
      user: `+${waId}`,
      permission,
      canRing: ringMe !== undefined,
    });
    const alive = setInterval(() => stream.write(':\n\n'), keepAliveMs);
    stream.on('close', () => {
      clearInterval(alive);
      if (this.#stream !== stream) return;
      this.#stream = undefined;
      phone.leave();
    });
  }

  #send(event: PageEvent | ({ readonly type: 'step' | 'hello' } & Record<string, unknown>)): void {
    this.#stream?.write(`data: ${JSON.stringify(event)}\n\n`);
  }
}

/** Another site's page, or one that had its name bound to this address, may not speak to the phone. */
function isOwnPage({ headers, method }: FastifyRequest): boolean {
  const isLocal = /^(?:localhost|127\.0\.0\.1)(?::\d+)?$/.test(headers.host ?? '');
  const site = headers['sec-fetch-site'];
  const isSame = site === undefined || site === 'same-origin' || site === 'none';
  const isJson = method !== 'POST' || /^application\/json\b/.test(headers['content-type'] ?? '');
  return isLocal && isSame && isJson;
}

async function serve(reply: FastifyReply, name: string, type: string): Promise<FastifyReply> {
  const text = await readFile(new URL(name, pages));
  return reply.type(type).header('content-security-policy', policy).header('cache-control', 'no-store').send(text);
}

function refuse(error: unknown, reply: FastifyReply): FastifyReply {
  if (error instanceof PageRequestError) return reply.code(error.status).send({ error: error.message });
  if (error instanceof GraphRefusal) return reply.code(409).send({ error: error.message });
  const status = (error as { readonly statusCode?: number }).statusCode ?? 500;
  return reply.code(status).send({ error: error instanceof Error ? error.message : String(error) });
}

function done(act: () => void): object {
  act();
  return {};
}

function textOf(request: FastifyRequest, name: string): string {
  const value = (request.body as Readonly<Record<string, unknown>> | null | undefined)?.[name];
  if (typeof value !== 'string' || value === '') throw new PageRequestError(`${name} is missing`, 400);
  return value;
}

function permissionOf(request: FastifyRequest): PermissionAction {
  const status = textOf(request, 'status');
  if (status === 'temporary' || status === 'permanent' || status === 'no_permission') return status;
  throw new PageRequestError('status is temporary, permanent or no_permission', 400);
}
