import type { EndReason } from '../call/end-reason.js';
import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import type { PbxCodec } from '../routing/types.js';
import { RefreshLogin, type ChallengedRefresh } from './digest/challenged-refresh.js';
import type { Credentials, TrunkLogin } from './digest/trunk-login.js';
import {
  respondByTransaction,
  type SrfApi,
  type SrfDialog,
  type SrfHeaders,
  type SrfRequest,
  type SrfResponse,
} from './drachtio-types.js';
import { requestInDialog } from './in-dialog-request.js';
import { dtmfContentTypes, InfoKeys, parseInfoDtmf } from './dtmf-relay.js';
import { screenRenegotiation, screenRequire } from './invite-screen.js';
import { reasonOfOfferError, type LegMedia } from './leg-media.js';
import { holdsUs } from './offer-direction.js';
import { sdpOf } from './session-body.js';
import { reasonOfBye, refusalStatus } from './sip-cause.js';
import { allowedMethods, refusalHeaders } from './sip-headers.js';
import type { DialogIds, Referral } from './transfer/referral.js';

/** What happens inside a dialog. */
export type SipDialogEvent =
  /** The ACK to our first 200; its body answers an offer of ours. */
  | { readonly type: 'acked'; readonly sdp: string | undefined }
  | { readonly type: 'ended'; readonly reason: EndReason }
  | { readonly type: 'held' }
  | { readonly type: 'resumed' }
  | { readonly type: 'dtmf'; readonly digit: string; readonly durationMs: number }
  | { readonly type: 'referred'; readonly referral: Referral };

export interface SipDialogOptions {
  readonly srf: SrfApi;
  readonly dialog: SrfDialog;
  readonly media: LegMedia;
  readonly codecs: readonly PbxCodec[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly byeMs: number;
  /** How long an offer of ours may wait for its answer in the ACK. */
  readonly ackMs: number;
  /** A fresh login, to answer the challenges to one request of ours; undefined if there is none. */
  readonly login: () => TrunkLogin | undefined;
  readonly onEvent: (event: SipDialogEvent) => void;
}

/** Seconds to wait after a re-INVITE that overlaps another (RFC 3261 §14.2 asks for 0 to 10). */
const overlapRetryS = '2';

/**
 * One SIP dialog that stands. Whatever the PBX asks in it (hold, refresh, UPDATE, INFO) is answered here at once; WhatsApp's
 * leg never sees any of it.
 */
export class SipDialog {
  /** `answering`: a new description is being worked on; `awaitingAnswer`: our offer is out, its answer comes in the ACK. */
  #negotiation: 'stable' | 'answering' | 'awaitingAnswer' = 'stable';
  /** The re-INVITE whose ACK brings the answer, by its number: an ACK of an earlier one may come once more. */
  #offered = { to: 0, untilMs: Number.POSITIVE_INFINITY };
  #initialAckSeen = false;
  #held = false;
  #over = false;
  #byeCrossed: (() => void) | undefined;
  readonly #refreshes: RefreshLogin;
  readonly #keys: InfoKeys;

  constructor(private readonly options: SipDialogOptions) {
    const { dialog } = options;
    this.#refreshes = new RefreshLogin(options.login);
    this.#keys = new InfoKeys((contentType, body, done) => {
      if (this.#over) return done(undefined);
      requestInDialog(options, { method: 'INFO', headers: { 'Content-Type': contentType }, body }, done);
    }, options.logger);
    this.#initialAckSeen = dialog.type === 'uac';
    if (!this.#initialAckSeen && sdpOf(dialog.req) === '') this.#negotiation = 'awaitingAnswer';
    dialog.on('ack', (ack) => this.#guarded(() => this.#acked(ack)));
    dialog.on('destroy', (bye) => this.#guarded(() => this.#destroyed(bye)));
    this.#answerWith('modify', (request, response) => this.#renegotiation(request, response));
    this.#answerWith('update', (request, response) => this.#renegotiation(request, response));
    this.#answerWith('info', (request, response) => this.#info(request, response));
    this.#answerWith('options', (_request, response) => response.send(200, { headers: { Allow: allowedMethods } }));
    this.#answerWith('refer', (request, response) => this.#referred(request, response));
    for (const method of ['message', 'notify', 'publish'] as const) {
      this.#answerWith(method, (_request, response) => response.send(405, { headers: { Allow: allowedMethods } }));
    }
  }

  get sipCallId(): string {
    return this.options.dialog.sip.callId;
  }

  get ids(): DialogIds {
    return this.options.dialog.sip;
  }

  /**
   * Sends BYE, once, after `pauseMs` if given; a BYE of the far end meanwhile makes it needless. Resolves with its final
   * status, or `undefined` when none came in time or it could not be sent; the dialog is over either way. Never rejects.
   */
  bye(reasonHeader: string, pauseMs = 0): Promise<number | undefined> {
    if (this.#over) return Promise.resolve(undefined);
    this.#over = true;
    const { clock, byeMs } = this.options;
    return new Promise((resolve) => {
      const done = (status: number | undefined): void => {
        timer.cancel();
        pause?.cancel();
        this.#release();
        resolve(status);
      };
      const timer = clock.after(pauseMs + byeMs, () => done(undefined));
      const headers = { Reason: reasonHeader };
      const pause = pauseMs > 0 ? clock.after(pauseMs, () => this.#sendBye(headers, done)) : undefined;
      this.#byeCrossed = () => done(200);
      if (pauseMs === 0) this.#sendBye(headers, done);
    });
  }

  /** Tells the PBX of a key by INFO. */
  sendDtmf(digit: string, durationMs: number): void {
    if (!this.#over) this.#keys.press(digit, durationMs);
  }

  #sendBye(headers: SrfHeaders, done: (status: number | undefined) => void): void {
    requestInDialog(this.options, { method: 'BYE', headers }, done);
  }

  /** The credentials for a session refresh of the SIP server's in this dialog; undefined if it is not to be repeated. */
  answerRefresh(refresh: ChallengedRefresh): Credentials | undefined {
    return this.#over ? undefined : this.#refreshes.answer(refresh);
  }

  /** Forgets the dialog without a word on the wire: the link to the SIP server took it along. */
  abandon(): void {
    this.#over = true;
    this.#release();
  }

  #release(): void {
    this.options.dialog.removeAllListeners();
    this.options.srf.removeDialog(this.options.dialog);
  }

  #answerWith(
    method: 'modify' | 'update' | 'info' | 'options' | 'refer' | 'message' | 'notify' | 'publish',
    answer: (request: SrfRequest, response: SrfResponse) => void,
  ): void {
    this.options.dialog.on(method, (request, response) => {
      this.#guarded(() => {
        if (this.#over) return response.send(481);
        const refusal = screenRequire(request);
        if (refusal) return response.send(refusal.status, { headers: refusal.headers });
        answer(request, response);
      }, response);
    });
  }

  /** No throw of ours may reach srf: it would be printed and answered in srf's own words. */
  #guarded(work: () => void, response?: SrfResponse): void {
    try {
      work();
    } catch (err) {
      this.options.logger.error('request in a dialog failed', { err });
      if (response && !response.finalResponseSent) response.send(500);
    }
  }

  #destroyed(bye: SrfRequest): void {
    // Both sides hung up, or the SIP server had done so itself after a crossed CANCEL: over is over.
    if (this.#byeCrossed) return this.#byeCrossed();
    this.#over = true;
    this.options.onEvent({ type: 'ended', reason: reasonOfBye(bye) });
  }

  #acked(ack: SrfRequest): void {
    const described = sdpOf(ack);
    const sdp = described === '' ? undefined : described;
    if (!this.#initialAckSeen) {
      this.#initialAckSeen = true;
      this.#negotiation = 'stable';
      if (sdp !== undefined) this.#noteHold(sdp);
      this.options.onEvent({ type: 'acked', sdp });
    } else if (this.#negotiation === 'awaitingAnswer' && sequenceOf(ack) === this.#offered.to) {
      this.#negotiation = 'stable';
      if (sdp !== undefined) void this.#applyAnswer(sdp);
      else this.options.logger.warn('no answer to our offer, the old session stays');
    }
  }

  async #applyAnswer(sdp: string): Promise<void> {
    try {
      await this.options.media.accept(sdp);
      this.#noteHold(sdp);
    } catch (err) {
      this.options.logger.warn('answer to our offer unusable, the old session stays', { err });
    }
  }

  #renegotiation(request: SrfRequest, response: SrfResponse): void {
    this.#renegotiate(request, response).catch((err: unknown) => {
      this.options.logger.error('new description not answered', { err });
    });
  }

  /** Re-INVITE or UPDATE (RFC 3261 §14.2, RFC 3311 §5.2). */
  async #renegotiate(request: SrfRequest, response: SrfResponse): Promise<void> {
    if (this.#negotiation === 'answering') {
      return response.send(500, { headers: { 'Retry-After': overlapRetryS } });
    }
    const offer = sdpOf(request);
    const refusal = screenRenegotiation(request);
    if (refusal) return response.send(refusal.status, { headers: refusal.headers });
    if (offer === '' && request.method === 'UPDATE') return this.#accept(response, undefined);
    if (this.#isOfferOpen()) return response.send(491);
    this.#negotiation = 'answering';
    try {
      const { media } = this.options;
      const sdp = offer === '' ? await media.offer() : await media.answer(offer);
      this.#negotiation = offer === '' ? 'awaitingAnswer' : 'stable';
      this.#offered = { to: sequenceOf(request), untilMs: this.options.clock.monotonicMs() + this.options.ackMs };
      if (this.#over) return response.send(481);
      this.#accept(response, sdp);
      if (offer !== '') this.#noteHold(offer);
    } catch (err) {
      this.#negotiation = 'stable';
      this.#refuse(response, err);
    }
  }

  /** Our own offer is still to be answered. A drachtio-server waits for an ACK that does not come for ever; we do not. */
  #isOfferOpen(): boolean {
    return this.#negotiation === 'awaitingAnswer' && this.options.clock.monotonicMs() < this.#offered.untilMs;
  }

  #accept(response: SrfResponse, sdp: string | undefined): void {
    const headers = { Contact: this.options.dialog.local.contact };
    if (sdp === undefined) response.send(200, { headers });
    else response.send(200, { headers: { ...headers, 'Content-Type': 'application/sdp' }, body: sdp });
  }

  /** The session stays as it was before the offer (RFC 3261 §14.2). */
  #refuse(response: SrfResponse, err: unknown): void {
    const reason = reasonOfOfferError(err);
    this.options.logger.info('new description refused', { code: reason.code, text: reason.text });
    if (response.finalResponseSent) return;
    if (this.#over) return response.send(481);
    response.send(refusalStatus(reason), { headers: refusalHeaders(reason, this.options.codecs) });
  }

  #referred(request: SrfRequest, response: SrfResponse): void {
    const { contact } = this.options.dialog.local;
    const notify: Referral['notify'] = (headers, body, done) => {
      if (this.#over) return done(undefined);
      requestInDialog(this.options, { method: 'NOTIFY', headers: { Contact: contact, ...headers }, body }, done);
    };
    this.options.onEvent({ type: 'referred', referral: { request, response, contact, notify } });
  }

  #noteHold(sdp: string): void {
    const held = holdsUs(sdp);
    if (held === this.#held) return;
    this.#held = held;
    this.options.onEvent({ type: held ? 'held' : 'resumed' });
  }

  #info(request: SrfRequest, response: SrfResponse): void {
    const body = request.body ?? '';
    if (request.has('Info-Package')) return this.#refuseInfoPackage(request);
    const dtmf = parseInfoDtmf(request.get('Content-Type'), body);
    if (dtmf) {
      response.send(200);
      this.options.onEvent({ type: 'dtmf', ...dtmf });
    } else if (body === '') {
      response.send(200); // a keep-alive (RFC 6086 §4.2.2 lets an empty INFO pass)
    } else {
      response.send(415, { headers: { Accept: dtmfContentTypes } });
    }
  }

  /** 469, RFC 6086 §4.2.2. srf does not know the status; which packages we take is said by naming none. */
  #refuseInfoPackage({ stackTxnId }: SrfRequest): void {
    if (stackTxnId === undefined) return;
    respondByTransaction(this.options.srf, stackTxnId, 469, { 'Recv-Info': '' }, (isSent) => {
      if (!isSent) this.options.logger.warn('INFO of a package not answered');
    });
  }
}

const sequenceOf = (request: SrfRequest): number => request.getParsedHeader('cseq').seq;
