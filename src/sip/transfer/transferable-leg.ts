import type { EndReason } from '../../call/end-reason.js';
import type { Leg, LegEvent, LegFacts } from '../../call/leg.js';
import type { LegQuality } from '../../call/media-quality.js';
import { assertNever } from '../../lib/assert-never.js';
import type { Timer } from '../../lib/clock.js';
import type { CallId } from '../../lib/ids.js';
import type { Logger } from '../../lib/logger.js';
import { MachineRunner } from '../../lib/machine-runner.js';
import type { SipServer } from '../../routing/types.js';
import type { SrfRequest } from '../drachtio-types.js';
import { LegReporter } from '../leg-reporter.js';
import type { LinkedLeg } from '../live-legs.js';
import type { SipLegContext } from '../sip-leg-context.js';
import { ReferProgress } from './refer-progress.js';
import type { Referral } from './referral.js';
import type { Replaces } from './replaces.js';
import {
  initialTransferState,
  transferTransition,
  type TransferEffect,
  type TransferEvent,
  type TransferState,
} from './transfer-machine.js';
import type { PlannedTransfer, TransferPlan } from './transfer-plan.js';

/** A SIP leg on its own, as the legs here are made of. */
export type SingleLeg = LinkedLeg;

/** A leg that arrived, by an INVITE with Replaces. */
export interface ReplacingLeg {
  /** What stands for the PBX in its dialog. */
  readonly home: SipServer;
  /** Makes the leg and answers its INVITE. */
  accept(onReferral: (referral: Referral) => void): SingleLeg;
  refuse(status: number): void;
}

export interface TransferableOptions {
  readonly context: SipLegContext;
  readonly call: CallId;
  readonly logger: Logger;
  /** What stands for the PBX in the first leg's dialog. */
  readonly home: SipServer;
  /** What to make of a REFER that came in the dialog with `home`. */
  readonly plan: (refer: SrfRequest, home: SipServer) => PlannedTransfer;
  /** Makes the leg of a transfer, not dialled yet. */
  readonly successor: (plan: TransferPlan, onReferral: (referral: Referral) => void) => SingleLeg & { dial(): void };
  /** Called once, when all is over. */
  readonly onOver: () => void;
}

/** What a leg to be comes from. */
type Task =
  | { readonly by: 'refer'; readonly plan: TransferPlan; readonly referral: Referral; readonly isFirst: boolean }
  | { readonly by: 'replaces'; readonly leg: ReplacingLeg };

/** Transfers of one call: a PBX that sends calls in circles is stopped. */
const mostTransfers = 32;

/**
 * The SIP side of a call, whichever dialog stands for it: the one that the call began with, or the last one that it was
 * transferred to. The call hears of a transfer only that media is elsewhere now; the WhatsApp side hears nothing of it.
 */
export class TransferableLeg implements Leg {
  readonly kind = 'sip';
  readonly #legs = new Map<number, SingleLeg>();
  readonly #homes = new Map<number, SipServer>();
  readonly #tasks: (Task | undefined)[] = [undefined];
  readonly #progress = new Map<number, ReferProgress>();
  readonly #reporter = new LegReporter();
  readonly #machine: MachineRunner<TransferState, TransferEvent, TransferEffect>;
  readonly #timers = new Map<number, Timer>();
  #answerTimer: Timer | undefined;
  /** Legs in whose dialog a REFER came. */
  readonly #referrers = new Set<number>();

  constructor(private readonly options: TransferableOptions) {
    this.#machine = new MachineRunner<TransferState, TransferEvent, TransferEffect>(
      initialTransferState,
      transferTransition,
      (effect) => this.#perform(effect),
      (err, effect) => this.#faulted(err, effect),
    );
  }

  /** Sets the leg that the call begins with. To be called once, before anything else. */
  get call(): CallId {
    return this.options.call;
  }

  protected begin(original: SingleLeg): void {
    this.#keep(0, original, this.options.home);
  }

  /** For the leg that the call begins with. */
  readonly onReferral = (referral: Referral): void => this.#referred(0, referral);

  get mediaId(): string | undefined {
    const { current, hasCurrent } = this.#machine.state;
    return hasCurrent ? this.#legs.get(current)?.mediaId : undefined;
  }

  get facts(): LegFacts {
    const first = this.#legs.get(0)?.facts;
    const current = this.#legs.get(this.#machine.state.current)?.facts;
    // Who called stays; how the media is secured is a matter of the dialog that stands.
    const { srtp: _srtp, ...lasting } = first ?? {};
    return { ...lasting, ...current };
  }

  get quality(): LegQuality | undefined {
    return this.#legs.get(this.#machine.state.current)?.quality ?? this.#legs.get(0)?.quality;
  }

  listen(listener: (event: LegEvent) => void): void {
    this.#reporter.listen(listener);
  }

  hangup(reason: EndReason): void {
    this.#machine.post({ type: 'hangup', reason });
  }

  /** Whether a dialog with this Call-ID is one of this leg's. */
  hasDialog(callId: string): boolean {
    return [...this.#legs.values()].some((leg) => leg.facts['sipCallId'] === callId);
  }

  /** Whether a dialog of this leg's is meant; one that was replaced already counts too. */
  isMeantBy({ callId, toTag, fromTag }: Replaces): boolean {
    return [...this.#legs.values()].some(({ dialogIds: ids }) => {
      return ids?.callId === callId && ids.localTag === toTag && ids.remoteTag === fromTag;
    });
  }

  /** An INVITE came that is to replace `replaces`, a dialog of this leg's (RFC 3891 §3). */
  replacedBy(replaces: Replaces, leg: ReplacingLeg): void {
    const { current, hasCurrent } = this.#machine.state;
    const isCurrent = hasCurrent && this.#legs.get(current)?.dialogIds?.callId === replaces.callId;
    if (!isCurrent || this.#tasks.length > mostTransfers) return leg.refuse(603);
    if (replaces.earlyOnly) return leg.refuse(486);
    this.#machine.post({ type: 'replaced', leg: this.#task({ by: 'replaces', leg }) });
  }

  #referred(from: number, referral: Referral): void {
    const { current, phase } = this.#machine.state;
    const isFirst = !this.#referrers.has(from);
    this.#referrers.add(from);
    const planned = this.options.plan(referral.request, this.#homes.get(from) ?? this.options.home);
    if (phase === 'over' || from !== current) return this.#refuse(referral, 603, 'call is elsewhere');
    if (this.#tasks.length > mostTransfers) return this.#refuse(referral, 603, 'too many transfers');
    if (!planned.ok) {
      return this.#refuse(referral, planned.refusal.status, planned.refusal.why);
    }
    this.#machine.post({ type: 'referred', leg: this.#task({ by: 'refer', plan: planned.plan, referral, isFirst }) });
  }

  #refuse(referral: Referral, status: number, why: string): void {
    this.options.logger.info('REFER refused', { status, why });
    this.#step('sip.refer', { direction: 'in', status });
    referral.response.send(status);
  }

  #task(task: Task): number {
    return this.#tasks.push(task) - 1;
  }

  #keep(number: number, leg: SingleLeg, home: SipServer): void {
    this.#legs.set(number, leg);
    this.#homes.set(number, home);
    leg.listen((event) => {
      if (event.type === 'terminated') this.#timers.get(number)?.cancel();
      this.#machine.post({ type: 'fromLeg', leg: number, event });
    });
  }

  #perform(effect: TransferEffect): void {
    switch (effect.type) {
      case 'follow':
        return this.#follow(effect.leg);
      case 'adopt':
        return this.#adopt(effect.leg);
      case 'refuse':
        return this.#refuseTask(effect.leg, effect.status);
      case 'notify':
        return this.#notify(effect.leg, effect.news);
      case 'hangup':
        return this.#legs.get(effect.leg)?.hangup(effect.reason);
      case 'awaitBye':
        return this.#awaitBye(effect.leg);
      case 'timer':
        return this.#timer(effect.do);
      case 'report':
        return this.#report(effect.event);
      default:
        assertNever(effect, 'transfer effect');
    }
  }

  /** A leg that could not be made is one that failed. */
  #faulted(err: unknown, effect: TransferEffect): void {
    this.options.logger.error('transfer effect failed', { effect: effect.type, err });
    if (effect.type !== 'follow' && effect.type !== 'adopt') return;
    if (!this.#legs.has(effect.leg)) this.#machine.post({ type: 'fromLeg', leg: effect.leg, event: terminated });
  }

  #follow(number: number): void {
    const task = this.#tasks[number];
    if (task?.by !== 'refer') return;
    const { plan, referral, isFirst } = task;
    const { user, server } = plan.target;
    this.options.logger.info('call is transferred', { user, server: `${server.hostname}:${server.port}` });
    this.#step('sip.refer', { direction: 'in', status: 202, server: `${server.hostname}:${server.port}` });
    const silence = plan.isSilent ? { 'Refer-Sub': 'false' } : undefined;
    referral.response.send(202, { headers: { Contact: referral.contact, ...silence } });
    if (!plan.isSilent) this.#progress.set(number, this.#progressOf(referral, isFirst));
    this.#progress.get(number)?.provisional(100);
    const leg = this.options.successor(plan, (next) => this.#referred(number, next));
    this.#keep(number, leg, server);
    leg.dial();
  }

  #progressOf(referral: Referral, isFirst: boolean): ReferProgress {
    const { context, logger } = this.options;
    const { clock, timeouts } = context;
    const seq = referral.request.getParsedHeader('cseq').seq;
    return new ReferProgress(referral, {
      ...{ clock, logger, answerMs: timeouts.responseMs },
      expiresS: Math.ceil(timeouts.transferMs / 1000) + 5,
      // Needed from the second one on (RFC 3515 §2.4.6); not every phone expects it in the first.
      eventId: isFirst ? undefined : seq,
    });
  }

  #adopt(number: number): void {
    const task = this.#tasks[number];
    if (task?.by !== 'replaces') return;
    this.options.logger.info('call is taken over by another dialog of the PBX');
    this.#step('sip.replaces', { direction: 'in' });
    const leg = task.leg.accept((next) => this.#referred(number, next));
    this.#keep(number, leg, task.leg.home);
  }

  #refuseTask(number: number, status: number): void {
    const task = this.#tasks[number];
    if (task?.by === 'refer') this.#refuse(task.referral, status, 'not now');
    else task?.leg.refuse(status);
  }

  #notify(number: number, news: Extract<TransferEffect, { type: 'notify' }>['news']): void {
    const progress = this.#progress.get(number);
    switch (news) {
      case 'ringing':
        return progress?.provisional(180);
      case 'progress':
        return progress?.provisional(183);
      case 'answered':
        return progress?.answered();
      default:
        this.options.logger.info('transfer failed', { code: news.code, text: news.text });
        this.#step('sip.transfer', { status: news.sipStatus });
        return progress?.failed(news);
    }
  }

  #awaitBye(number: number): void {
    const { clock, timeouts } = this.options.context;
    const isDue = (): void => this.#machine.post({ type: 'overdue', leg: number });
    this.#timers.set(number, clock.after(timeouts.referrerByeMs, isDue));
  }

  #timer(what: 'arm' | 'disarm'): void {
    const { clock, timeouts } = this.options.context;
    this.#answerTimer?.cancel();
    if (what === 'disarm') return;
    this.#answerTimer = clock.after(timeouts.transferMs, () => this.#machine.post({ type: 'noAnswer' }));
  }

  #report(event: LegEvent): void {
    if (event.type === 'mediaMoved' && this.#machine.state.phase === 'single') {
      this.#step('sip.transfer', { status: 200 });
    }
    if (event.type === 'terminated') this.options.onOver();
    this.#reporter.report(event);
  }

  #step(step: 'sip.refer' | 'sip.transfer' | 'sip.replaces', detail: Readonly<Record<string, string | number>>): void {
    this.options.context.observer.step(this.options.call, step, detail);
  }
}

const terminated: LegEvent = { type: 'terminated' };
