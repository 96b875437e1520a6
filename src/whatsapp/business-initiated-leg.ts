import { assertNever } from '../lib/assert-never.js';
import type { EndReason } from '../call/end-reason.js';
import type { DialledLeg, LegEvent, LegFacts } from '../call/leg.js';
import type { LegQuality } from '../call/media-quality.js';
import type { CallId, WaCallId } from '../lib/ids.js';
import type { WaNumber } from '../routing/types.js';
import type { UserAddress } from '../routing/user-address.js';
import {
  initialBusinessLegState,
  transition,
  type BusinessLegEffect,
  type BusinessLegEvent,
  type BusinessLegPhase,
  type BusinessLegState,
} from './business-initiated-machine.js';
import { isAnswerUnusable, isOutcomeUnknown } from './graph-classify.js';
import { reasonFromWebhookErrors } from './graph-cause.js';
import { GraphError } from './graph-error.js';
import type { LaterEvent, WebhookSink } from './call-directory.js';
import { compareOpaque, factsOfTerminate, opaqueFor } from './leg-facts.js';
import { LegMedia, type LegCodecs } from './leg-media.js';
import { LegOutbox } from './leg-outbox.js';
import { reasonOf } from './leg-reason.js';
import { LegWire, type WhatsAppLegDeps } from './leg-wire.js';
import { MachineRunner } from '../lib/machine-runner.js';
import { opaqueOf } from './wa-ids.js';
import type { CallTerminate } from './webhook-events.js';

/** How long a connect with an unknown outcome may still turn up by a webhook, in milliseconds. */
const ADOPTION_MS = 10_000;

export interface BusinessInitiatedLegOptions extends WhatsAppLegDeps {
  readonly call: CallId;
  readonly number: WaNumber;
  /** The user who is called. */
  readonly to: UserAddress;
  /** Absent: Opus alone. */
  readonly codecs?: LegCodecs;
  /** What the PBX wants Meta to carry along (`X-WA-Opaque`), behind our own key. */
  readonly opaque?: string | undefined;
}

/** The WhatsApp side of a call that the PBX placed: connect, statuses, Meta's answer, terminate. */
export class BusinessInitiatedLeg implements DialledLeg, WebhookSink {
  readonly kind = 'whatsapp';
  readonly #outbox = new LegOutbox();
  readonly #media: LegMedia;
  readonly #wire: LegWire;
  readonly #machine: MachineRunner<BusinessLegState, BusinessLegEvent, BusinessLegEffect>;
  readonly #giveUp = new AbortController();
  #offer = '';
  #waCallId: WaCallId | undefined;
  #opaque: string | undefined;
  #metaFacts: LegFacts = {};

  constructor(private readonly options: BusinessInitiatedLegOptions) {
    const { call, number, media: engine, codecs, observer, clock, logger } = options;
    const onFailed = (reason: EndReason): void => this.#machine.post({ type: 'media_failed', reason });
    this.#media = new LegMedia({ engine, call, codecs, observer, clock, logger, onFailed });
    this.#wire = new LegWire(options, call, number);
    this.#machine = new MachineRunner(
      initialBusinessLegState,
      transition,
      (effect) => this.#perform(effect),
      (err, effect) => logger.error('leg effect failed', { effect: effect.do, err }),
    );
  }

  get call(): CallId {
    return this.options.call;
  }

  get mediaId(): string | undefined {
    return this.#media.id;
  }

  /** For logs and tests. */
  get phase(): BusinessLegPhase {
    return this.#machine.state.phase;
  }

  get facts(): LegFacts {
    const { number, to } = this.options;
    const user = 'number' in to ? { waUser: to.number } : { waUserId: to.userId };
    return { ...this.#metaFacts, numberId: number.id, ...user, ...(this.#waCallId && { waCallId: this.#waCallId }) };
  }

  get quality(): LegQuality | undefined {
    return this.#media.quality;
  }

  listen(listener: (event: LegEvent) => void): void {
    this.#outbox.listen(listener);
  }

  dial(): void {
    this.#machine.post({ type: 'dial' });
  }

  hangup(reason: EndReason): void {
    this.options.logger.debug('leg hung up', { code: reason.code });
    if (reason.code === 'shutdown') this.#wire.stopping();
    this.#machine.post({ type: 'hangup' });
  }

  onWebhook(event: LaterEvent): void {
    this.#learnId(event.waCallId);
    if (event.waCallId !== this.#waCallId) {
      this.options.logger.warn('webhook with our key but another call id', { kind: event.kind });
      return;
    }
    switch (event.kind) {
      case 'business_connect':
        this.#wire.step('webhook.connect', { direction: 'in' });
        return this.#machine.post({ type: 'remote_answer', sdp: event.answer });
      case 'call_status':
        return this.#onStatus(event.status);
      case 'call_terminate':
        return this.#onTerminate(event);
      default:
        assertNever(event, 'webhook event');
    }
  }

  #onStatus(status: 'RINGING' | 'ACCEPTED' | 'REJECTED'): void {
    const word = ({ RINGING: 'ringing', ACCEPTED: 'accepted', REJECTED: 'rejected' } as const)[status];
    this.#wire.step(`webhook.${word}`, { direction: 'in' });
    this.#machine.post({ type: word });
  }

  #onTerminate(event: CallTerminate): void {
    const { errors, outcome } = event;
    this.#wire.step('webhook.terminate', { direction: 'in', ...(outcome && { outcome }) });
    const reason = (answered: boolean): EndReason =>
      reasonFromWebhookErrors(errors, { answered, direction: 'business_initiated', outcome });
    this.#metaFacts = factsOfTerminate(event);
    compareOpaque(this.#opaque, event, this.options.logger);
    this.#machine.post({ type: 'remote_terminated', before: reason(false), after: reason(true) });
  }

  /** From the HTTP reply or from a webhook that was faster; the first one counts. */
  #learnId(waCallId: WaCallId): void {
    if (this.#waCallId !== undefined) return;
    this.#waCallId = waCallId;
    this.#wire.journal('connected', { waCallId }).catch((err: unknown) => {
      this.options.logger.error('call id could not be journalled', { waCallId, err });
    });
    this.#machine.post({ type: 'id_known' });
    this.options.directory.claim(waCallId, this);
  }

  #perform(effect: BusinessLegEffect): void {
    switch (effect.do) {
      case 'prepare_offer':
        return this.#prepareOffer();
      case 'connect':
        return this.#connect();
      case 'apply_answer':
        return this.#applyAnswer(effect.sdp);
      case 'open_sending':
        return this.#media.openSending();
      case 'post_terminate':
        return this.#postTerminate();
      case 'abandon':
        return this.options.directory.abandon(this.options.call);
      case 'close_media':
        this.#giveUp.abort();
        void this.#media.close().then(() => this.#machine.post({ type: 'media_closed' }));
        return;
      case 'arm_adoption':
        return this.#wire.arm('adoption', ADOPTION_MS, () => this.#machine.post({ type: 'adoption_timeout' }));
      case 'disarm_adoption':
        return this.#wire.disarm('adoption');
      case 'arm_word':
        return this.#wire.armWord(() => this.#machine.post({ type: 'word_timeout' }));
      case 'disarm_word':
        return this.#wire.disarmWord();
      case 'arm_deadline':
        return this.#wire.armEnd(() => this.#machine.post({ type: 'end_deadline' }));
      case 'disarm_deadline':
        return this.#wire.disarmEnd();
      case 'emit':
        return this.#emit(effect.event);
      default:
        assertNever(effect, 'leg effect');
    }
  }

  #prepareOffer(): void {
    this.#media.createOffer().then(
      (offer) => {
        this.#offer = offer;
        this.#machine.post({ type: 'offer_ready' });
      },
      (error: unknown) => this.#machine.post({ type: 'offer_failed', reason: reasonOf(error) }),
    );
  }

  #connect(): void {
    const { call, number, to, graph, directory, logger } = this.options;
    const opaque = opaqueFor(call, this.options.opaque, logger);
    this.#opaque = opaque;
    directory.expect(call, this);
    const { signal } = this.#giveUp;
    const args = { numberId: number.id, user: to, sdp: this.#offer, opaque, signal, logger };
    this.#wire
      .journal('dial', { opaque: opaqueOf(call), ...('userId' in to && { userId: to.userId }) })
      .then(() => {
        // The leg ended while the journal wrote: no phone rings for it.
        if (signal.aborted) throw new GraphError('transport', 'given up', { unsent: true });
        return this.#wire.request('graph.connect', () => graph.connect(args));
      })
      .then(
        (waCallId) => this.#onConnected(waCallId),
        (error: unknown) => this.#machine.post({ type: outcomeOfConnect(error), reason: reasonOf(error) }),
      );
  }

  #onConnected(waCallId: WaCallId): void {
    if (this.phase === 'terminated') {
      // The reply came after the leg's own deadline: a call that no webhook named either has nobody left to end it.
      if (this.#waCallId === undefined) void this.#wire.end('terminate', waCallId);
      return;
    }
    this.#learnId(waCallId);
    if (this.#waCallId !== waCallId) this.options.logger.warn('connect reply names another call than its webhooks');
  }

  #applyAnswer(sdp: string): void {
    this.#media.acceptAnswer(sdp).then(
      () => this.#machine.post({ type: 'answer_applied' }),
      (error: unknown) => this.#machine.post({ type: 'answer_failed', reason: reasonOf(error) }),
    );
  }

  #postTerminate(): void {
    const waCallId = this.#waCallId;
    if (waCallId === undefined) throw new Error('terminate without a call id');
    void this.#wire.end('terminate', waCallId).then(() => this.#machine.post({ type: 'wire_ended' }));
  }

  #emit(event: LegEvent): void {
    if (event.type === 'terminated') this.options.directory.release(this.options.call, this.#waCallId);
    this.#outbox.emit(event);
  }
}

/** What is known of a connect that failed. Only Meta's own silence or server error is worth waiting for a webhook. */
function outcomeOfConnect(error: unknown): 'connect_refused' | 'connect_unknown' | 'connect_unusable' {
  if (!(error instanceof GraphError)) return 'connect_refused';
  if (isAnswerUnusable(error)) return 'connect_unusable';
  return isOutcomeUnknown(error) ? 'connect_unknown' : 'connect_refused';
}
