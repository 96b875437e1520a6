import { z } from 'zod';
import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import { isRateLimit, isTokenRefused } from './graph-classify.js';
import { GraphCredentials } from './graph-credentials.js';
import { GraphError, type GraphFault } from './graph-error.js';
import { GraphGate } from './graph-gate.js';
import type { Queued } from './graph-queue.js';
import { isNewWork, type GraphRequest, type Lane } from './graph-request.js';
import { givenUp, GraphSlots, noSlot } from './graph-slots.js';
import { GraphTransport, type GraphTransportOptions } from './graph-transport.js';

/** One attempt at a request, for metrics. */
export interface RequestSeen {
  readonly lane: Lane;
  /** `GraphRequest.what`. */
  readonly action: string;
  readonly numberId: string;
  /** 0 for the first. */
  readonly attempt: number;
  /** `ok`, Meta's error code, or the kind of fault when Meta gave none. */
  readonly code: number | 'ok' | GraphFault;
  /** Meta refused it for its rate. */
  readonly rateLimited: boolean;
  /** Of this attempt, waiting for its turn included; pauses between attempts are not. */
  readonly tookMs: number;
}

export interface GraphDispatchOptions extends GraphTransportOptions {
  /** Asked for every request, so that a rotated token is used at once. */
  readonly token: () => string;
  /** The business numbers whose credentials are looked after; default: none. */
  readonly numberIds?: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told of every attempt, also of those that were held back. Must not throw. */
  readonly onRequest?: (seen: RequestSeen) => void;
}

/** The limits of one attempt. */
export interface AttemptTerms {
  readonly attempt: number;
  /** Longest wait for the answer once it is sent, in milliseconds. */
  readonly attemptMs: number;
  /** Monotonic time at which all is over, waiting for its turn included. */
  readonly endMs: number;
}

const numberSeen = z.object({ id: z.union([z.string(), z.number()]) });
const PROBE = 'credentials';
const PROBE_MS = 5_000;
/** New work with less of its time for an answer left than this share is not sent any more: its outcome would be unknown. */
const LEAST_SHARE = 0.1;

/** Sends requests one attempt at a time: in turn, unless held back, with everything learnt from the answer. */
export class GraphDispatch {
  readonly credentials: GraphCredentials;
  readonly #transport: GraphTransport;
  readonly #gate: GraphGate;
  readonly #slots: GraphSlots;

  constructor(private readonly options: GraphDispatchOptions) {
    const { clock, logger, token, numberIds = [] } = options;
    this.#transport = new GraphTransport(options);
    this.#slots = new GraphSlots(clock);
    const onShut = (): void => this.#slots.refuse((asked) => this.#refusal(asked));
    this.#gate = new GraphGate({ clock, logger, onShut });
    const probe = (numberId: string): Promise<unknown> => this.#probe(numberId);
    this.credentials = new GraphCredentials({ token, numberIds, probe, onRefused: onShut, clock, logger });
  }

  /** @throws GraphError */
  async send<Answer>(request: GraphRequest<Answer>, terms: AttemptTerms): Promise<Answer> {
    const { clock } = this.options;
    const startedMs = clock.monotonicMs();
    const tookMs = (): number => Math.round(clock.monotonicMs() - startedMs);
    try {
      const answer = await this.#inTurn(request, terms);
      this.#succeeded(request, terms.attempt, tookMs());
      return answer;
    } catch (error) {
      if (error instanceof GraphError) this.#failed(request, terms.attempt, tookMs(), error);
      throw error;
    }
  }

  async #inTurn<Answer>(request: GraphRequest<Answer>, { attemptMs, endMs }: AttemptTerms): Promise<Answer> {
    const { clock } = this.options;
    this.#refuse(request);
    const release = await this.#slots.take(request, endMs - clock.monotonicMs());
    try {
      if (request.signal?.aborted) throw givenUp(request.what);
      this.#refuse(request);
      const leftMs = endMs - clock.monotonicMs();
      if (isNewWork(request) && leftMs < attemptMs * LEAST_SHARE) throw noSlot(request.what);
      return await this.#exchange(request, Math.min(attemptMs, leftMs));
    } finally {
      release();
    }
  }

  async #exchange<Answer>(request: GraphRequest<Answer>, timeoutMs: number): Promise<Answer> {
    const { numberId } = request;
    const token = this.options.token();
    const pass = this.#gate.enter(request);
    const onHeaders = (headers: Headers): void => this.#gate.noteUsage(request, headers);
    try {
      const answer = checked(request, await this.#transport.exchange(request, { token, timeoutMs, onHeaders }));
      pass.answered();
      this.credentials.answered(numberId, token);
      return answer;
    } catch (error) {
      if (error instanceof GraphError) {
        pass.failed(error);
        if (isTokenRefused(error) || isAboutCalls(request)) this.credentials.failed(numberId, token, error);
      }
      throw error;
    }
  }

  /** Asks for nothing but the number's own id; goes past queue and gate, since it is how they learn that all is well again. */
  #probe(numberId: string): Promise<unknown> {
    const query = { fields: 'id' };
    return this.#exchange(
      { lane: 'other', method: 'GET', path: numberId, query, answer: numberSeen, numberId, what: PROBE },
      PROBE_MS,
    );
  }

  #refuse(asked: Queued): void {
    const refusal = this.#refusal(asked);
    if (refusal) throw refusal;
  }

  #refusal(asked: Queued): GraphError | undefined {
    if (!isNewWork(asked)) return undefined;
    return this.credentials.refusal(asked.numberId) ?? this.#gate.refusal(asked);
  }

  #succeeded({ lane, what: action, numberId, logger }: GraphRequest<unknown>, attempt: number, tookMs: number): void {
    (logger ?? this.options.logger).debug('graph request done', { action, numberId, tookMs });
    this.options.onRequest?.({ lane, action, numberId, attempt, code: 'ok', rateLimited: false, tookMs });
  }

  #failed(request: GraphRequest<unknown>, attempt: number, tookMs: number, error: GraphError): void {
    const { lane, what: action, numberId, logger = this.options.logger } = request;
    const { fault, httpStatus, metaCode, metaSubcode, title, details, message: why } = error;
    const said = { action, numberId, attempt, fault, httpStatus, metaCode, metaSubcode, title, details, why };
    // One line says that requests are held back; each that is would say it again.
    if (fault === 'held') logger.debug('graph request held back', said);
    else logger.warn('graph request failed', said);
    const rateLimited = fault !== 'held' && isRateLimit(error);
    this.options.onRequest?.({ lane, action, numberId, attempt, code: metaCode ?? fault, rateLimited, tookMs });
  }
}

/** A right that a look-up or a message lacks says nothing of calls; calls say it themselves, and so does the number. */
const isAboutCalls = ({ lane, what }: GraphRequest<unknown>): boolean => lane !== 'other' || what === PROBE;

/** @throws GraphError when the answer is not of the request's form */
function checked<Answer>({ answer, what }: GraphRequest<Answer>, json: unknown): Answer {
  const read = answer.safeParse(json);
  if (!read.success) throw new GraphError('answer', `answer to ${what} has another form`, { httpStatus: 200 });
  return read.data;
}
