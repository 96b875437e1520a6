import { z } from 'zod';
import type { WaCallId } from '../lib/ids.js';
import type { UserAddress } from '../routing/user-address.js';
import { isAcceptedAlready, isOverAlready } from './graph-classify.js';
import { GraphError } from './graph-error.js';
import type { GraphRequest, Lane } from './graph-request.js';
import { pauseMs, retryRule } from './graph-retry.js';
import { GraphDispatch, type GraphDispatchOptions } from './graph-dispatch.js';
import { isWaId } from './wa-ids.js';

/** A call on a business number. */
export interface CallRef extends Pick<GraphRequest<unknown>, 'logger'> {
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

export interface ConnectArgs extends Pick<GraphRequest<unknown>, 'logger'> {
  readonly numberId: string;
  /** Who is called: goes as `to`, or as `recipient` when only a business-scoped user id is known. */
  readonly user: UserAddress;
  readonly sdp: string;
  readonly opaque?: string | undefined;
  /** Once aborted, a failed request is not repeated: no phone rings for a caller who is gone. */
  readonly signal?: AbortSignal | undefined;
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

export interface GraphClientOptions extends GraphDispatchOptions {
  /** Deadline of one request, answer included, in milliseconds. */
  readonly timeoutMs: number;
  /** Pause before the first repeat, in milliseconds; doubles with each, ±25 %. */
  readonly backoffMs?: number;
  /** 0 to 1, for jitter. */
  readonly random?: () => number;
}

type Action = 'connect' | 'pre_accept' | 'accept' | 'reject' | 'terminate';

const done = z.object({ success: z.union([z.literal(true), z.literal('true')]) });
const acceptedBefore = (error: GraphError): z.infer<typeof done> | undefined =>
  isAcceptedAlready(error) ? { success: true } : undefined;
const connected = z.object({ calls: z.array(z.object({ id: z.string().refine(isWaId) })).min(1) });

/**
 * Meta's Graph API: the calls endpoint, and any other request by `request`. Logs actions and outcomes, never the token, an SDP or
 * a body.
 */
export class GraphClient implements CallActions {
  readonly #dispatch: GraphDispatch;
  readonly #random: () => number;

  constructor(private readonly options: GraphClientOptions) {
    this.#dispatch = new GraphDispatch(options);
    this.#random = options.random ?? Math.random;
  }

  /** False while Meta refuses the access token, so that no call can be placed. */
  get credentialsOk(): boolean {
    return this.#dispatch.credentials.ok;
  }

  /** The business numbers are these from now on. */
  useNumbers(numberIds: readonly string[]): void {
    this.#dispatch.credentials.useNumbers(numberIds);
  }

  /** The token has been replaced: it counts at once, and is tried. */
  tokenChanged(): void {
    this.#dispatch.credentials.tokenChanged();
  }

  /** Stops looking after the credentials; requests can still be sent. */
  close(): void {
    this.#dispatch.credentials.close();
  }

  async connect({ user, sdp, opaque, ...args }: ConnectArgs): Promise<WaCallId> {
    const fields = { ...addressFields(user), session: { sdp_type: 'offer', sdp }, ...opaqueField(opaque) };
    const { calls } = await this.request({ ...call('connect', 'connect', args, fields), answer: connected });
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

  /**
   * Sends any request, with the deadline and the repeats of its lane, and checks the answer.
   * @throws GraphError
   */
  async request<Answer>(request: GraphRequest<Answer>): Promise<Answer> {
    const { clock, timeoutMs } = this.options;
    const rule = retryRule(request, timeoutMs);
    const endMs = clock.monotonicMs() + rule.totalMs;
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#dispatch.send(request, { attempt, attemptMs: rule.attemptMs, endMs });
      } catch (error) {
        if (!(error instanceof GraphError)) throw error;
        const earlier = attempt > 0 ? request.cameThrough?.(error) : undefined;
        if (earlier !== undefined) return earlier;
        if (attempt + 1 >= rule.attempts || !rule.repeatAfter(error)) throw error;
        await this.#pause(attempt, error, endMs, request.signal);
      }
    }
  }

  /** Waits before a repeat. @throws the error when there is no time for one, or nobody wants it any more */
  async #pause(attempt: number, error: GraphError, endMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { clock, backoffMs = 250 } = this.options;
    const delayMs = pauseMs(attempt, error, backoffMs, this.#random());
    if (signal?.aborted || clock.monotonicMs() + delayMs >= endMs) throw error;
    await new Promise<void>((resolve) => clock.after(delayMs, resolve));
    if (signal?.aborted) throw error;
  }

  async #answer(
    action: 'pre_accept' | 'accept',
    { waCallId, ...args }: Omit<SessionArgs, 'sdp' | 'opaque'>,
    session: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const request = call('answer', action, args, { call_id: waCallId, ...session });
    await this.request({ ...request, answer: done, cameThrough: acceptedBefore });
  }

  async #end(action: 'reject' | 'terminate', { waCallId, ...args }: CallRef): Promise<void> {
    try {
      await this.request({ ...call('end', action, args, { call_id: waCallId }), answer: done });
    } catch (error) {
      if (!(error instanceof GraphError) || !isOverAlready(error)) throw error;
      const log = args.logger ?? this.options.logger;
      log.debug('call was over already', { action, waCallId, metaCode: error.metaCode });
    }
  }
}

/** A request to the calls endpoint of a number, `POST /<PHONE_NUMBER_ID>/calls`. */
function call(
  lane: Lane,
  action: Action,
  { numberId, signal, logger }: Pick<SessionArgs, 'numberId' | 'signal' | 'logger'>,
  fields: Readonly<Record<string, unknown>>,
): Omit<GraphRequest<unknown>, 'answer' | 'cameThrough'> {
  const body = { messaging_product: 'whatsapp', action, ...fields };
  return { lane, method: 'POST', path: `${numberId}/calls`, body, numberId, what: action, signal, logger };
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
