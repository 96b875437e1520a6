import { z } from 'zod';
import type { WaCallId } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import type { UserAddress } from '../routing/user-address.js';
import { isAcceptedAlready, isOverAlready, isRateLimit, isTransient } from './graph-classify.js';
import { GraphError } from './graph-error.js';
import { GraphTransport, type GraphTransportOptions } from './graph-transport.js';
import { isWaId } from './wa-ids.js';

/** Whose request it is. */
interface OfLeg {
  /** The leg's own logger, so that the lines about the request carry its call; the client's when there is no leg. */
  readonly logger?: Logger | undefined;
}

/** A call on a business number. */
export interface CallRef extends OfLeg {
  /** Meta's phone_number_id. */
  readonly numberId: string;
  readonly waCallId: WaCallId;
}

/** Our session description for a call, CRLF line ends. */
export interface SessionArgs extends CallRef {
  readonly sdp: string;
  /** Comes back in later webhooks as `biz_opaque_callback_data`; at most 512 characters. `accept` only. */
  readonly opaque?: string | undefined;
  /** Once aborted, a failed request is not repeated. What is on its way is not taken back. */
  readonly signal?: AbortSignal | undefined;
}

export interface ConnectArgs extends OfLeg {
  readonly numberId: string;
  /** Who is called: goes as `to`, or as `recipient` when only a business-scoped user id is known. */
  readonly user: UserAddress;
  readonly sdp: string;
  readonly opaque?: string | undefined;
}

/** The actions of the calls endpoint (`POST /<PHONE_NUMBER_ID>/calls`); each throws GraphError. */
export interface CallActions {
  /** Places a call to a user; returns Meta's id of it. Never repeated once bytes may have been sent. */
  connect(args: ConnectArgs): Promise<WaCallId>;
  preAccept(args: SessionArgs): Promise<void>;
  accept(args: SessionArgs): Promise<void>;
  reject(args: CallRef): Promise<void>;
  terminate(args: CallRef): Promise<void>;
}

export interface GraphClientOptions extends GraphTransportOptions {
  readonly logger: Logger;
  /** Pause before the first repeat, in milliseconds; doubles with each, ±25 %. */
  readonly backoffMs?: number;
  /** 0 to 1, for jitter. */
  readonly random?: () => number;
}

/** One action and what it takes to send it. */
interface Request<Answer> extends OfLeg {
  readonly action: Action;
  readonly numberId: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly answer: z.ZodType<Answer>;
  readonly rule: RetryRule;
  readonly signal?: AbortSignal | undefined;
}

type Action = 'connect' | 'pre_accept' | 'accept' | 'reject' | 'terminate';

/** How often a request is repeated, and after which errors. */
interface RetryRule {
  readonly repeats: number;
  readonly when: (error: GraphError) => boolean;
}

const isPassing = (error: GraphError): boolean => isTransient(error) || isRateLimit(error);
const ending: RetryRule = { repeats: 2, when: isPassing };
/** Once: the answer window is 30 to 60 s, and the user hears it ring or hears nothing meanwhile. */
const answering: RetryRule = { repeats: 1, when: isPassing };
/** A second connect would ring the user twice or give 138003. */
const placing: RetryRule = { repeats: 1, when: (error) => error.fault === 'transport' && error.unsent };

/** Longest pause before a repeat, jitter included and whatever Retry-After says, in milliseconds: callers are waiting. */
const PAUSE_CAP_MS = 2000;
/** Share of a pause that jitter adds or takes away, at most. */
const JITTER = 0.25;
/** A limit passes more slowly than a fault of the network. */
const LIMIT_BACKOFF_FACTOR = 4;

const done = z.object({ success: z.union([z.literal(true), z.literal('true')]) });
const connected = z.object({ calls: z.array(z.object({ id: z.string().refine(isWaId) })).min(1) });

/** The calls endpoint of Meta's Graph API. Logs actions and outcomes, never the token or an SDP. */
export class GraphClient implements CallActions {
  readonly #transport: GraphTransport;
  readonly #random: () => number;

  constructor(private readonly options: GraphClientOptions) {
    this.#transport = new GraphTransport(options);
    this.#random = options.random ?? Math.random;
  }

  async connect({ numberId, user, sdp, opaque, logger }: ConnectArgs): Promise<WaCallId> {
    const fields = { ...addressFields(user), session: { sdp_type: 'offer', sdp }, ...opaqueField(opaque) };
    const request = { action: 'connect', numberId, fields, logger } as const;
    const { calls } = await this.#call({ ...request, answer: connected, rule: placing });
    return (calls[0]?.id ?? '') as WaCallId;
  }

  async preAccept({ sdp, ...args }: SessionArgs): Promise<void> {
    await this.#answer('pre_accept', args, { session: { sdp_type: 'answer', sdp } });
  }

  async accept({ sdp, opaque, ...args }: SessionArgs): Promise<void> {
    await this.#answer('accept', args, { session: { sdp_type: 'answer', sdp }, ...opaqueField(opaque) });
  }

  async reject(ref: CallRef): Promise<void> {
    await this.#end('reject', ref);
  }

  async terminate(ref: CallRef): Promise<void> {
    await this.#end('terminate', ref);
  }

  async #answer(
    action: 'pre_accept' | 'accept',
    { numberId, waCallId, signal, logger }: Omit<SessionArgs, 'sdp' | 'opaque'>,
    session: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const fields = { call_id: waCallId, ...session };
    await this.#call({ action, numberId, fields, answer: done, rule: answering, signal, logger });
  }

  async #end(action: 'reject' | 'terminate', { numberId, waCallId, logger }: CallRef): Promise<void> {
    try {
      await this.#call({ action, numberId, fields: { call_id: waCallId }, answer: done, rule: ending, logger });
    } catch (error) {
      if (!(error instanceof GraphError) || !isOverAlready(error)) throw error;
      const log = logger ?? this.options.logger;
      log.debug('call was over already', { action, waCallId, metaCode: error.metaCode });
    }
  }

  async #call<Answer>(request: Request<Answer>): Promise<Answer> {
    const { rule, signal, answer } = request;
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#once(request);
      } catch (error) {
        if (!(error instanceof GraphError)) throw error;
        // The first one came through although its answer did not: what the repeat meets is success.
        if (rule === answering && attempt > 0 && isAcceptedAlready(error)) return answer.parse({ success: true });
        this.#logFailure(request, attempt, error);
        if (attempt >= rule.repeats || !rule.when(error)) throw error;
        await this.#pause(attempt, error, signal);
        if (signal?.aborted) throw error;
      }
    }
  }

  async #once<Answer>({ action, numberId, fields, answer, logger }: Request<Answer>): Promise<Answer> {
    const startedMs = this.options.clock.monotonicMs();
    const body = { messaging_product: 'whatsapp', action, ...fields };
    const json = await this.#transport.post(`${encodeURIComponent(numberId)}/calls`, body, action);
    const read = answer.safeParse(json);
    if (!read.success) throw new GraphError('answer', `answer to ${action} has another form`, { httpStatus: 200 });
    const tookMs = Math.round(this.options.clock.monotonicMs() - startedMs);
    (logger ?? this.options.logger).debug('graph request done', { action, numberId, tookMs });
    return read.data;
  }

  #logFailure({ action, numberId, logger }: Request<unknown>, attempt: number, error: GraphError): void {
    const { fault, httpStatus, metaCode, metaSubcode, title, details, message: why } = error;
    const said = { fault, httpStatus, metaCode, metaSubcode, title, details, why };
    (logger ?? this.options.logger).warn('graph request failed', { action, numberId, attempt, ...said });
  }

  #pause(attempt: number, error: GraphError, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    const factor = isRateLimit(error) ? LIMIT_BACKOFF_FACTOR : 1;
    const wantedMs = Math.max((this.options.backoffMs ?? 250) * factor * 2 ** attempt, (error.retryAfterS ?? 0) * 1000);
    const jitter = 1 - JITTER + this.#random() * 2 * JITTER;
    const delayMs = Math.min(wantedMs, PAUSE_CAP_MS / (1 + JITTER)) * jitter;
    return new Promise((resolve) => this.options.clock.after(delayMs, resolve));
  }
}

/**
 * The fields that name a user in a request: `to` with digits only, or `recipient` with a business-scoped user id. Never both:
 * `to` would win (Meta's page on business-scoped user ids).
 */
export function addressFields(user: UserAddress): { to: string } | { recipient: string } {
  return 'number' in user ? { to: user.number.replace(/^\+/, '') } : { recipient: user.userId };
}

const opaqueField = (opaque: string | undefined): { biz_opaque_callback_data?: string } =>
  opaque === undefined ? {} : { biz_opaque_callback_data: opaque };
