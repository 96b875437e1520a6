import { endReason } from '../call/end-reason.js';
import type { Journal, JournalData, JournalEvent, SeenKeys } from '../call/journal.js';
import type { CallObserver } from '../call/observer.js';
import type { OriginatingLeg } from '../call/leg.js';
import type { Clock } from '../lib/clock.js';
import type { CallId, E164, IdSource, WaCallId } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import type { WaNumber } from '../routing/types.js';
import { assertNever } from '../lib/assert-never.js';
import { boundedKeys } from './bounded-memory.js';
import type { CallDirectory, LaterEvent, WebhookSink } from './call-directory.js';
import { replyKey } from './webhook-journal.js';
import { WebhookLog } from './webhook-log.js';
import type { CallEventOfMeta, PermissionReply, UserConnect, WebhookEvent, WebhookResult } from './webhook-events.js';

/** A user's call that has just come in. Names and payloads are as the user's side gave them, not sanitised. */
export interface UserCall {
  readonly call: CallId;
  readonly leg: OriginatingLeg;
  readonly number: WaNumber;
  /** Undefined for users who are known by a business-scoped id only. */
  readonly from: E164 | undefined;
  readonly fromUserId: string | undefined;
  readonly fromName: string | undefined;
  readonly waCallId: WaCallId;
  readonly ctaPayload: string | undefined;
  readonly deeplinkPayload: string | undefined;
  readonly offer: string;
}

/** What a user's call needs to become a leg. */
export interface UserLegSeed {
  readonly call: CallId;
  readonly number: WaNumber;
  readonly waCallId: WaCallId;
  readonly offer: string;
  readonly user: UserConnect['user'];
  readonly ctaPayload: string | undefined;
  readonly deeplinkPayload: string | undefined;
}

export interface WebhookRouterOptions {
  readonly numbers: () => readonly WaNumber[];
  readonly directory: CallDirectory;
  readonly createUserLeg: (seed: UserLegSeed) => OriginatingLeg & WebhookSink;
  readonly onUserCall: (call: UserCall) => void;
  /** A call that we gave up on has turned up at Meta after all: it is to be terminated there. `call` is our id of it. */
  readonly endAbandoned: (numberId: string, waCallId: WaCallId, call: CallId | undefined) => void;
  readonly onPermissionReply?: (reply: PermissionReply, number: WaNumber) => void;
  readonly onSettingsChanged?: (number: WaNumber) => void;
  /** Counts one event; `number` is the alias in the configuration, or empty. */
  readonly count?: (result: WebhookResult, event: WebhookEvent['kind'], number: string) => void;
  /** Events that were handled, over restarts; default: in memory for 8 days. */
  readonly seen?: SeenKeys;
  /** Told which journalled events need nobody's attention after a crash. */
  readonly journal?: Journal;
  readonly ids: IdSource;
  readonly clock: Clock;
  readonly observer: CallObserver;
  readonly logger: Logger;
}

/** Meta repeats deliveries for up to 7 days. */
const SEEN_MS = 8 * 24 * 3600_000;
const SEEN_EVENTS = 100_000;
/** Meta's answer window is 30 to 60 s: an older connect rings at nobody's phone any more. */
const STALE_MS = 45_000;
/** Clocks may differ by this much. */
const FUTURE_MS = 60_000;

/**
 * Takes parsed webhook events to their legs, and makes a leg of each new user's call. Duplicates, replays, stale connects and
 * events of other apps' numbers are counted and dropped. `handle` never throws.
 */
export class WebhookRouter {
  readonly #seen: SeenKeys;
  readonly #log: WebhookLog;

  constructor(private readonly options: WebhookRouterOptions) {
    this.#seen = options.seen ?? boundedKeys(options.clock, SEEN_MS, SEEN_EVENTS);
    this.#log = new WebhookLog(options);
  }

  /** Handles the events of a delivery in order. */
  handle(events: readonly WebhookEvent[]): void {
    for (const event of events) {
      const number = this.options.numbers().find(({ id }) => id === event.numberId);
      let result: WebhookResult;
      try {
        result = this.#one(event, number);
      } catch (err) {
        result = 'failed';
        this.#log.failed(event, err);
      }
      this.options.count?.(result, event.kind, number?.name ?? '');
      this.#log.event(event, result);
      this.#settle(event, result);
    }
  }

  /** Acts on a permission reply that was journalled before a crash and not acted on. */
  replay(reply: PermissionReply): void {
    this.#isDuplicate(reply);
    const number = this.options.numbers().find(({ id }) => id === reply.numberId);
    if (number) this.options.onPermissionReply?.(reply, number);
  }

  /** A call that was ended without a leg: no event of it makes one any more. */
  forget(call: CallKey): void {
    this.#seen.add(givenUpKey(call));
  }

  /** What failed stays open in the journal: a terminate webhook or the next start closes it. */
  #settle(event: WebhookEvent, result: WebhookResult): void {
    // Of other apps' numbers nothing was journalled.
    if (result === 'failed' || result === 'foreign_number') return;
    if (event.kind === 'permission_reply') return this.#note('permission_handled', { key: replyKey(event) });
    if (event.kind !== 'user_connect' || result === 'handled') return;
    this.#note('webhook_settled', { waCallId: event.waCallId });
  }

  #note(event: JournalEvent, data: JournalData): void {
    const { journal, ids, logger } = this.options;
    journal?.append({ call: ids.callId(), event, data }).catch((err: unknown) => {
      logger.error('journal entry not stored', { event, err });
    });
  }

  #one(event: WebhookEvent, number: WaNumber | undefined): WebhookResult {
    if (event.kind === 'unknown') return 'unknown';
    if (!number) return 'foreign_number';
    if (event.kind === 'settings_changed') {
      this.options.onSettingsChanged?.(number);
      return 'handled';
    }
    if (this.#isDuplicate(event)) return 'duplicate';
    switch (event.kind) {
      case 'permission_reply':
        this.options.onPermissionReply?.(event, number);
        return 'handled';
      case 'user_connect':
        return this.#userConnect(event, number);
      case 'business_connect':
      case 'call_status':
      case 'call_terminate':
        return this.#later(event);
      default:
        return assertNever(event, 'webhook event');
    }
  }

  #isDuplicate(event: CallEventOfMeta | PermissionReply): boolean {
    const key = keyOf(event);
    if (key === undefined) return false;
    if (this.#seen.has(key)) return true;
    this.#seen.add(key);
    return false;
  }

  #userConnect(event: UserConnect, number: WaNumber): WebhookResult {
    const { waCallId, user, offer } = event;
    if (number.signaling !== 'graph') return 'not_graph';
    if (this.#hasEnded(event) || this.options.directory.knows(waCallId)) return 'ended_before';
    if (this.#isStale(event.timestampMs)) return 'stale';
    const call = this.options.ids.callId();
    this.options.observer.step(call, 'webhook.connect', { direction: 'in', waCallId });
    const { ctaPayload, deeplinkPayload } = event;
    const leg = this.options.createUserLeg({ call, number, waCallId, offer, user, ctaPayload, deeplinkPayload });
    this.options.directory.claim(waCallId, leg);
    const caller = {
      from: user.number,
      fromUserId: user.userId ?? user.parentUserId,
      fromName: user.name ?? user.username,
    };
    try {
      this.options.onUserCall({ call, leg, number, ...caller, waCallId, ctaPayload, deeplinkPayload, offer });
    } catch (error) {
      leg.reject(endReason('internal'));
      throw error;
    }
    return 'handled';
  }

  /** By the wall clock, the only one that Meta's stamps can be held against. Without a stamp nothing is known. */
  #isStale(timestampMs: number | undefined): boolean {
    if (timestampMs === undefined) return false;
    const ageMs = this.options.clock.now() - timestampMs;
    return ageMs > STALE_MS || ageMs < -FUTURE_MS;
  }

  #later(event: LaterEvent): WebhookResult {
    if (this.#isOfUserCallWithoutLeg(event)) return 'ended_before';
    const delivery = this.options.directory.deliver(event);
    switch (delivery) {
      case 'delivered':
        return 'handled';
      case 'abandoned':
        return this.#endAbandoned(event);
      case 'gone':
        return 'ended_before';
      case 'parked':
        return 'parked';
      case 'overflow':
        return 'parked_overflow';
      default:
        return assertNever(delivery, 'delivery');
    }
  }

  #endAbandoned(event: LaterEvent): WebhookResult {
    const { numberId, waCallId } = event;
    const call = this.options.directory.callOf(event);
    if (!this.#hasEnded(event)) this.options.endAbandoned(numberId, waCallId, call);
    this.forget(event);
    return 'abandoned';
  }

  /** By its terminate, which the check for duplicates has noted, or because we gave it up. */
  #hasEnded(call: CallKey): boolean {
    return this.#seen.has(terminateKey(call)) || this.#seen.has(givenUpKey(call));
  }

  #isOfUserCallWithoutLeg(event: LaterEvent): boolean {
    const isUserCall = event.kind === 'call_terminate' && event.direction === 'user_initiated';
    return isUserCall && !this.options.directory.knows(event.waCallId);
  }
}

/** What makes two deliveries the same event. */
function keyOf(event: CallEventOfMeta | PermissionReply): string | undefined {
  if (event.kind === 'permission_reply') {
    return event.messageId === undefined ? undefined : `${event.numberId}|${event.messageId}|permission_reply`;
  }
  const call = `${event.numberId}|${event.waCallId}`;
  switch (event.kind) {
    case 'user_connect':
      return `${call}|connect|offer`;
    case 'business_connect':
      return `${call}|connect|answer`;
    case 'call_status':
      return `${call}|status|${event.status}`;
    case 'call_terminate':
      return terminateKey(event);
    default:
      return assertNever(event, 'webhook event');
  }
}

type CallKey = Pick<CallEventOfMeta, 'numberId' | 'waCallId'>;
const terminateKey = ({ numberId, waCallId }: CallKey): string => `${numberId}|${waCallId}|terminate`;
const givenUpKey = ({ numberId, waCallId }: CallKey): string => `${numberId}|${waCallId}|given_up`;
