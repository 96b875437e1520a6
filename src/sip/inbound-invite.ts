import type { EndReason } from '../call/end-reason.js';
import type { LegFacts } from '../call/leg.js';
import type { Timer } from '../lib/clock.js';
import type { CallId } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import type { PbxCodec } from '../routing/types.js';
import { isSipError, type SrfDialog, type SrfHeaders, type SrfRequest, type SrfResponse } from './drachtio-types.js';
import { tagOf } from './header-list.js';
import { dialPlanHeaders } from './invite-headers.js';
import { isUnspecified } from './ip-network.js';
import { acceptedBodies } from './session-body.js';
import { refusalStatus } from './sip-cause.js';
import { allowedMethods, refusalHeaders, supportedOptions } from './sip-headers.js';
import type { SipLegContext } from './sip-leg-context.js';

/** What came of a 200. */
export type AnswerOutcome =
  | { readonly type: 'established'; readonly dialog: SrfDialog }
  /** A CANCEL was first: the SIP server has sent 487 by itself and knows the transaction no more. */
  | { readonly type: 'cancelled' }
  | { readonly type: 'failed'; readonly text: string };

/** One INVITE of a PBX's, from its arrival to the final response. */
export class InboundInvite {
  /** What is known of the WhatsApp side, for the dial plan that placed the call. */
  dialled: LegFacts = {};
  #timer: Timer | undefined;

  constructor(
    private readonly context: SipLegContext,
    private readonly call: CallId,
    private readonly request: SrfRequest,
    private readonly response: SrfResponse,
    private readonly logger: Logger,
  ) {}

  get callId(): string {
    return this.request.get('Call-ID') ?? '';
  }

  get fromTag(): string {
    return tagOf(this.request.get('From'));
  }

  /** The address that the PBX called; behind a wildcard listener the one from which the PBX is reached. */
  localAddress(): Promise<string | undefined> {
    const { receivedOn, source_address: source } = this.request;
    const host = receivedOn?.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
    if (host !== undefined && host !== '' && !isUnspecified(host)) return Promise.resolve(host);
    return this.context.localAddressFor(source);
  }

  /** Sends 180. */
  ring(): void {
    this.#step('sip.ringing', 180);
    // The embedded server makes it reliable by itself where the PBX insists; a drachtio-server has to be told.
    const reliable = /\b100rel\b/i.test(this.request.get('Require') ?? '') ? { Require: '100rel' } : {};
    this.response.send(180, { headers: { ...this.#dialPlanHeaders(), ...reliable, Allow: allowedMethods } });
  }

  /** Sends 200 with our SDP. A dialog may stand even after a failure to send in time. */
  answer(localSdp: string, onOutcome: (outcome: AnswerOutcome) => void): void {
    this.#arm(() => onOutcome({ type: 'failed', text: '200 not sent in time' }));
    this.#step('sip.answer', 200);
    const about = { Accept: acceptedBodies, 'Content-Type': 'application/sdp' };
    const knows = { Allow: allowedMethods, Supported: supportedOptions };
    const headers = { ...this.#dialPlanHeaders(), ...about, ...knows };
    this.context.srf.createUAS(this.request, this.response, { localSdp, headers }, (err, dialog) => {
      this.stop();
      if (dialog) return onOutcome({ type: 'established', dialog });
      const isGone = isSipError(err) ? err.status === 487 : /unknown transaction/.test(String(err));
      if (isGone) return onOutcome({ type: 'cancelled' });
      this.logger.warn('200 not sent', { err });
      onOutcome({ type: 'failed', text: '200 could not be sent' });
    });
  }

  /** Sends a final status for this reason; `onDone` is called when it is out, or has had its time. */
  refuse(reason: EndReason, codecs: readonly PbxCodec[], onDone: () => void): void {
    const status = refusalStatus(reason);
    this.#arm(onDone);
    this.#step('sip.refused', status);
    const headers = { ...this.#dialPlanHeaders(), ...refusalHeaders(reason, codecs) };
    this.response.send(status, { headers }, (err) => {
      if (err !== null && err !== undefined) this.logger.debug('refusal not sent', { status, err });
      onDone();
    });
  }

  /** Waits no longer for a response to be sent. Idempotent. */
  stop(): void {
    this.#timer?.cancel();
  }

  #dialPlanHeaders(): SrfHeaders {
    const { waUser, waUserId, numberId, waCallId } = this.dialled;
    const whatsApp = { numberId, callId: waCallId, direction: 'business_initiated' } as const;
    return dialPlanHeaders(this.call, { user: waUser ?? waUserId }, whatsApp);
  }

  #arm(callback: () => void): void {
    this.stop();
    this.#timer = this.context.clock.after(this.context.timeouts.responseMs, callback);
  }

  #step(step: 'sip.ringing' | 'sip.answer' | 'sip.refused', status: number): void {
    this.context.observer.step(this.call, step, { direction: 'out', status });
  }
}
