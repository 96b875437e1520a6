import type { Clock, Timer } from '../lib/clock.js';
import { given } from '../lib/given.js';
import type { CallId } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import { MachineRunner } from '../lib/machine-runner.js';
import { assertNever } from '../lib/assert-never.js';
import {
  initialCallState,
  transition,
  type CallEffect,
  type CallEvent,
  type CallState,
  type CallTimer,
} from './call-machine.js';
import type { CallDirection } from './call-record.js';
import { endReason, type EndReason, type EndedBy } from './end-reason.js';
import type { DialledLeg, Leg, LegEvent, LegFacts, OriginatingLeg } from './leg.js';
import type { MediaBridge } from './media-bridge.js';
import type { CallQuality } from './media-quality.js';
import type { CallObserver } from './observer.js';

/** How long each timer of a call runs, in milliseconds. */
export type CallTimeouts = Readonly<Record<CallTimer, number>>;

/** How a call went, when it is over. Times are wall clock, durations monotonic. */
export interface CallOutcome {
  readonly call: CallId;
  readonly direction: CallDirection;
  readonly startMs: number;
  readonly answerMs: number | undefined;
  readonly endMs: number;
  readonly durationMs: number;
  readonly billsecMs: number;
  readonly reason: EndReason;
  readonly endedBy: EndedBy;
  /** Facts of the A leg and of the last B leg. */
  readonly a: LegFacts;
  readonly b: LegFacts;
  /** How the audio was on either side, as far as that is known. */
  readonly quality?: CallQuality;
}

export interface CallOptions {
  readonly id: CallId;
  readonly direction: CallDirection;
  readonly a: OriginatingLeg;
  readonly bridge: MediaBridge;
  readonly timeouts: CallTimeouts;
  readonly clock: Clock;
  readonly observer: CallObserver;
  readonly logger: Logger;
  /** Called once, when the call is over. */
  readonly onEnded: (outcome: CallOutcome) => void;
}

/** Makes the leg of a target when its turn to be dialled comes. */
export type TargetDialler = () => DialledLeg;

/**
 * One bridged call: feeds what its legs, timers and the operator report to the call machine, one event at a time, and does
 * what the machine says.
 */
export class Call {
  readonly id: CallId;
  readonly direction: CallDirection;
  #diallers: readonly TargetDialler[] = [];
  readonly #legsB: DialledLeg[] = [];
  readonly #timers = new Map<CallTimer, Timer>();
  readonly #machine: MachineRunner<CallState, CallEvent, CallEffect>;
  readonly #startMs: number;
  readonly #startedAtMs: number;
  /** A leg's far end was put through to somebody else: it may be without media for a while. */
  #hasMoved = false;
  #answer: { readonly wallMs: number; readonly atMs: number } | undefined;

  constructor(private readonly options: CallOptions) {
    this.id = options.id;
    this.direction = options.direction;
    this.#startMs = options.clock.now();
    this.#startedAtMs = options.clock.monotonicMs();
    this.#machine = new MachineRunner(
      initialCallState,
      transition,
      (effect) => this.#perform(effect),
      (err, effect) => this.#faulted(err, effect),
      (before, event, after) => this.#stepped(before, event, after),
    );
    options.a.listen((event) => this.#fromA(event));
    options.bridge.onTimeout((kind) => this.#post({ type: kind === 'first' ? 'mediaFirst' : 'mediaIdle' }));
  }

  get state(): CallState['name'] {
    return this.#machine.state.name;
  }

  /** The leg it arrived on, and the one that was dialled last. */
  get legs(): { readonly a: Leg; readonly b: Leg | undefined } {
    return { a: this.options.a, b: this.#legsB.at(-1) };
  }

  /** The route is known: dials the targets in order, the next when one fails in a way that allows it. */
  route(diallers: readonly TargetDialler[]): void {
    this.#diallers = diallers;
    this.#post({ type: 'routed', targets: diallers.length });
  }

  /** The call cannot be placed: the A leg is rejected for this reason. */
  refuse(reason: EndReason): void {
    this.#post({ type: 'refused', reason });
  }

  /** Ends the call in the operator's name, or because the daemon stops. */
  end(why: 'admin' | 'shutdown'): void {
    this.#post({ type: why === 'admin' ? 'admin.hangup' : 'shutdown.force' });
  }

  /** Gives up waiting for legs of a call that is ending: it is over now, and its record is written. */
  giveUp(): void {
    this.#disarm('teardown');
    this.#post({ type: 'teardown' });
  }

  #post(event: CallEvent): void {
    this.#machine.post(event);
  }

  #stepped(before: CallState, event: CallEvent, after: CallState): void {
    if (after.name === before.name) return;
    if (after.name === 'connected') this.#answer = { wallMs: this.#now(), atMs: this.options.clock.monotonicMs() };
    this.options.observer.step(this.id, 'call.state', { from: before.name, to: after.name, event: event.type });
  }

  /** An adapter must not throw; if one does, the fault is logged and the call ends rather than hangs. First words may be lost. */
  #faulted(err: unknown, effect: CallEffect): void {
    this.options.logger.error('call effect failed', { effect: effect.type, err });
    const isHarmless = effect.type === 'ended' || (effect.type === 'bridge' && effect.do === 'keep');
    if (!isHarmless) this.#post({ type: 'shutdown.force' });
  }

  #perform(effect: CallEffect): void {
    const { a } = this.options;
    switch (effect.type) {
      case 'trying':
        return a.trying();
      case 'ring':
        return a.ring(this.#dialled());
      case 'answer':
        return a.answer(this.#dialled());
      case 'reject':
        return a.reject(effect.reason, this.#dialled());
      case 'hangup':
        return effect.leg === 'a' ? a.hangup(effect.reason) : this.#legsB[effect.attempt]?.hangup(effect.reason);
      case 'dial':
        return this.#dial(effect.attempt);
      case 'bridge':
        return this.#bridge(effect.do);
      case 'arm':
        return this.#arm(effect.timer);
      case 'disarm':
        return this.#disarm(effect.timer);
      case 'dtmf':
        return this.#dtmf(effect);
      case 'record':
        return this.#record(effect);
      case 'forceRelease':
        this.options.logger.warn('call end forced', { openA: this.#machine.state.openA });
        return this.options.observer.step(this.id, 'call.end_forced');
      case 'ended':
        return this.#ended(effect.reason, effect.by);
      default:
        assertNever(effect, 'call effect');
    }
  }

  #dial(attempt: number): void {
    const leg = this.#diallers[attempt]?.();
    if (!leg) throw new RangeError(`no target ${attempt}`);
    this.#legsB[attempt] = leg;
    leg.listen((event) => this.#fromB(attempt, event));
    leg.dial();
  }

  /** Facts of the B leg that is being dialled, as they stand now. */
  #dialled(): LegFacts {
    return this.#legsB[this.#machine.state.attempt]?.facts ?? {};
  }

  #bridge(what: 'keep' | 'join' | 'part'): void {
    const { a, bridge } = this.options;
    const [idA, idB] = [a.mediaId, this.#legsB[this.#machine.state.attempt]?.mediaId];
    switch (what) {
      case 'keep':
        // A B leg that answered without media is found out when they are to be joined; an A leg may still be making its own.
        if (idB !== undefined) bridge.prepare(idB);
        return;
      case 'join':
        if (idA !== undefined && idB !== undefined) return bridge.connect(idA, idB);
        if (!this.#hasMoved) throw new Error('a leg answered without media');
        return bridge.disconnect();
      case 'part':
        return bridge.disconnect();
      default:
        assertNever(what, 'bridge effect');
    }
  }

  #dtmf({ to, digit, durationMs }: Extract<CallEffect, { readonly type: 'dtmf' }>): void {
    const { a, bridge } = this.options;
    const mediaId = to === 'a' ? a.mediaId : this.#legsB[this.#machine.state.attempt]?.mediaId;
    if (mediaId !== undefined) bridge.sendDtmf(mediaId, digit, durationMs);
  }

  #record(effect: Extract<CallEffect, { readonly type: 'record' }>): void {
    if (effect.what === 'failover') {
      const { code, sipStatus, text } = effect.reason;
      this.options.logger.info('target failed, dialling the next', { code, sipStatus, text });
    } else {
      this.options.logger.info(`leg ${effect.what}`, { leg: effect.leg });
    }
  }

  #fromA(event: LegEvent): void {
    switch (event.type) {
      case 'confirmed':
      case 'terminated':
        return this.#post({ type: `a.${event.type}` });
      case 'cancelled':
      case 'failed':
      case 'ended':
        return this.#post({ type: `a.${event.type}`, reason: event.reason });
      case 'mediaMoved':
        this.#hasMoved = true;
        return this.#post({ ...event, leg: 'a' });
      case 'held':
      case 'resumed':
      case 'dtmf':
        return this.#post({ ...event, leg: 'a' });
      case 'progress':
      case 'earlyMedia':
      case 'answered':
        return this.options.logger.error('A leg reported a B leg event', { event: event.type });
      default:
        assertNever(event, 'leg event');
    }
  }

  #fromB(attempt: number, event: LegEvent): void {
    switch (event.type) {
      case 'progress':
      case 'earlyMedia':
      case 'answered':
      case 'terminated':
        return this.#post({ type: `b.${event.type}`, attempt });
      case 'failed':
        return this.#post({ type: 'b.failed', attempt, reason: event.reason, retry: event.retry });
      case 'ended':
        return this.#post({ type: 'b.ended', attempt, reason: event.reason });
      case 'mediaMoved':
        this.#hasMoved = true;
        return this.#post({ ...event, leg: 'b' });
      case 'held':
      case 'resumed':
      case 'dtmf':
        return this.#post({ ...event, leg: 'b' });
      case 'confirmed':
      case 'cancelled':
        return this.options.logger.error('B leg reported an A leg event', { event: event.type });
      default:
        assertNever(event, 'leg event');
    }
  }

  #arm(timer: CallTimer): void {
    this.#timers.get(timer)?.cancel();
    const fire = (): void => {
      this.#timers.delete(timer);
      this.#post({ type: timer });
    };
    this.#timers.set(timer, this.options.clock.after(this.options.timeouts[timer], fire));
  }

  #disarm(timer: CallTimer): void {
    this.#timers.get(timer)?.cancel();
    this.#timers.delete(timer);
  }

  #now(): number {
    return this.options.clock.now();
  }

  #ended(reason: EndReason, endedBy: EndedBy): void {
    const endedAtMs = this.options.clock.monotonicMs();
    const outcome: CallOutcome = {
      call: this.id,
      direction: this.direction,
      startMs: this.#startMs,
      answerMs: this.#answer?.wallMs,
      endMs: this.#now(),
      durationMs: endedAtMs - this.#startedAtMs,
      billsecMs: this.#answer ? endedAtMs - this.#answer.atMs : 0,
      reason,
      endedBy,
      a: this.options.a.facts,
      b: this.#legsB.at(-1)?.facts ?? {},
      quality: qualityOf(this.legs),
    };
    this.options.observer.step(this.id, 'call.ended', { code: reason.code, by: endedBy, sipStatus: reason.sipStatus });
    this.options.onEnded(outcome);
  }
}

function qualityOf({ a, b }: Call['legs']): CallQuality {
  const [whatsapp, pbx] = a.kind === 'whatsapp' ? [a, b] : [b, a];
  return { ...given('whatsapp', whatsapp?.quality), ...given('pbx', pbx?.quality) };
}

/** Timers that are the same for every call, in milliseconds. */
export const fixedTimeouts = {
  /** 200 OK without ACK (RFC 3261 §13.3.1.4: 64·T1), accept without an answer: the legs know sooner, this is the back stop. */
  answerAck: 35_000,
  /** Legs have their own deadlines (BYE without an answer: 64·T1); this is the back stop. */
  teardown: 40_000,
} as const;

/** A reason for calls that arrive while the daemon stops. */
export const shuttingDown = endReason('shutdown', { retryAfterS: 10 });
