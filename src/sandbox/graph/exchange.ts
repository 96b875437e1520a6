import type { Clock, Timer } from '../../lib/clock.js';
import { connectEvent, permissionReplyEvent, statusEvent, terminateEvent } from '../webhook-events.js';
import type { BusinessNumber, WebhookEvent } from '../webhook-events.js';
import { CallBook, checkAction } from './call-book.js';
import type { WaCall, WaCallEnd } from './call-book.js';
import {
  callingNotEnabled,
  concurrentCall,
  GraphRefusal,
  invalidParameter,
  noPermission,
  receiverUncallable,
  sipModeNumber,
} from './graph-error.js';
import { CallPermission } from './permissions.js';
import type { PermissionStatus } from './permissions.js';
import { CallingSettings } from './settings.js';

/** What a user's phone does when Meta tells it something. Phones are told; they answer through the exchange. */
export interface PhoneLine {
  readonly waId: string;
  /** The user's business-scoped id; requests may name the user by it, and webhooks carry it. */
  readonly userId?: string;
  readonly profileName: string;
  /** The business calls: the relay's answer to its offer. The phone goes on by `ring`, `accept`, `reject`. */
  offered(call: WaCall, offer: string): Promise<string>;
  /** The business's answer is known: media may come up, the user still hears ringing. */
  mediaAnswered(call: WaCall, answer: string): Promise<void>;
  /** The business accepted: the user is talking. */
  accepted(call: WaCall): Promise<void>;
  ended(call: WaCall, end: WaCallEnd): void;
  /** The business asks for leave to call. */
  asked?(text: string): void;
}

export interface ExchangeOptions {
  readonly number: BusinessNumber;
  readonly clock: Clock;
  readonly send: (event: WebhookEvent) => void;
  /** A call that nobody answers ends after this. Meta: 30 to 60 s. */
  readonly answerWindowMs: number;
}

const byBusiness: WaCallEnd = { by: 'business', status: 'COMPLETED', rejected: false, timedOut: false };

/** Meta's switchboard for one business number: joins the Graph endpoints, the webhooks and the users' phones. */
export class Exchange {
  readonly settings = new CallingSettings();
  readonly calls = new CallBook();
  /** Names of the templates that were approved with a call_permission_request component. */
  readonly permissionTemplates = new Set(['call_permission']);
  readonly #phones = new Map<string, PhoneLine>();
  readonly #permissions = new Map<string, CallPermission>();
  readonly #timers = new Map<string, Timer>();
  #stopped = false;
  #replies = 0;

  constructor(private readonly options: ExchangeOptions) {}

  get number(): BusinessNumber {
    return this.options.number;
  }

  /** Puts a user on WhatsApp. New users have granted permission to be called unless told otherwise. */
  attach(phone: PhoneLine, permission: PermissionStatus = 'permanent'): void {
    this.#phones.set(phone.waId, phone);
    this.#permissions.set(phone.waId, new CallPermission(permission, this.options.clock.now()));
  }

  detach(phone: PhoneLine): void {
    this.#phones.delete(phone.waId);
  }

  /** Permission of a user; an unknown one has given none. */
  permissionOf(userWaId: string): CallPermission {
    const known = this.#permissions.get(userWaId);
    const permission = known ?? new CallPermission('no_permission', this.options.clock.now());
    if (!known) this.#permissions.set(userWaId, permission);
    return permission;
  }

  /** Whether a user may be called as of now. */
  permissionStatusOf(userWaId: string): PermissionStatus {
    return this.permissionOf(userWaId).status(this.options.clock.now());
  }

  /** The number of the user with this business-scoped id; what is no such id, or nobody's, comes back as it is. */
  waIdOf(user: string): string {
    return [...this.#phones.values()].find(({ userId }) => userId === user)?.waId ?? user;
  }

  /** The business asks a user for leave to call. @throws GraphRefusal beyond the limits */
  askPermission(userWaId: string, text: string): void {
    this.permissionOf(userWaId).request(this.options.clock.now());
    this.#phones.get(userWaId)?.asked?.(text);
  }

  /**
   * The user grants or takes back permission, or Meta does so in the user's name (`automatic`); the business is told by
   * webhook. `contextId`: the request or the call that is answered; none from the user's view of the business's profile.
   */
  decidePermission(
    userWaId: string,
    status: PermissionStatus,
    contextId?: string,
    source: 'user_action' | 'automatic' = 'user_action',
  ): void {
    const now = this.options.clock.now();
    const permission = this.permissionOf(userWaId);
    permission.decide(status, now);
    const reply = {
      userWaId,
      userId: this.#phones.get(userWaId)?.userId,
      contextId,
      source,
      messageId: `wamid.${Buffer.from(`${userWaId}${now}${this.#replies++}`).toString('base64')}`,
      response: status === 'no_permission' ? ('reject' as const) : ('accept' as const),
      isPermanent: status === 'permanent',
      expiresAtMs: permission.expiresAtMs,
    };
    this.options.send(permissionReplyEvent(this.number, reply, now));
  }

  /** A user calls the business: the connect webhook goes out. @throws GraphRefusal if calling is off for the number */
  userCalls(phone: PhoneLine, offer: string): WaCall {
    if (!this.settings.callingEnabled || this.settings.sipEnabled) throw callingNotEnabled();
    if (this.calls.ongoingWith(phone.waId)) throw concurrentCall();
    const call = this.calls.open('USER_INITIATED', phone.waId);
    this.#expectAnswer(call);
    const session = { sdp_type: 'offer', sdp: offer } as const;
    this.options.send(connectEvent(this.number, call, session, phone.profileName, this.options.clock.now()));
    return call;
  }

  /** Graph `connect`. The connect webhook with the relay's answer follows. @throws GraphRefusal */
  connect(userWaId: string, offer: string, opaque: string | undefined): WaCall {
    this.#mayCall();
    const phone = this.#phones.get(userWaId);
    if (!phone) throw receiverUncallable();
    if (this.calls.ongoingWith(userWaId)) throw concurrentCall();
    const now = this.options.clock.now();
    const permission = this.permissionOf(userWaId);
    if (permission.status(now) === 'no_permission') throw noPermission();
    if (permission.callLimitReached(now)) {
      throw new GraphRefusal(400, 138012, 'Business initiated calling limit', '100 connected calls in 24 hours');
    }
    const call = this.calls.open('BUSINESS_INITIATED', userWaId, opaque);
    this.#expectAnswer(call);
    void this.#relayAnswers(phone, call, offer);
    return call;
  }

  /** Graph `pre_accept`. @throws GraphRefusal */
  async preAccept(call: WaCall, answer: string): Promise<void> {
    this.#mayCall();
    checkAction(call, 'pre_accept');
    const phone = this.#phoneOf(call);
    call.state = 'pre_accepted';
    call.preAcceptSdp = answer;
    await this.#applyAnswer(phone, call, answer);
  }

  /** Graph `accept`. @throws GraphRefusal, also if the SDP is not that of `pre_accept` */
  async accept(call: WaCall, answer: string, opaque: string | undefined): Promise<void> {
    this.#mayCall();
    checkAction(call, 'accept');
    if (call.preAcceptSdp !== undefined && call.preAcceptSdp !== answer) {
      throw invalidParameter('SDP: accept must repeat the SDP of pre_accept');
    }
    const phone = this.#phoneOf(call);
    const known = call.preAcceptSdp !== undefined;
    call.opaque = opaque ?? call.opaque;
    this.#pickedUp(call);
    if (!known) await this.#applyAnswer(phone, call, answer);
    await phone.accepted(call);
  }

  /** Graph `reject`. @throws GraphRefusal */
  reject(call: WaCall): void {
    this.#mayCall();
    checkAction(call, 'reject');
    this.end(call, { ...byBusiness, rejected: true });
  }

  /** Graph `terminate`. @throws GraphRefusal */
  terminate(call: WaCall): void {
    this.#mayCall();
    checkAction(call, 'terminate');
    this.end(call, byBusiness);
  }

  /** The user's phone rings. */
  rings(call: WaCall): void {
    if (call.state !== 'offered') return;
    this.options.send(statusEvent(this.number, call, 'RINGING', this.options.clock.now()));
  }

  /** The user picks up a business-initiated call. */
  userAccepts(call: WaCall): void {
    if (call.state !== 'offered') return;
    this.#pickedUp(call);
    this.options.send(statusEvent(this.number, call, 'ACCEPTED', this.options.clock.now()));
  }

  /** The user declines a business-initiated call: REJECTED, then terminate. */
  userRejects(call: WaCall): void {
    if (call.state !== 'offered') return;
    this.options.send(statusEvent(this.number, call, 'REJECTED', this.options.clock.now()));
    this.end(call, { by: 'user', status: 'COMPLETED', rejected: true, timedOut: false });
  }

  /** Ends a call, whatever its state, and sends the terminate webhook. Idempotent. */
  end(call: WaCall, end: WaCallEnd): void {
    if (call.state === 'ended') return;
    call.state = 'ended';
    call.end = end;
    call.endedAt = this.options.clock.now();
    this.#timers.get(call.id)?.cancel();
    this.#timers.delete(call.id);
    if (!this.#stopped) this.options.send(terminateEvent(this.number, call, this.options.clock.now()));
    this.#phones.get(call.userWaId)?.ended(call, end);
    if (!this.#stopped) this.#afterCall(call, end);
  }

  /** What a call that is over does to the permission (Meta's permission page). */
  #afterCall(call: WaCall, end: WaCallEnd): void {
    const { userWaId, direction, acceptedAt } = call;
    const permission = this.permissionOf(userWaId);
    if (direction === 'USER_INITIATED') {
      const isNew = this.permissionStatusOf(userWaId) === 'no_permission';
      if (isNew && this.settings.callbackPermission) {
        this.decidePermission(userWaId, 'temporary', call.id, 'automatic');
      }
      return;
    }
    const rangOut = acceptedAt === undefined && end.error === undefined;
    if (rangOut && permission.unanswered()) this.decidePermission(userWaId, 'no_permission', undefined, 'automatic');
  }

  /** Ends every call without a word to the business. */
  stop(): void {
    this.#stopped = true;
    for (const call of this.calls.all()) this.end(call, { ...byBusiness, by: 'network' });
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  #mayCall(): void {
    if (!this.settings.callingEnabled) throw callingNotEnabled();
    if (this.settings.sipEnabled) throw sipModeNumber();
  }

  #phoneOf(call: WaCall): PhoneLine {
    const phone = this.#phones.get(call.userWaId);
    if (!phone) throw invalidParameter('the call has ended already');
    return phone;
  }

  #pickedUp(call: WaCall): void {
    call.state = 'accepted';
    call.acceptedAt = this.options.clock.now();
    const permission = this.permissionOf(call.userWaId);
    if (call.direction === 'BUSINESS_INITIATED') permission.connected(call.acceptedAt);
    else permission.talked();
    this.#timers.get(call.id)?.cancel();
    this.#timers.delete(call.id);
  }

  #expectAnswer(call: WaCall): void {
    const timer = this.options.clock.after(this.options.answerWindowMs, () =>
      this.end(call, { by: 'network', status: 'COMPLETED', rejected: false, timedOut: true }),
    );
    this.#timers.set(call.id, timer);
  }

  /** An SDP that passed our checks and yet cannot be applied: Meta ends the call with 138007's cousin 138008. */
  async #applyAnswer(phone: PhoneLine, call: WaCall, answer: string): Promise<void> {
    try {
      await phone.mediaAnswered(call, answer);
    } catch (error) {
      this.#mediaFailed(call, error);
      throw new GraphRefusal(400, 138008, 'SDP Validation error', String(error));
    }
  }

  async #relayAnswers(phone: PhoneLine, call: WaCall, offer: string): Promise<void> {
    try {
      const answer = await phone.offered(call, offer);
      if (call.state === 'ended') return;
      const session = { sdp_type: 'answer', sdp: answer } as const;
      this.options.send(connectEvent(this.number, call, session, phone.profileName, this.options.clock.now()));
      this.rings(call);
    } catch (error) {
      this.#mediaFailed(call, error);
    }
  }

  #mediaFailed(call: WaCall, error: unknown): void {
    const fault = { code: 138008, message: 'SDP Validation error', details: String(error) };
    this.end(call, { by: 'network', status: 'FAILED', rejected: false, timedOut: false, error: fault });
  }
}
