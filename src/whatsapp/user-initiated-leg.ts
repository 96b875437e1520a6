import { assertNever } from '../lib/assert-never.js';
import type { LegEvent, LegFacts, OriginatingLeg } from '../call/leg.js';
import type { LegQuality } from '../call/media-quality.js';
import type { EndReason } from '../call/end-reason.js';
import type { CallId, WaCallId } from '../lib/ids.js';
import type { WaNumber } from '../routing/types.js';
import { reasonFromWebhookErrors } from './graph-cause.js';
import type { SessionArgs } from './graph-client.js';
import type { LaterEvent, WebhookSink } from './call-directory.js';
import { compareOpaque, factsOfTerminate, opaqueFor, payloadFacts } from './leg-facts.js';
import { LegMedia, type LegCodecs } from './leg-media.js';
import { LegOutbox } from './leg-outbox.js';
import { reasonOf } from './leg-reason.js';
import { isFatalForPreAccept, LegWire, type WhatsAppLegDeps } from './leg-wire.js';
import { MachineRunner } from '../lib/machine-runner.js';
import {
  initialUserLegState,
  transition,
  type PreAcceptPolicy,
  type UserLegEffect,
  type UserLegEvent,
  type UserLegPhase,
  type UserLegState,
} from './user-initiated-machine.js';
import type { WaUser } from './webhook-events.js';

export interface UserInitiatedLegOptions extends WhatsAppLegDeps {
  readonly call: CallId;
  readonly number: WaNumber;
  readonly waCallId: WaCallId;
  /** Meta's SDP offer. */
  readonly offer: string;
  readonly user: WaUser;
  readonly preAccept: PreAcceptPolicy;
  /** Absent: Opus alone. */
  readonly codecs?: LegCodecs;
  readonly ctaPayload?: string | undefined;
  readonly deeplinkPayload?: string | undefined;
}

/** The WhatsApp side of a call that a user placed: pre_accept, accept, reject, terminate. */
export class UserInitiatedLeg implements OriginatingLeg, WebhookSink {
  readonly kind = 'whatsapp';
  readonly #outbox = new LegOutbox();
  readonly #media: LegMedia;
  readonly #wire: LegWire;
  readonly #machine: MachineRunner<UserLegState, UserLegEvent, UserLegEffect>;
  readonly #giveUp = new AbortController();
  #answer = '';
  #ownOpaque: string | undefined;
  #opaque: string | undefined;
  #metaFacts: LegFacts;

  constructor(private readonly options: UserInitiatedLegOptions) {
    const { number, call, media: engine, preAccept, codecs } = options;
    this.#metaFacts = payloadFacts(options);
    const { observer, clock, logger } = options;
    const onFailed = (reason: EndReason): void => this.#machine.post({ type: 'media_failed', reason });
    this.#media = new LegMedia({ engine, call, codecs, observer, clock, logger, onFailed });
    this.#wire = new LegWire(options, call, number);
    this.#machine = new MachineRunner(
      initialUserLegState(preAccept),
      transition,
      (effect) => this.#perform(effect),
      (err, effect) => logger.error('leg effect failed', { effect: effect.do, err }),
    );
  }

  get call(): CallId {
    return this.options.call;
  }

  get facts(): LegFacts {
    const { waCallId, number, user } = this.options;
    const userId = user.userId ?? user.parentUserId;
    return {
      ...this.#metaFacts,
      waCallId,
      numberId: number.id,
      ...(user.number && { waUser: user.number }),
      ...(userId !== undefined && { waUserId: userId }),
    };
  }

  get mediaId(): string | undefined {
    return this.#media.id;
  }

  /** For logs and tests. */
  get phase(): UserLegPhase {
    return this.#machine.state.phase;
  }

  get quality(): LegQuality | undefined {
    return this.#media.quality;
  }

  listen(listener: (event: LegEvent) => void): void {
    this.#outbox.listen(listener);
  }

  trying(): void {
    this.#machine.post({ type: 'trying' });
  }

  ring(): void {
    this.#machine.post({ type: 'ring' });
  }

  /** What the PBX wants Meta to carry along came with its answer, or with its ringing. */
  answer(dialled: LegFacts = {}): void {
    this.#ownOpaque = dialled['opaque'];
    this.#machine.post({ type: 'answer' });
  }

  reject(reason: EndReason): void {
    this.options.logger.debug('leg rejected', { code: reason.code });
    this.#machine.post({ type: 'reject' });
  }

  hangup(reason: EndReason): void {
    this.options.logger.debug('leg hung up', { code: reason.code });
    if (reason.code === 'shutdown') this.#wire.stopping();
    this.#machine.post({ type: 'hangup' });
  }

  onWebhook(event: LaterEvent): void {
    if (event.kind !== 'call_terminate') {
      this.options.logger.warn('webhook of a business-initiated call for a user-initiated one', { kind: event.kind });
      return;
    }
    const { errors, outcome } = event;
    this.#wire.step('webhook.terminate', { direction: 'in', ...(outcome && { outcome }) });
    const reason = (answered: boolean): EndReason =>
      reasonFromWebhookErrors(errors, { answered, direction: 'user_initiated', outcome });
    this.#metaFacts = { ...this.#metaFacts, ...factsOfTerminate(event) };
    compareOpaque(this.#opaque, event, this.options.logger);
    this.#machine.post({ type: 'remote_terminated', before: reason(false), after: reason(true) });
  }

  #perform(effect: UserLegEffect): void {
    switch (effect.do) {
      case 'prepare_answer':
        return this.#prepareAnswer();
      case 'pre_accept':
        return this.#preAccept();
      case 'accept':
        return this.#accept();
      case 'start_media':
        return this.#media.start();
      case 'open_sending':
        return this.#media.openSending();
      case 'post':
        return this.#post(effect.action);
      case 'close_media':
        // Whoever ended it: what failed is not repeated, and what waits for the journal is not sent.
        this.#giveUp.abort();
        void this.#media.close().then(() => this.#machine.post({ type: 'media_closed' }));
        return;
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

  #prepareAnswer(): void {
    this.#media.createAnswer(this.options.offer).then(
      (answer) => {
        this.#answer = answer;
        this.#machine.post({ type: 'sdp_ready' });
      },
      (error: unknown) => this.#machine.post({ type: 'sdp_failed', reason: reasonOf(error) }),
    );
  }

  #session(): SessionArgs {
    const { number, waCallId, logger } = this.options;
    return { numberId: number.id, waCallId, sdp: this.#answer, signal: this.#giveUp.signal, logger };
  }

  #preAccept(): void {
    this.#wire
      .request('graph.pre_accept', () => this.options.graph.preAccept(this.#session()))
      .then(
        () => this.#machine.post({ type: 'pre_accepted' }),
        (error: unknown) => {
          const fatal = isFatalForPreAccept(error);
          this.#machine.post({ type: 'pre_accept_failed', reason: reasonOf(error), fatal });
        },
      );
  }

  #accept(): void {
    const { call, waCallId, graph, logger } = this.options;
    this.#opaque = opaqueFor(call, this.#ownOpaque, logger);
    const args: SessionArgs = { ...this.#session(), opaque: this.#opaque };
    this.#wire
      .journal('accept', { waCallId })
      .then(() => {
        this.#giveUp.signal.throwIfAborted();
        return this.#wire.request('graph.accept', () => graph.accept(args));
      })
      .then(
        () => this.#machine.post({ type: 'accepted' }),
        (error: unknown) => this.#machine.post({ type: 'accept_failed', reason: reasonOf(error) }),
      );
  }

  #post(action: 'reject' | 'terminate'): void {
    void this.#wire.end(action, this.options.waCallId).then(() => this.#machine.post({ type: 'wire_ended' }));
  }

  #emit(event: LegEvent): void {
    if (event.type === 'terminated') this.options.directory.release(this.options.call, this.options.waCallId);
    this.#outbox.emit(event);
  }
}
