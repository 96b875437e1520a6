import type { EndReason } from '../../call/end-reason.js';
import type { Clock } from '../../lib/clock.js';
import { withDeadline } from '../../lib/deadline.js';
import { isOutcomeUnknown } from '../graph-classify.js';
import { GraphError } from '../graph-error.js';
import type { Pair } from './pair.js';
import { freeAtMs, SEND_REQUEST } from './permission-answer.js';
import type { PermissionApi, RequestMessage } from './permission-api.js';
import type { GatedCall, PermissionCount, PermissionTarget, RequestResult } from './permission-types.js';
import {
  cannotAsk,
  noPermission,
  permissionRequested,
  requestFailed,
  requestLimitText,
} from './permission-refusals.js';

/** Longest that a caller waits until the request is sent, in milliseconds. */
const REQUEST_MS = 3000;
/** A request that is with the user is not followed by another for this long, whatever Meta would allow; milliseconds. */
const PENDING_MS = 24 * 3600_000;
/** Meta's codes: the pair's limit of requests is reached; the user gave permission for good already. */
const REQUEST_LIMIT_CODE = 138009;
const PERMANENT_CODE = 138017;

export interface AskingOptions {
  readonly api: PermissionApi;
  readonly rules: { readonly message: RequestMessage };
  readonly clock: Clock;
  readonly count?: PermissionCount | undefined;
}

/** Asks users for permission to call them (Meta's permission page: 1 request in 24 hours and 2 in 7 days to one user). */
export class PermissionAsking {
  constructor(private readonly options: AskingOptions) {}

  /** Asks, if that may be done. @returns why the call is refused; undefined when the permission turns out to be there */
  async ask(pair: Pair, target: PermissionTarget & { readonly call: GatedCall }): Promise<EndReason | undefined> {
    if (!pair.asking) {
      const refusal = this.#whyNot(pair);
      if (refusal) return refusal;
      if (target.call.isOver()) return noPermission(pair.state.name);
      pair.asking = this.#send(pair, target).finally(() => (pair.asking = undefined));
    }
    const sent = await pair.asking;
    if (sent.is === 'granted') return undefined;
    return sent.is === 'sent' ? permissionRequested() : sent.reason;
  }

  /** What Meta said of requests goes before our own limits. */
  #whyNot(pair: Pair): EndReason | undefined {
    const { clock } = this.options;
    const { name, requestedAtMs = 0 } = pair.state;
    if (name === 'requested' && clock.now() < requestedAtMs + PENDING_MS) return noPermission(name);
    const action = pair.action(SEND_REQUEST);
    if (action) {
      const free = freeAtMs(action);
      return action.can ? undefined : cannotAsk(requestLimitText(action), free && free - clock.now());
    }
    const own = pair.tally.requestLimit(clock.monotonicMs());
    return own && cannotAsk(own.why, own.freeAtMs && own.freeAtMs - clock.monotonicMs());
  }

  async #send(pair: Pair, { number, user, logger }: PermissionTarget): Promise<RequestResult> {
    const { api, clock, count, rules } = this.options;
    const sentAtMs = clock.now();
    const args = { numberId: number.id, user, message: rules.message, logger };
    try {
      const messageId = await withDeadline(api.request(args), REQUEST_MS, 'permission request', clock);
      this.#isWithUser(pair, sentAtMs);
      logger.info('permission requested', { number: number.name, messageId });
      count?.('request', 'sent', number.name);
      return { is: 'sent' };
    } catch (cause) {
      const error = cause instanceof GraphError ? cause : new GraphError('timeout', String(cause));
      if (error.metaCode === PERMANENT_CODE) {
        pair.learn({ type: 'looked_up', status: 'permanent', expiresAtMs: undefined, askedAtMs: sentAtMs });
        return { is: 'granted' };
      }
      // It may have arrived: the user is not to be asked twice.
      if (isOutcomeUnknown(error)) this.#isWithUser(pair, sentAtMs);
      if (error.metaCode === REQUEST_LIMIT_CODE) pair.learnRequestRefused();
      logger.warn('permission request failed', { number: number.name, err: error });
      count?.('request', 'failed', number.name);
      return { is: 'failed', reason: requestFailed(error) };
    }
  }

  #isWithUser(pair: Pair, sentAtMs: number): void {
    pair.tally.requestSent(this.options.clock.monotonicMs());
    pair.learn({ type: 'requested', sentAtMs });
  }
}
