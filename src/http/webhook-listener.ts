import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Journal } from '../call/journal.js';
import { BadInputError } from '../lib/bridge-error.js';
import type { Clock } from '../lib/clock.js';
import { systemClock } from '../lib/clock.js';
import { withDeadline } from '../lib/deadline.js';
import { systemIds, type IdSource } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import type { WebhookEvent } from '../whatsapp/webhook-events.js';
import { journalData } from '../whatsapp/webhook-journal.js';
import { parseWebhookBody } from '../whatsapp/webhook-parse.js';
import { unknownOf } from '../whatsapp/webhook-unknown.js';
import { challengeOf, isSigned } from '../whatsapp/webhook-verify.js';
import { AttemptLimit } from './attempt-limit.js';
import { listenOn, type HttpListener } from './http-listener.js';

/** Largest body taken, in bytes. Meta names 3 MB as the most; call webhooks are a few kilobytes. */
const BODY_CAP_BYTES = 1024 * 1024;
const TIMEOUTS = { headersMs: 5000, requestMs: 10_000 };
const MAX_CONNECTIONS = 1000;
/** Meta gives up after about 20 s and sends again. */
const JOURNAL_DEADLINE_MS = 5000;
const VERIFY_ATTEMPTS_PER_MINUTE = 5;

/**
 * Why a request got no 200: a wrong or missing signature (401), a signed body that cannot be read (400), a journal that takes nothing
 * (503), a verification with another token (403), or no proper request at all: too large, too slow (4xx).
 */
export type WebhookRefusal = 'signature' | 'body' | 'journal' | 'verification' | 'request';

export interface WebhookListenerOptions {
  readonly listen: { readonly host: string; readonly port: number };
  readonly path: string;
  /** Read with every verification, so that it may be replaced. */
  readonly verifyToken: string;
  /** One, or two while rotating; asked for every delivery, so that a replaced one counts at once. */
  readonly appSecrets: () => readonly string[];
  /** Takes the events of a delivery after it was answered with 200. */
  readonly onDelivery: (events: readonly WebhookEvent[]) => Promise<void> | void;
  readonly journal: Journal;
  /** Whether a `phone_number_id` is configured: events of others are neither journalled nor kept. Default: all are. */
  readonly isOurNumber?: (numberId: string) => boolean;
  /** Takes what of a delivery nobody understood, as one line, for an operator to look at. */
  readonly keepUnknown?: (items: string) => void;
  /** Told of every request that was not taken. */
  readonly onRefused?: (reason: WebhookRefusal) => void;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly ids?: IdSource;
  /** How long headers, and a whole request, may take; milliseconds. */
  readonly timeouts?: { readonly headersMs: number; readonly requestMs: number };
}

/**
 * Meta's webhooks: verification by GET, deliveries by POST. Order for a delivery: size cap, HMAC over the raw bytes, parse,
 * journal, 200, hand over. An unsigned delivery changes nothing.
 */
export async function startWebhookListener(options: WebhookListenerOptions): Promise<HttpListener> {
  return listenOn(webhookApp(options), options.listen);
}

/** The same without a socket: requests can be injected. */
export function webhookApp(options: WebhookListenerOptions): FastifyInstance {
  const { headersMs, requestMs } = options.timeouts ?? TIMEOUTS;
  const app = fastify({
    logger: false,
    bodyLimit: BODY_CAP_BYTES,
    requestTimeout: requestMs,
    connectionTimeout: requestMs,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    http: { headersTimeout: headersMs, connectionsCheckingInterval: Math.min(1000, headersMs) },
  });
  app.server.maxConnections = MAX_CONNECTIONS;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  setErrorAnswers(app, options);
  new WebhookRoutes(options).mount(app);
  return app;
}

/** Answers without a word about the inside; what went wrong is in the log. */
function setErrorAnswers(app: FastifyInstance, { logger, onRefused }: WebhookListenerOptions): void {
  app.setErrorHandler<Error & { statusCode?: number }>((error, request, reply) => {
    const status = error.statusCode ?? 500;
    onRefused?.('request');
    if (status >= 500) logger.error('webhook request failed', { err: error });
    else logger.warn('webhook request refused', { status, remote: request.ip });
    return reply.code(status).header('connection', 'close').send();
  });
  app.setNotFoundHandler((_request, reply) => reply.code(404).send());
}

class WebhookRoutes {
  readonly #clock: Clock;
  readonly #ids: IdSource;
  readonly #attempts: AttemptLimit;

  constructor(private readonly options: WebhookListenerOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#ids = options.ids ?? systemIds;
    this.#attempts = new AttemptLimit(VERIFY_ATTEMPTS_PER_MINUTE, 60_000, this.#clock);
  }

  mount(app: FastifyInstance): void {
    app.get(this.options.path, (request, reply) => this.#verify(request, reply));
    app.post(this.options.path, (request, reply) => this.#deliver(request, reply));
  }

  #verify(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const challenge = this.#attempts.isUsedUp(request.ip)
      ? undefined
      : challengeOf(request.query as Record<string, unknown>, this.options.verifyToken);
    if (challenge === undefined) {
      this.#attempts.failed(request.ip);
      this.options.onRefused?.('verification');
      this.options.logger.warn('webhook verification refused', { remote: request.ip });
      return reply.code(403).send();
    }
    this.options.logger.info('webhook verified', { remote: request.ip });
    return reply.code(200).type('text/plain').send(challenge);
  }

  async #deliver(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const signature = request.headers['x-hub-signature-256'];
    if (!isSigned(body, Array.isArray(signature) ? undefined : signature, this.options.appSecrets())) {
      this.options.logger.warn('webhook signature is wrong or missing', { remote: request.ip, bytes: body.length });
      this.options.onRefused?.('signature');
      return reply.code(401).send();
    }
    const events = this.#parse(body);
    if (!events) {
      this.options.onRefused?.('body');
      return reply.code(400).send();
    }
    try {
      await this.#journal(events);
    } catch (err) {
      // Not 200: Meta sends it again, and nothing of it has been acted on.
      this.options.logger.error('webhook could not be journalled', { events: events.length, err });
      this.options.onRefused?.('journal');
      return reply.code(503).send();
    }
    this.#keepUnknown(body, events);
    setImmediate(() => void this.#handOver(events));
    return reply.code(200).send();
  }

  #parse(body: Buffer): WebhookEvent[] | undefined {
    try {
      return parseWebhookBody(body);
    } catch (error) {
      if (!(error instanceof BadInputError)) throw error;
      this.options.logger.error('signed webhook cannot be read', { bytes: body.length, why: error.message });
      return undefined;
    }
  }

  /** All at once, so that one write to the disk makes the whole delivery safe. */
  async #journal(events: readonly WebhookEvent[]): Promise<void> {
    const { journal, isOurNumber = () => true } = this.options;
    const delivery = this.#ids.callId();
    const appends = events.flatMap((event) => {
      const data = event.numberId !== undefined && isOurNumber(event.numberId) ? journalData(event) : undefined;
      return data ? [journal.append({ call: delivery, event: 'webhook', data })] : [];
    });
    await withDeadline(Promise.all(appends), JOURNAL_DEADLINE_MS, 'journal', this.#clock);
  }

  #keepUnknown(body: Buffer, events: readonly WebhookEvent[]): void {
    const { keepUnknown, isOurNumber = () => true } = this.options;
    const items = keepUnknown && unknownOf(body, events, isOurNumber);
    if (items !== undefined) keepUnknown?.(items);
  }

  async #handOver(events: readonly WebhookEvent[]): Promise<void> {
    try {
      await this.options.onDelivery(events);
    } catch (err) {
      this.options.logger.error('webhook delivery failed', { err });
    }
  }
}
