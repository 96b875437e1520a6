import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { systemClock, type Clock, type Timer } from '../lib/clock.js';
import { withDeadline } from '../lib/deadline.js';
import type { Logger } from '../lib/logger.js';
import { askForToken, mayKnow } from './admin-access.js';

/** An event as it goes out: `id` and `type` are ours, `data` is anything JSON can hold. */
export interface FeedEvent {
  readonly id: number;
  readonly type: string;
  readonly data: unknown;
}

/** Where the events come from: one iterator for each reader, which ends by itself when the reader was too slow. */
export interface EventFeed {
  subscribe(wants?: (type: string) => boolean): AsyncIterable<FeedEvent> & { close(): void };
}

export interface EventStreamsOptions {
  readonly feed: EventFeed;
  /** Bearer token of this moment; without it only direct loopback clients are told. */
  readonly token: () => string;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** A reader that takes nothing for this long is cut off, in milliseconds. */
  readonly stallMs?: number;
}

/** Proxies and browsers drop connections that say nothing for long. */
const HEARTBEAT_MS = 15_000;
const STALL_MS = 30_000;
const MAX_STREAMS = 32;
/** Longest wait for the last words to streams that end with the listener. */
const CLOSE_MS = 1_000;

/**
 * `GET /v1/events`: events as they happen, as server-sent events (WHATWG HTML §9.2), with a comment every 15 s;
 * `?types=` names those that are wanted. Nothing is replayed. Telephone numbers are whole, unlike in the log: the reader has shown the token, or is on this machine.
 */
export class EventStreams {
  readonly #open = new Map<() => void, Promise<void>>();
  readonly #clock: Clock;
  #isClosed = false;

  constructor(private readonly options: EventStreamsOptions) {
    this.#clock = options.clock ?? systemClock;
  }

  mount(app: FastifyInstance): void {
    app.get('/v1/events', { exposeHeadRoute: false }, (request, reply) => {
      if (!mayKnow(request, this.options.token())) return askForToken(reply);
      if (this.#isClosed || this.#open.size >= MAX_STREAMS) return reply.code(503).send();
      reply.hijack();
      this.#serve(reply.raw, request.ip, wantedOf(request.query));
      return reply;
    });
    app.addHook('preClose', () => this.#close());
  }

  #serve(response: ServerResponse, remote: string, wants: (type: string) => boolean): void {
    const subscription = this.options.feed.subscribe(wants);
    const close = (): void => subscription.close();
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    response.write(': events follow as they happen\n\n');
    response.on('close', close).on('error', close);
    const { logger } = this.options;
    logger.info('event stream opened', { remote });
    const done = this.#pump(response, subscription)
      .catch((err: unknown) => {
        logger.warn('event stream failed', { remote, err });
        response.destroy();
      })
      .finally(() => {
        this.#open.delete(close);
        logger.info('event stream closed', { remote });
      });
    this.#open.set(close, done);
  }

  async #pump(response: ServerResponse, events: AsyncIterable<FeedEvent>): Promise<void> {
    const beat = this.#heartbeat(response);
    try {
      for await (const event of events) {
        if (!response.write(eventText(event))) await this.#drained(response);
      }
      response.end();
    } finally {
      beat.cancel();
    }
  }

  /** Whoever has not taken the last bytes yet needs no sign of life. */
  #heartbeat(response: ServerResponse): Timer {
    let timer: Timer;
    const beat = (): void => {
      if (!response.writableNeedDrain) response.write(': still here\n\n');
      timer = this.#clock.after(HEARTBEAT_MS, beat);
    };
    timer = this.#clock.after(HEARTBEAT_MS, beat);
    return { cancel: () => timer.cancel() };
  }

  async #drained(response: ServerResponse): Promise<void> {
    if (response.destroyed) return;
    const drained = new Promise<void>((resolve) => {
      const done = (): void => {
        response.off('drain', done).off('close', done);
        resolve();
      };
      response.on('drain', done).on('close', done);
    });
    await withDeadline(drained, this.options.stallMs ?? STALL_MS, 'reader of the event stream', this.#clock);
  }

  async #close(): Promise<void> {
    this.#isClosed = true;
    const ends = [...this.#open.values()];
    for (const close of this.#open.keys()) close();
    await withDeadline(Promise.all(ends), CLOSE_MS, 'end of the event streams', this.#clock).catch(() => undefined);
  }
}

/** Many a second and call: told to those who name them alone. */
const CHATTY: ReadonlySet<string> = new Set(['call_step', 'call_quality']);

/** By `?types=call_started,call_step`; without it all types but the chatty ones. */
function wantedOf(query: unknown): (type: string) => boolean {
  const { types } = query as { readonly types?: unknown };
  if (typeof types !== 'string') return (type) => !CHATTY.has(type);
  const wanted = new Set(types.split(','));
  return (type) => wanted.has(type);
}

/** JSON has no line breaks of its own, so that one `data` line holds it. */
const eventText = ({ id, type, data }: FeedEvent): string =>
  `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
