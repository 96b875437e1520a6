import { endReason, type EndReason } from '../call/end-reason.js';
import type { OrphanDialog } from '../call/journal.js';
import type { LegEvent, LegFacts, OriginatingLeg } from '../call/leg.js';
import type { LegQuality } from '../call/media-quality.js';
import type { CallStep } from '../call/observer.js';
import { assertNever } from '../lib/assert-never.js';
import type { Timer } from '../lib/clock.js';
import type { CallId } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import type { MediaEndpointEvent } from '../media/media-engine.js';
import { observeMedia } from '../media/observe-media.js';
import type { Trunk } from '../routing/types.js';
import type { ChallengedRefresh } from './digest/challenged-refresh.js';
import type { Credentials } from './digest/trunk-login.js';
import type { SrfDialog, SrfMessage, SrfRequest, SrfResponse } from './drachtio-types.js';
import { answerUpdateBeforeAnswer } from './early-session.js';
import { InboundInvite, type AnswerOutcome } from './inbound-invite.js';
import {
  inboundTransition,
  type InboundLegEffect,
  type InboundLegEvent,
  type InboundLegState,
} from './inbound-leg-machine.js';
import { LegJournal } from './leg-journal.js';
import { LegMedia, reasonOfOfferError } from './leg-media.js';
import { LegReporter } from './leg-reporter.js';
import { MachineRunner } from '../lib/machine-runner.js';
import { sdpOf } from './session-body.js';
import { reasonOfCancel } from './sip-cause.js';
import type { SipDialog, SipDialogEvent } from './sip-dialog.js';
import { reasonHeader } from './sip-headers.js';
import { mediaNetworks, type SipLegContext } from './sip-leg-context.js';
import { srtpOf } from './srtp-policy.js';
import { standingDialog } from './standing-dialog.js';
import { takeReferral, type DialogIds, type Referral } from './transfer/referral.js';

export interface InboundLegOptions {
  readonly call: CallId;
  readonly trunk: Trunk;
  readonly request: SrfRequest;
  readonly response: SrfResponse;
  /** What is told of the caller, for records. */
  readonly about?: LegFacts;
  /** Called once the offer is known to be usable; before that nobody hears of the call. */
  readonly onReady: () => void;
  /** A REFER came in its dialog. */
  readonly onReferral?: (referral: Referral) => void;
  /** Called once, when the leg is over. */
  readonly onOver: () => void;
}

/** The SIP leg on which a PBX's call arrived. */
export class InboundSipLeg implements OriginatingLeg {
  readonly kind = 'sip';
  readonly #invite: InboundInvite;
  readonly #media: LegMedia;
  readonly #journal: LegJournal;
  readonly #reporter = new LegReporter();
  readonly #machine: MachineRunner<InboundLegState, InboundLegEvent, InboundLegEffect>;
  readonly #hasOffer: boolean;
  /** Our answer, or our offer if the INVITE came without one (RFC 3261 §13.2.1). */
  #localSdp = '';
  #dialog: SipDialog | undefined;
  #byeReason: EndReason | undefined;
  #wireTimer: Timer | undefined;

  constructor(
    private readonly context: SipLegContext,
    private readonly options: InboundLegOptions,
    private readonly logger: Logger,
  ) {
    const { engine, clock, timeouts } = context;
    const { call, request, response } = options;
    this.#invite = new InboundInvite(context, call, request, response, logger);
    this.#media = new LegMedia({ engine, clock, logger, mediaMs: timeouts.mediaMs });
    this.#journal = new LegJournal(context, logger, call);
    this.#hasOffer = sdpOf(request) !== '';
    this.#machine = new MachineRunner<InboundLegState, InboundLegEvent, InboundLegEffect>(
      'preparing',
      inboundTransition,
      (effect) => this.#perform(effect),
      (err, effect) => this.#faulted(err, effect),
    );
  }

  get mediaId(): string | undefined {
    return this.#media.id;
  }

  get facts(): LegFacts {
    const { request, trunk, about } = this.options;
    const { source_address: remoteAddress } = request;
    return { ...about, ...this.#media.facts, sipCallId: this.#invite.callId, trunk: trunk.name, remoteAddress };
  }

  /** Takes the offer, before anything else is done for the call. */
  start(): void {
    const { request } = this.options;
    this.#step('sip.invite', { direction: 'in', from: request.source_address, trunk: this.options.trunk.name });
    this.#journal.invited(this.#invite.callId, this.#invite.fromTag, request.stackTxnId);
    request.on('cancel', (cancel) => this.cancelled(cancel));
    request.on('update', answerUpdateBeforeAnswer);
    void this.#prepare();
  }

  /** A CANCEL came for the INVITE; the SIP server has answered both. */
  cancelled(cancel: SrfMessage): void {
    this.#step('sip.cancel', { direction: 'in' });
    this.#machine.post({ type: 'cancelled', reason: reasonOfCancel(cancel) });
  }

  get quality(): LegQuality | undefined {
    return this.#media.quality;
  }

  listen(listener: (event: LegEvent) => void): void {
    this.#reporter.listen(listener);
  }

  /** The SIP server has sent 100 already. */
  trying(): void {
    this.logger.debug('call is being routed');
  }

  ring(dialled: LegFacts = {}): void {
    this.#invite.dialled = dialled;
    this.#machine.post({ type: 'ring' });
  }

  answer(dialled: LegFacts = this.#invite.dialled): void {
    this.#invite.dialled = dialled;
    this.#machine.post({ type: 'answer' });
  }

  reject(reason: EndReason, dialled: LegFacts = this.#invite.dialled): void {
    this.#invite.dialled = dialled;
    this.#machine.post({ type: 'reject', reason });
  }

  hangup(reason: EndReason): void {
    this.#machine.post({ type: 'hangup', reason });
  }

  get dialogIds(): DialogIds | undefined {
    return this.#dialog?.ids;
  }

  answerRefresh(refresh: ChallengedRefresh): Credentials | undefined {
    return this.#dialog?.answerRefresh(refresh);
  }

  get orphan(): OrphanDialog | undefined {
    return this.#journal.orphan;
  }

  /** The connection to the SIP server is gone. */
  linkLost(): void {
    this.#dialog?.abandon();
    const reason = endReason('trunk_down', { text: 'connection to the SIP server lost' });
    this.#machine.post({ type: 'linkLost', reason });
  }

  #perform(effect: InboundLegEffect): void {
    switch (effect.type) {
      case 'announce':
        return this.options.onReady();
      case 'sendRinging':
        return this.#invite.ring();
      case 'sendAnswer':
        return this.#invite.answer(this.#localSdp, (outcome) => this.#fromAnswer(outcome));
      case 'sendRefusal':
        return this.#invite.refuse(effect.reason, this.options.trunk.codecs, () => {
          this.#machine.post({ type: 'wireDone' });
        });
      case 'awaitAck':
        return this.#awaitAck(effect.reason);
      case 'sendBye':
        return this.#sendBye(this.#byeReason ?? effect.reason);
      case 'closeMedia':
        return this.#closeMedia();
      case 'report':
        return this.#report(effect.event);
      default:
        assertNever(effect, 'leg effect');
    }
  }

  /** An effect that throws must not leave the leg waiting for what will never come. */
  #faulted(err: unknown, effect: InboundLegEffect): void {
    this.logger.error('leg effect failed', { effect: effect.type, err });
    const reason = endReason('internal', { text: 'fault in the bridge' });
    if (effect.type === 'announce') this.#machine.post({ type: 'unusable', reason });
    else if (effect.type === 'sendAnswer') this.#machine.post({ type: 'answerFailed', reason });
    else if (effect.type !== 'report') this.#machine.post({ type: 'wireDone' });
  }

  async #prepare(): Promise<void> {
    try {
      const { call, trunk, request } = this.options;
      const localAddress = await this.#invite.localAddress();
      const remoteNetworks = mediaNetworks(this.context, trunk, [request.source_address]);
      const address = localAddress === undefined ? {} : { localAddress };
      const symmetricRtp = trunk.symmetricRtp ?? false;
      const srtp = srtpOf(trunk, request.protocol);
      await this.#media.open(
        { call, codecs: trunk.codecs, dtmf: trunk.dtmf, remoteNetworks, symmetricRtp, ...srtp, ...address },
        (event) => this.#fromMedia(event),
      );
      this.#localSdp = this.#hasOffer ? await this.#media.answer(sdpOf(request)) : await this.#media.offer();
      this.#machine.post({ type: 'prepared' });
    } catch (err) {
      const reason = reasonOfOfferError(err);
      this.logger.info('offer of the PBX not usable', { code: reason.code, err });
      this.#machine.post({ type: 'unusable', reason });
    }
  }

  #fromAnswer(outcome: AnswerOutcome): void {
    switch (outcome.type) {
      case 'established':
        return this.#established(outcome.dialog);
      case 'cancelled':
        return this.#machine.post({ type: 'cancelled', reason: endReason('cancelled') });
      case 'failed':
        return this.#machine.post({ type: 'answerFailed', reason: endReason('internal', { text: outcome.text }) });
      default:
        assertNever(outcome, 'outcome of a 200');
    }
  }

  #established(dialog: SrfDialog): void {
    const { trunk, request } = this.options;
    this.#dialog = standingDialog(this.context, {
      ...{ dialog, media: this.#media, trunk, logger: this.logger, peerAddress: request.source_address },
      onEvent: (event) => this.#fromDialog(event),
    });
    this.#journal.established(dialog);
    // The SIP server hangs up a dialog without ACK itself (RFC 3261 §13.3.1.4); this is the back stop.
    this.#arm(this.context.timeouts.ackMs, () => {
      this.#machine.post({ type: 'remoteEnded', reason: endReason('unavailable', { text: 'no ACK', q850: 102 }) });
    });
  }

  #fromDialog(event: SipDialogEvent): void {
    switch (event.type) {
      case 'acked':
        return this.#acked(event.sdp);
      case 'ended':
        this.#step('sip.bye', { direction: 'in' });
        this.#journal.ended(this.#invite.callId);
        return this.#machine.post({ type: 'remoteEnded', reason: event.reason });
      case 'referred':
        return takeReferral(event.referral, this.options.onReferral);
      case 'held':
      case 'resumed':
      case 'dtmf':
        if (this.#machine.state === 'confirmed') this.#reporter.report(event);
        return;
      default:
        assertNever(event, 'dialog event');
    }
  }

  #acked(sdp: string | undefined): void {
    this.#wireTimer?.cancel();
    this.#step('sip.ack', { direction: 'in' });
    if (this.#hasOffer) this.#machine.post({ type: 'acked' });
    else void this.#applyAnswer(sdp);
  }

  /** Our offer went out in the 200; the ACK must bring the answer (RFC 3261 §13.2.1). */
  async #applyAnswer(sdp: string | undefined): Promise<void> {
    try {
      if (sdp === undefined) throw new Error('ACK without SDP');
      await this.#media.accept(sdp);
      this.#machine.post({ type: 'acked' });
    } catch (err) {
      this.logger.warn('answer in ACK unusable', { err });
      this.#machine.post({ type: 'ackUnusable', reason: endReason('no_codec', { text: 'unusable answer in ACK' }) });
    }
  }

  #fromMedia(event: MediaEndpointEvent): void {
    observeMedia(this.context.observer, this.options.call, 'pbx', event);
    if (event.type === 'dtmf') this.#dialog?.sendDtmf(event.digit, event.durationMs);
    if (event.type === 'failed') this.#machine.post({ type: 'mediaFailed', reason: event.reason });
  }

  #awaitAck(reason: EndReason): void {
    this.#byeReason = reason;
    this.#invite.stop();
    void this.#media.close();
    this.#arm(this.context.timeouts.ackMs, () => this.#machine.post({ type: 'wireDone' }));
  }

  #sendBye(reason: EndReason): void {
    void this.#media.close();
    const dialog = this.#dialog;
    if (!dialog) return this.#machine.post({ type: 'wireDone' });
    void this.#journal.hangUp(dialog, { reasonHeader: reasonHeader(reason) }).then(() => {
      this.#machine.post({ type: 'wireDone' });
    });
  }

  #closeMedia(): void {
    this.#invite.stop();
    this.#wireTimer?.cancel();
    void this.#media.close().then(() => this.#machine.post({ type: 'mediaClosed' }));
  }

  #arm(delayMs: number, callback: () => void): void {
    this.#wireTimer?.cancel();
    this.#wireTimer = this.context.clock.after(delayMs, callback);
  }

  #step(step: CallStep, detail?: Readonly<Record<string, string | number | boolean>>): void {
    this.context.observer.step(this.options.call, step, detail);
  }

  #report(event: LegEvent): void {
    if (event.type === 'terminated') {
      this.#journal.closed();
      this.options.onOver();
    }
    this.#reporter.report(event);
  }
}
