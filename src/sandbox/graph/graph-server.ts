import { randomBytes, timingSafeEqual } from 'node:crypto';
import { fastify } from 'fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../lib/clock.js';
import type { BusinessAccount } from './account.js';
import type { Exchange } from './exchange.js';
import { GraphRefusal, invalidParameter, invalidToken, unknownObject } from './graph-error.js';
import { asksPermission, fieldsOf, wordsOf, type Fields } from './message-check.js';
import { readUser } from './permissions.js';
import { readSession } from './sdp-check.js';

export type GraphAction =
  | 'connect'
  | 'pre_accept'
  | 'accept'
  | 'reject'
  | 'terminate'
  | 'settings'
  | 'settings.read'
  | 'number.read'
  | 'token.read'
  | 'subscribed_apps'
  | 'subscriptions'
  | 'call_permissions'
  | 'messages';

/** What a test ordered for the next request of a kind. */
export interface OrderedFailure {
  /** HTTP status; below 400 the request is served as usual, only late. */
  readonly status: number;
  readonly code?: number;
  readonly details?: string;
  readonly title?: string;
  readonly subcode?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Look at the request only after this many milliseconds. */
  readonly delayMs?: number;
  /** Serve it, then hold the answer back: webhooks outrun it. */
  readonly holdReplyMs?: number;
}

/** A request as it came; for assertions. */
export interface GraphRequest {
  readonly method: string;
  readonly url: string;
  readonly action: GraphAction | undefined;
  readonly body: unknown;
  /** Monotonic milliseconds. */
  readonly atMs: number;
  /** HTTP status of the answer, once there is one. */
  status?: number;
}

export interface GraphServerOptions {
  readonly accessToken: string;
  readonly account: BusinessAccount;
  readonly exchange: Exchange;
  readonly clock: Clock;
  /** Refuses codecs that the number's settings lack, as the field reports; Meta's own samples list more, and pass. */
  readonly strictCodecs?: boolean | undefined;
}

const ACTIONS = ['connect', 'pre_accept', 'accept', 'reject', 'terminate'] as const;
const OF_THE_ACCOUNT: readonly GraphAction[] = ['token.read', 'subscribed_apps', 'subscriptions'];
const MAX_OPAQUE = 512;
const HOST = '127.0.0.1';

function opaqueOf(body: Fields): string | undefined {
  const value = body['biz_opaque_callback_data'];
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value.length > MAX_OPAQUE) {
    throw invalidParameter(`biz_opaque_callback_data: a string of at most ${MAX_OPAQUE} characters`);
  }
  return value;
}

function needProduct(body: Fields): void {
  if (body['messaging_product'] !== 'whatsapp') throw invalidParameter('messaging_product must be whatsapp');
}

/** Meta's Graph endpoints for calling, on a loopback port: `/v23.0/<number id>/calls` and its siblings. */
export class GraphServer {
  readonly requests: GraphRequest[] = [];
  /** Told of each request once it is answered. */
  onAnswered: (request: GraphRequest) => void = () => undefined;
  readonly #app: FastifyInstance;
  readonly #failures = new Map<GraphAction, OrderedFailure[]>();
  readonly #holds = new Set<() => void>();
  #closed = false;

  constructor(private readonly options: GraphServerOptions) {
    this.#app = fastify({ logger: false, bodyLimit: 1_048_576, forceCloseConnections: true });
    this.#app.setErrorHandler((error, _request, reply) => this.#refuse(error, reply));
    this.#app.setNotFoundHandler((request, reply) => this.#refuse(unknownObject(request.url), reply));
    const base = '/:version/:numberId';
    this.#app.get(base, (request, reply) => this.#serve(request, reply, 'number.read'));
    this.#app.get('/:version/debug_token', (request, reply) => this.#serve(request, reply, 'token.read'));
    this.#app.get(`${base}/subscribed_apps`, (request, reply) => this.#serve(request, reply, 'subscribed_apps'));
    this.#app.get(`${base}/subscriptions`, (request, reply) => this.#serve(request, reply, 'subscriptions'));
    this.#app.post(`${base}/calls`, (request, reply) => this.#serve(request, reply, callAction(request.body)));
    this.#app.get(`${base}/settings`, (request, reply) => this.#serve(request, reply, 'settings.read'));
    this.#app.post(`${base}/settings`, (request, reply) => this.#serve(request, reply, 'settings'));
    this.#app.get(`${base}/call_permissions`, (request, reply) => this.#serve(request, reply, 'call_permissions'));
    this.#app.post(`${base}/messages`, (request, reply) => this.#serve(request, reply, 'messages'));
  }

  /** Binds a free loopback port. @returns the base URL, without the version */
  listen(): Promise<string> {
    return this.#app.listen({ host: HOST, port: 0 });
  }

  /** The next request of this kind fails as ordered, before it does anything. May be ordered several times. */
  failNext(action: GraphAction, failure: OrderedFailure): void {
    this.#failures.set(action, [...(this.#failures.get(action) ?? []), failure]);
  }

  /** Requests of one kind. */
  received(action: GraphAction): readonly GraphRequest[] {
    return this.requests.filter((request) => request.action === action);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const release of this.#holds) release();
    await this.#app.close();
  }

  async #serve(request: FastifyRequest, reply: FastifyReply, action: GraphAction | undefined): Promise<void> {
    const record: GraphRequest = {
      method: request.method,
      url: request.url,
      action,
      body: request.body,
      atMs: this.options.clock.monotonicMs(),
    };
    this.requests.push(record);
    try {
      this.#authorise(request, action);
      const holdReplyMs = await this.#orderedFailure(action, reply);
      const answer = await this.#act(action, request);
      await this.#hold(holdReplyMs);
      await reply.send(answer);
    } catch (error) {
      await this.#refuse(error, reply);
    } finally {
      record.status = reply.statusCode;
      this.onAnswered(record);
    }
  }

  #authorise(request: FastifyRequest, action: GraphAction | undefined): void {
    const { version, numberId } = request.params as { version: string; numberId?: string };
    // Asked by the app itself, which the account looks at.
    if (action !== 'subscriptions') this.#needToken(request);
    if (!/^v\d+\.\d+$/.test(version)) throw unknownObject(version);
    const isAboutNumber = action === undefined || !OF_THE_ACCOUNT.includes(action);
    if (isAboutNumber && numberId !== this.options.exchange.number.id) throw unknownObject(numberId ?? '');
  }

  #needToken(request: FastifyRequest): void {
    const given = Buffer.from(request.headers.authorization ?? '');
    const wanted = Buffer.from(`Bearer ${this.options.accessToken}`);
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) throw invalidToken();
  }

  async #orderedFailure(action: GraphAction | undefined, reply: FastifyReply): Promise<number> {
    const failure = action && this.#failures.get(action)?.shift();
    if (!failure) return 0;
    await this.#hold(failure.delayMs ?? 0);
    void reply.headers({ ...failure.headers });
    if (failure.status < 400) return failure.holdReplyMs ?? 0;
    const { status, code = 1, title = 'Ordered failure', details = '', subcode } = failure;
    throw new GraphRefusal(status, code, title, details, subcode);
  }

  #hold(delayMs: number): Promise<void> {
    if (this.#closed || delayMs <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const release = (): void => {
        timer.cancel();
        this.#holds.delete(release);
        resolve();
      };
      const timer = this.options.clock.after(delayMs, release);
      this.#holds.add(release);
    });
  }

  async #act(action: GraphAction | undefined, request: FastifyRequest): Promise<object> {
    const { exchange } = this.options;
    switch (action) {
      case 'settings.read': {
        const { include_sip_credentials: wanted } = request.query as Fields;
        return exchange.settings.read(wanted === 'true');
      }
      case 'number.read':
      case 'token.read':
      case 'subscribed_apps':
      case 'subscriptions':
        return this.#ofAccount(action, request);
      case 'settings':
        exchange.settings.write(request.body, new Date(this.options.clock.now()).toISOString().slice(0, 10));
        return { success: true };
      case 'call_permissions': {
        const user = exchange.waIdOf(readUser(request.query as Fields, 'user_wa_id'));
        return exchange.permissionOf(user).describe(this.options.clock.now());
      }
      case 'messages':
        return this.#message(fieldsOf(request.body));
      case undefined:
        throw invalidParameter(`action must be one of ${ACTIONS.join(', ')}`);
      default:
        return this.#call(action, fieldsOf(request.body));
    }
  }

  #ofAccount(
    action: 'number.read' | 'token.read' | 'subscribed_apps' | 'subscriptions',
    request: FastifyRequest,
  ): object {
    const { account } = this.options;
    const query = request.query as Fields;
    const { numberId: id = '' } = request.params as { numberId?: string };
    if (action === 'number.read') return account.numberFields(query['fields']);
    if (action === 'token.read') return account.debugToken(query['input_token']);
    if (action === 'subscribed_apps') return account.appsOf(id);
    return account.subscriptionsOf(id, request.headers.authorization);
  }

  async #call(action: (typeof ACTIONS)[number], body: Fields): Promise<object> {
    const { exchange } = this.options;
    needProduct(body);
    if (action === 'connect') {
      const user = exchange.waIdOf(readUser(body, 'to'));
      const opaque = opaqueOf(body);
      const call = exchange.connect(user, this.#session(body, 'offer'), opaque);
      return { messaging_product: 'whatsapp', calls: [{ id: call.id }], success: true };
    }
    const call = exchange.calls.find(body['call_id']);
    if (action === 'pre_accept') await exchange.preAccept(call, this.#session(body, 'answer'));
    if (action === 'accept') await exchange.accept(call, this.#session(body, 'answer'), opaqueOf(body));
    if (action === 'reject') exchange.reject(call);
    if (action === 'terminate') exchange.terminate(call);
    return { messaging_product: 'whatsapp', success: true };
  }

  #session(body: Fields, type: 'offer' | 'answer'): string {
    const { exchange, strictCodecs } = this.options;
    return readSession(body['session'], type, strictCodecs ? exchange.settings.additionalCodecs : undefined);
  }

  #message(body: Fields): object {
    needProduct(body);
    const { exchange } = this.options;
    const input = readUser(body, 'to');
    const user = exchange.waIdOf(input);
    if (asksPermission(body, exchange.permissionTemplates)) exchange.askPermission(user, wordsOf(body));
    const id = `wamid.${randomBytes(24).toString('base64')}`;
    return { messaging_product: 'whatsapp', contacts: [{ input, wa_id: user }], messages: [{ id }] };
  }

  async #refuse(error: unknown, reply: FastifyReply): Promise<void> {
    const refusal = error instanceof GraphRefusal ? error : refusalOf(error);
    await reply.code(refusal.status).send(refusal.body(randomBytes(12).toString('base64url')));
  }
}

/** What fastify or our own code threw: a body that is no JSON is the client's fault, the rest is Meta's code 1. */
function refusalOf(error: unknown): GraphRefusal {
  const status = (error as { statusCode?: number }).statusCode;
  if (status !== undefined && status < 500) return invalidParameter((error as Error).message);
  return new GraphRefusal(500, 1, 'An unknown error occurred', String(error));
}

function callAction(body: unknown): (typeof ACTIONS)[number] | undefined {
  const action = (body as Fields | null | undefined)?.['action'];
  return ACTIONS.find((known) => known === action);
}
