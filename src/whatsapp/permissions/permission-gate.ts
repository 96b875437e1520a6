import type { CallOutcome } from '../../call/call.js';
import type { EndReason } from '../../call/end-reason.js';
import type { Clock } from '../../lib/clock.js';
import type { Logger } from '../../lib/logger.js';
import type { WaNumber } from '../../routing/types.js';
import type { UserAddress } from '../../routing/user-address.js';
import type { PermissionReply } from '../webhook-events.js';
import { PairBook, type UserIds } from './pair-book.js';
import type { PairRules } from './pair.js';
import { START_CALL } from './permission-answer.js';
import type { PermissionApi, RequestMessage } from './permission-api.js';
import { PermissionAsking } from './permission-asking.js';
import { permissionEvent, type PermissionEvent } from './permission-event.js';
import { PermissionLookUps } from './permission-look-ups.js';
import { callLimit, noPermission, ownCallLimit } from './permission-refusals.js';
import { isGranted, type PermissionName } from './permission-state.js';
import type { GatedCall, PermissionCount } from './permission-types.js';

/** Pairs of business number and user that are remembered. */
const PAIRS_KEPT = 20_000;
/** Meta's own word that there is no permission. */
const NO_PERMISSION_CODE = 138006;

export interface PermissionRules extends PairRules {
  /** What a user is asked with. */
  readonly message: RequestMessage;
  /** Look-ups a second and business number. */
  readonly lookupsPerSecond: number;
}

export interface PermissionGateOptions {
  readonly api: PermissionApi;
  readonly rules: PermissionRules;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly count?: PermissionCount | undefined;
  /** Users' replies as they come in. Must not throw. */
  readonly onEvent?: ((event: PermissionEvent) => void) | undefined;
}

/** What became of a call, as far as permissions go by it. */
export type GateOutcome = Pick<CallOutcome, 'direction' | 'answerMs' | 'reason' | 'b'>;

/** Ends of a call that rang at the user's phone and was not picked up. */
const unanswered: ReadonlySet<EndReason['code']> = new Set([
  ...(['no_answer', 'declined', 'busy', 'cancelled', 'admin', 'shutdown'] as const),
]);

/**
 * Decides whether a user may be called: by the number's policy, what Meta last said, and our own limits where it said
 * nothing. Learns from look-ups, users' replies and what becomes of calls.
 */
export class PermissionGate {
  readonly #book: PairBook;
  readonly #lookUps: PermissionLookUps;
  readonly #asking: PermissionAsking;

  constructor(private readonly options: PermissionGateOptions) {
    this.#book = new PairBook(options.clock, options.rules, PAIRS_KEPT);
    this.#lookUps = new PermissionLookUps(options);
    this.#asking = new PermissionAsking(options);
  }

  /**
   * Why a call may not be placed; undefined when it may, also when that could not be found out: then Meta decides. Takes a few
   * seconds at most and never rejects.
   */
  async mayCall(number: WaNumber, user: UserAddress, call: GatedCall): Promise<EndReason | undefined> {
    const logger = this.options.logger.child({ call: call.id });
    try {
      const refusal = await this.#decide(number, user, call, logger);
      if (refusal) this.options.count?.('refusal', refusal.code, number.name);
      return refusal;
    } catch (err) {
      logger.error('permission could not be checked', { number: number.name, err });
      return undefined;
    }
  }

  async #decide(number: WaNumber, user: UserAddress, call: GatedCall, logger: Logger): Promise<EndReason | undefined> {
    const { clock } = this.options;
    const pair = this.#book.of(number.id, user);
    const own = pair.tally.callLimit(clock.monotonicMs());
    const ownRefusal = own && ownCallLimit(own, clock.monotonicMs());
    if (number.permission === 'none') return ownRefusal;
    const mustAsk = !pair.isBelieved() || (own !== undefined && !pair.hasAnswerSinceLastCall);
    if (mustAsk && !(await this.#lookUps.of(pair, { number, user, logger }))) return ownRefusal;
    if (isGranted(pair.state)) {
      const start = pair.action(START_CALL);
      if (start === undefined) return ownRefusal;
      return start.can ? undefined : callLimit(start, clock.now());
    }
    if (number.permission === 'check') return noPermission(pair.state.name);
    return this.#asking.ask(pair, { number, user, call, logger });
  }

  /** How many users are in each state, of all those that are remembered. */
  census(): Record<PermissionName, number> {
    const users = { unknown: 0, none: 0, requested: 0, temporary: 0, permanent: 0, expired: 0, revoked: 0 };
    const atMs = this.options.clock.now();
    for (const pair of this.#book.pairs()) {
      pair.learn({ type: 'time', atMs });
      users[pair.state.name]++;
    }
    return users;
  }

  /** A user's answer to a request, or a grant or revocation without one. Never throws. */
  onReply(reply: PermissionReply, number: WaNumber): void {
    const { clock, logger } = this.options;
    const { user, response, permanent, messageId, source, contextId } = reply;
    const heardAtMs = clock.now();
    const stamped = { stampMs: reply.timestampMs ?? heardAtMs, messageId, heardAtMs };
    const pair = this.#book.of(number.id, user);
    const isNews =
      response === 'accept'
        ? pair.learn({ type: 'accepted', permanent, expiresAtMs: reply.expiresAtMs, ...stamped })
        : pair.learn({ type: 'rejected', automatic: source === 'automatic', ...stamped });
    if (isNews && response === 'accept') pair.tally.granted();
    const state = pair.state.name;
    const of = { number: number.name, user: user.number ?? user.userId };
    logger.info('permission reply', { ...of, response, permanent, source, contextId, messageId, state, isNews });
    this.options.onEvent?.(permissionEvent(reply, number));
  }

  /** What became of a call with the user: counts for our own limits, and tells when Meta refused it. Never throws. */
  onCallOver(number: WaNumber, user: UserIds, { direction, answerMs, reason, b }: GateOutcome): void {
    if (user.number === undefined && user.userId === undefined) return;
    const pair = this.#book.of(number.id, user);
    if (direction === 'user_initiated') {
      if (answerMs !== undefined) pair.tally.talked();
      return;
    }
    if (answerMs !== undefined) return pair.callConnected();
    if (reason.metaCode === NO_PERMISSION_CODE) {
      pair.learn({ type: 'call_refused', atMs: this.options.clock.now() });
    } else if (b['waCallId'] !== undefined && unanswered.has(reason.code)) {
      pair.tally.callUnanswered(this.options.clock.monotonicMs());
    }
  }
}
