import { BridgeError } from '../../lib/bridge-error.js';
import { deferred, type Deferred } from '../../lib/deferred.js';
import { withDeadline } from '../../lib/deadline.js';
import type { WaCall, WaCallEnd } from '../graph/call-book.js';
import type { Exchange, PhoneLine } from '../graph/exchange.js';
import type { PermissionStatus } from '../graph/permissions.js';
import { fromBusiness, prepareLocalOffer, toMetaForm } from '../meta-sdp.js';

/** What the page is told, as it happens. */
export type PageEvent =
  /** The business calls; the page answers the SDP at once and rings. */
  | { readonly type: 'incoming'; readonly call: string; readonly sdp: string }
  /** The business's answer to the page's offer. */
  | { readonly type: 'answer'; readonly call: string; readonly sdp: string }
  /** Both may talk. */
  | { readonly type: 'accepted'; readonly call: string }
  | { readonly type: 'ended'; readonly call: string; readonly why: string }
  /** The business asks whether it may call. */
  | { readonly type: 'asked'; readonly text: string }
  | { readonly type: 'permission'; readonly status: PermissionStatus };

/** What the page asked for does not fit what is going on. */
export class PageRequestError extends BridgeError {
  constructor(
    message: string,
    readonly status: 400 | 404 | 409 = 409,
  ) {
    super('SIP2WA_SANDBOX_PAGE', message);
  }
}

/** A browser takes a moment for its candidates, and the user for leave to use the microphone. */
const pageDeadlineMs = 15_000;

interface PageCall {
  readonly call: WaCall;
  /** Settles with the page's answer to an offer, or as soon as it has applied an answer. */
  awaited: Deferred<string> | undefined;
}

/** A user's WhatsApp in a browser: the page has the microphone and the WebRTC, this end joins it to the exchange. */
export class BrowserPhone implements PhoneLine {
  /** Set by whoever has a page open. */
  tell: ((event: PageEvent) => void) | undefined;
  readonly #calls = new Map<string, PageCall>();

  constructor(
    private readonly exchange: Exchange,
    readonly waId: string,
    readonly profileName: string,
  ) {
    exchange.attach(this, 'no_permission');
  }

  get permission(): PermissionStatus {
    return this.exchange.permissionStatusOf(this.waId);
  }

  /** The page's own offer as its browser has to set it: with the traits of Meta's. @throws PageRequestError */
  prepare(offer: string): string {
    return understood(() => prepareLocalOffer(offer, this.exchange.settings.additionalCodecs));
  }

  /** Calls the business. @throws GraphRefusal if it cannot be called now, PageRequestError for an SDP that is no offer */
  call(sdp: string): string {
    const call = this.exchange.userCalls(
      this,
      understood(() => this.#metaForm(sdp)),
    );
    this.#calls.set(call.id, { call, awaited: undefined });
    return call.id;
  }

  #metaForm(sdp: string): string {
    return toMetaForm(sdp, 'every', this.exchange.settings.additionalCodecs);
  }

  /** The page's answer to an offer of the business. @throws PageRequestError */
  answer(callId: string, sdp: string): void {
    this.#expected(callId).resolve(understood(() => this.#metaForm(sdp)));
  }

  /** The page has set the business's answer; a call that is over meanwhile has no use for it. */
  applied(callId: string): void {
    this.#calls.get(callId)?.awaited?.resolve('');
  }

  /** @throws PageRequestError */
  accept(callId: string): void {
    const { call } = this.#find(callId);
    this.exchange.userAccepts(call);
    this.tell?.({ type: 'accepted', call: callId });
  }

  /** @throws PageRequestError */
  decline(callId: string): void {
    this.exchange.userRejects(this.#find(callId).call);
  }

  /** @throws PageRequestError */
  hangUp(callId: string): void {
    const { call } = this.#find(callId);
    this.exchange.end(call, { by: 'user', status: 'COMPLETED', rejected: false, timedOut: false });
  }

  /** The browser lost its media, or never had it. */
  failed(callId: string): void {
    const call = this.#calls.get(callId)?.call;
    if (!call) return;
    const message = 'Client could not reach the relay';
    const error = { code: 138020, message, details: message };
    this.exchange.end(call, { by: 'network', status: 'FAILED', rejected: false, timedOut: false, error });
  }

  decide(status: PermissionStatus): void {
    this.exchange.decidePermission(this.waId, status);
    this.tell?.({ type: 'permission', status });
  }

  /** The page is gone: what it had is over. */
  leave(): void {
    this.tell = undefined;
    for (const { call } of this.#calls.values()) this.hangUp(call.id);
  }

  offered(call: WaCall, offer: string): Promise<string> {
    const sdp = fromBusiness(offer);
    return this.#ask(call, { type: 'incoming', call: call.id, sdp });
  }

  async mediaAnswered(call: WaCall, answer: string): Promise<void> {
    await this.#ask(call, { type: 'answer', call: call.id, sdp: fromBusiness(answer) });
  }

  accepted(call: WaCall): Promise<void> {
    this.tell?.({ type: 'accepted', call: call.id });
    return Promise.resolve();
  }

  asked(text: string): void {
    this.tell?.({ type: 'asked', text });
  }

  ended(call: WaCall, end: WaCallEnd): void {
    this.#calls.get(call.id)?.awaited?.reject(new PageRequestError('the call is over'));
    this.#calls.delete(call.id);
    this.tell?.({ type: 'ended', call: call.id, why: whyEnded(end) });
    this.tell?.({ type: 'permission', status: this.permission });
  }

  /** Tells the page and waits for what it does about it. @throws PageRequestError, DeadlineError */
  #ask(call: WaCall, event: PageEvent): Promise<string> {
    if (!this.tell) throw new PageRequestError('no page is open: the user is offline');
    const awaited = deferred<string>();
    const known = this.#calls.get(call.id);
    if (known) known.awaited = awaited;
    else this.#calls.set(call.id, { call, awaited });
    this.tell(event);
    return withDeadline(awaited.promise, pageDeadlineMs, 'the page');
  }

  #find(callId: string): PageCall {
    const found = this.#calls.get(callId);
    if (!found) throw new PageRequestError('there is no such call any more', 404);
    return found;
  }

  #expected(callId: string): Deferred<string> {
    const { awaited } = this.#find(callId);
    if (!awaited) throw new PageRequestError('nothing is awaited in this call');
    return awaited;
  }
}

function whyEnded({ by, rejected, timedOut, error }: WaCallEnd): string {
  if (error) return `${error.message} (${error.code})`;
  if (timedOut) return 'Nobody answered';
  if (rejected) return by === 'user' ? 'Declined' : 'The business declined';
  return by === 'user' ? 'You hung up' : 'The business hung up';
}

/** What the page sends is a browser's SDP, or somebody plays with it. */
function understood(read: () => string): string {
  try {
    return read();
  } catch (error) {
    throw new PageRequestError(`SDP: ${error instanceof Error ? error.message : String(error)}`, 400);
  }
}
