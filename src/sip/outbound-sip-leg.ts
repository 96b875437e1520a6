import { endReason, type EndReason } from '../call/end-reason.js';
import type { OrphanDialog } from '../call/journal.js';
import type { DialledLeg, LegEvent, LegFacts } from '../call/leg.js';
import type { LegQuality } from '../call/media-quality.js';
import type { CallStep } from '../call/observer.js';
import { assertNever } from '../lib/assert-never.js';
import type { Timer } from '../lib/clock.js';
import type { CallId } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import type { MediaEndpointEvent } from '../media/media-engine.js';
import { observeMedia } from '../media/observe-media.js';
import type { Target } from '../routing/types.js';
import { Answerer } from './answerer.js';
import type { ChallengedRefresh } from './digest/challenged-refresh.js';
import type { Credentials } from './digest/trunk-login.js';
import type { SrfDialog, SrfHeaders } from './drachtio-types.js';
import { composeInvite } from './compose-invite.js';
import { namedHop, prepareDial } from './dial-preparation.js';
import type { WhatsAppFacts } from './invite-headers.js';
import { newsOfInvite } from './invite-news.js';
import { LegJournal } from './leg-journal.js';
import { LegMedia, reasonOfAnswerError } from './leg-media.js';
import { LegReporter } from './leg-reporter.js';
import { MachineRunner } from '../lib/machine-runner.js';
import {
  outboundTransition,
  type OutboundLegEffect,
  type OutboundLegEvent,
  type OutboundLegState,
} from './outbound-leg-machine.js';
import { notSentReason, OutboundInvite, type InviteOutcome } from './outbound-invite.js';
import type { SipDialog, SipDialogEvent } from './sip-dialog.js';
import { reasonHeader, sipReasonHeader } from './sip-headers.js';
import type { SipLegContext } from './sip-leg-context.js';
import type { NextHop } from './next-hop.js';
import { requestUri } from './sip-uri.js';
import { standingDialog } from './standing-dialog.js';
import { takeReferral, type DialogIds, type Referral } from './transfer/referral.js';

/** What a call to a PBX is made of. */
export interface OutboundLegOptions {
  readonly call: CallId;
  readonly target: Target;
  /** The WhatsApp user who calls: the number (E.164 or wa_id) and the profile name, as they came. */
  readonly caller: { readonly user: string; readonly name: string | undefined };
  readonly whatsApp: WhatsAppFacts;
  /** Further headers of the INVITE. */
  readonly headers?: SrfHeaders;
}

/** The dialled SIP leg: an INVITE to one server of a trunk. */
export class OutboundSipLeg implements DialledLeg {
  readonly kind = 'sip';
  readonly #media: LegMedia;
  readonly #journal: LegJournal;
  readonly #reporter = new LegReporter();
  readonly #machine: MachineRunner<OutboundLegState, OutboundLegEvent, OutboundLegEffect>;
  readonly #invite: OutboundInvite;
  /** How the call is known on the wire. */
  readonly #wire: { readonly sipCallId: string; readonly localTag: string; readonly uri: string };
  readonly #answerer: Answerer;
  #offer = '';
  #nextHop: NextHop | undefined;
  #dialog: SipDialog | undefined;
  #isCancelled = false;
  #wireTimer: Timer | undefined;

  constructor(
    private readonly context: SipLegContext,
    private readonly options: OutboundLegOptions,
    private readonly logger: Logger,
    private readonly place: {
      /** The trunk has room for this call. */
      readonly isAdmitted: boolean;
      /** A REFER came in its dialog. */
      readonly onReferral?: (referral: Referral) => void;
      /** Called once, when the leg is over. */
      readonly onOver: () => void;
    },
  ) {
    const { engine, clock, ids, timeouts } = context;
    this.#media = new LegMedia({ engine, clock, logger, mediaMs: timeouts.mediaMs });
    this.#invite = new OutboundInvite(context, options.target, logger, (outcome) => this.#fromInvite(outcome));
    this.#answerer = new Answerer(this.#media, options.target.trunk.codecs, logger);
    this.#journal = new LegJournal(context, logger, options.call);
    const uri = requestUri(options.target.user, options.target.server);
    this.#wire = { sipCallId: ids.hex(16), localTag: ids.hex(8), uri };
    this.#machine = new MachineRunner<OutboundLegState, OutboundLegEvent, OutboundLegEffect>(
      'idle',
      outboundTransition,
      (effect) => this.#perform(effect),
      (err, effect) => this.#faulted(err, effect),
    );
  }

  get mediaId(): string | undefined {
    return this.#media.id;
  }

  get facts(): LegFacts {
    const { trunk, server } = this.options.target;
    const { address: remoteAddress, opaque } = this.#answerer;
    return {
      sipCallId: this.#wire.sipCallId,
      trunk: trunk.name,
      server: `${server.hostname}:${server.port}`,
      remoteAddress,
      ...this.#media.facts,
      ...(opaque !== undefined && { opaque }),
    };
  }

  get quality(): LegQuality | undefined {
    return this.#media.quality;
  }

  listen(listener: (event: LegEvent) => void): void {
    this.#reporter.listen(listener);
  }

  dial(): void {
    this.#machine.post({ type: 'dial' });
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
    this.#machine.post({ type: 'linkLost', reason: linkLostReason });
  }

  #perform(effect: OutboundLegEffect): void {
    switch (effect.type) {
      case 'prepare':
        return void this.#prepare();
      case 'sendInvite':
        return this.#sendInvite();
      case 'sendCancel':
        return this.#sendCancel(effect.reason);
      case 'applyAnswer':
        return void this.#applyAnswer();
      case 'sendBye':
        return this.#sendBye(effect.reason);
      case 'closeMedia':
        return this.#closeMedia();
      case 'report':
        return this.#report(effect.event);
      default:
        assertNever(effect, 'leg effect');
    }
  }

  /** An effect that throws must not leave the leg waiting for what will never come. */
  #faulted(err: unknown, effect: OutboundLegEffect): void {
    this.logger.error('leg effect failed', { effect: effect.type, err });
    if (effect.type === 'sendInvite') this.#machine.post({ type: 'refused', reason: notSentReason, retry: true });
    else if (effect.type !== 'report') this.#machine.post({ type: 'wireDone' });
  }

  async #prepare(): Promise<void> {
    const { context, options, logger } = this;
    const { call, target } = options;
    if (!this.place.isAdmitted) {
      const reason = endReason('limit', { text: `trunk ${target.trunk.name} is full` });
      return this.#machine.post({ type: 'refused', reason, retry: true });
    }
    const prepared = await prepareDial({
      ...{ context, call, target, logger, wire: this.#wire, media: this.#media, journal: this.#journal },
      onMedia: (event) => this.#fromMedia(event),
    });
    if (prepared.type === 'refused') return this.#machine.post(prepared);
    this.#offer = prepared.offer;
    this.#nextHop = prepared.nextHop;
    this.#machine.post({ type: 'prepared' });
  }

  #sendInvite(): void {
    const { headers, ...facts } = this.options;
    const { target } = facts;
    const { uri, ...ids } = this.#wire;
    const [offer, nextHop] = [this.#offer, this.#nextHop];
    const isFlow = this.context.isFlow?.(target) ?? false;
    const parts = { facts: { ...facts, ...ids }, uri, offer, nextHop, isFlow, headers };
    const composed = composeInvite(parts, this.logger);
    this.#step('sip.invite', { direction: 'out', trunk: target.trunk.name, uri });
    this.#invite.send(uri, composed, offer, nextHop && namedHop(target, nextHop));
  }

  #fromInvite(outcome: InviteOutcome): void {
    // After a CANCEL a refusal tells nothing new of the server.
    const news = this.#isCancelled && outcome.type === 'refused' ? undefined : newsOfInvite(outcome);
    if (news !== undefined) this.context.servers.learn(this.options.target, news);
    switch (outcome.type) {
      case 'sent':
        return this.#journal.sentAs(outcome.txn);
      case 'provisional':
        return this.#provisional(outcome);
      case 'update':
        return this.#answerer.update(outcome);
      case 'accepted':
        return this.#established(outcome.dialog);
      case 'redirected':
        return this.#step('sip.redirect', { direction: 'in', status: outcome.status, uri: outcome.uri });
      case 'refused':
        this.#answerer.refused(outcome.from);
        this.#step('sip.refused', { direction: 'in', status: outcome.status ?? 0 });
        return this.#machine.post({ type: 'refused', reason: outcome.reason, retry: outcome.retry });
      case 'silent':
        return this.#machine.post(outcome);
      default:
        assertNever(outcome, 'INVITE outcome');
    }
  }

  #provisional(outcome: Extract<InviteOutcome, { type: 'provisional' }>): void {
    this.#answerer.provisional(outcome);
    const { status, sdp } = outcome;
    const isEarlyMedia = status === 183 && sdp !== '';
    this.#step(isEarlyMedia ? 'sip.progress' : 'sip.ringing', { direction: 'in', status });
    this.#machine.post({ type: isEarlyMedia ? 'earlyMedia' : 'ringing' });
  }

  #established(dialog: SrfDialog): void {
    const { target } = this.options;
    this.#answerer.accepted(dialog.res);
    this.#dialog = standingDialog(this.context, {
      ...{ dialog, media: this.#media, trunk: target.trunk, logger: this.logger },
      peerAddress: this.#answerer.address,
      onEvent: (event) => this.#fromDialog(event),
    });
    this.#journal.established(dialog);
    this.#step('sip.answer', { direction: 'in', status: 200 });
    this.#step('sip.ack', { direction: 'out' });
    this.#machine.post({ type: 'accepted' });
  }

  async #applyAnswer(): Promise<void> {
    try {
      await this.#answerer.settle(this.#dialog?.ids.remoteTag ?? '');
      this.#machine.post({ type: 'answerUsable' });
    } catch (err) {
      this.logger.warn('answer of the PBX unusable', { err });
      this.#machine.post({ type: 'answerUnusable', reason: reasonOfAnswerError(err) });
    }
  }

  #fromDialog(event: SipDialogEvent): void {
    switch (event.type) {
      case 'acked':
        return;
      case 'ended':
        this.#step('sip.bye', { direction: 'in' });
        this.#journal.ended(this.#wire.sipCallId);
        return this.#machine.post({ type: 'remoteEnded', reason: event.reason });
      case 'referred':
        return takeReferral(event.referral, this.place.onReferral);
      case 'held':
      case 'resumed':
      case 'dtmf':
        if (this.#machine.state === 'confirmed') this.#reporter.report(event);
        return;
      default:
        assertNever(event, 'dialog event');
    }
  }

  #fromMedia(event: MediaEndpointEvent): void {
    observeMedia(this.context.observer, this.options.call, 'pbx', event);
    if (event.type === 'dtmf') this.#dialog?.sendDtmf(event.digit, event.durationMs);
    if (event.type === 'failed') this.#machine.post({ type: 'mediaFailed', reason: event.reason });
  }

  #sendCancel(reason: EndReason): void {
    this.#isCancelled = true;
    void this.#media.close();
    this.#step('sip.cancel', { direction: 'out' });
    const done = (): void => this.#machine.post({ type: 'wireDone' });
    this.#wireTimer = this.context.clock.after(this.context.timeouts.cancelMs, done);
    this.#invite.cancel(reason);
  }

  #sendBye(reason: EndReason): void {
    void this.#media.close();
    const dialog = this.#dialog;
    if (!dialog) return this.#machine.post({ type: 'wireDone' });
    const isUnusable = reason.code === 'no_codec';
    const header = isUnusable ? sipReasonHeader(488, reason.text ?? 'Not Acceptable Here') : reasonHeader(reason);
    const pauseMs = this.#isCancelled ? this.context.timeouts.crossedByeMs : 0;
    const bye = { reasonHeader: header, pauseMs };
    void this.#journal.hangUp(dialog, bye).then(() => {
      this.#machine.post({ type: 'wireDone' });
    });
  }

  #closeMedia(): void {
    this.#invite.stop();
    this.#wireTimer?.cancel();
    void this.#media.close().then(() => this.#machine.post({ type: 'mediaClosed' }));
  }

  #step(step: CallStep, detail?: Readonly<Record<string, string | number | boolean>>): void {
    this.context.observer.step(this.options.call, step, detail);
  }

  #report(event: LegEvent): void {
    if (event.type === 'terminated') {
      this.#journal.closed();
      this.place.onOver();
    }
    this.#reporter.report(event);
  }
}

const linkLostReason = endReason('trunk_down', { text: 'connection to the SIP server lost' });
