import type { Clock, Timer } from '../../lib/clock.js';
import { withDeadline } from '../../lib/deadline.js';
import { deferred } from '../../lib/deferred.js';
import type { Logger } from '../../lib/logger.js';
import { MachineRunner } from '../../lib/machine-runner.js';
import type { SipServer, Trunk } from '../../routing/types.js';
import type { SrfResponse } from '../drachtio-types.js';
import { grantsOutbound } from './outbound-flow.js';
import type { RegisterRequest } from './register-request.js';
import {
  idleRegistration,
  registrationTransition,
  type RegisterFailure,
  type RegistrationEffect,
  type RegistrationEvent,
  type RegistrationState,
} from './registration-machine.js';
import { flowKey, hasMoved, seenPlace, type FarEnd, type SeenPlace } from './seen-place.js';

/** A registration that has come about, failed or ended. */
export interface RegistrationChange {
  readonly trunk: string;
  /** `host:port`. */
  readonly server: string;
  readonly state: 'registered' | 'failed' | 'unregistered';
  /** Why it failed. */
  readonly why?: string;
}

export interface TrunkRegistrationOptions {
  readonly trunk: Trunk;
  readonly server: SipServer;
  readonly request: Pick<RegisterRequest, 'send'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** 0 to 1. */
  readonly random: () => number;
  /** Longest time for taking the registration back. */
  readonly closeMs: number;
  readonly onChange: (change: RegistrationChange) => void;
}

/** Lifetime that is asked for where the trunk says nothing. */
const defaultLifetimeMs = 600_000;

/** Keeps one trunk registered at one of its servers. */
export class TrunkRegistration {
  readonly #machine: MachineRunner<RegistrationState, RegistrationEvent, RegistrationEffect>;
  readonly #stopped = deferred<undefined>();
  readonly #logger: Logger;
  #timer: Timer | undefined;
  /** Of the question that is out. */
  #asking = new AbortController();
  /** Resolves when no REGISTER is out: one goes at a time (RFC 3261 §10.2). */
  #settled: Promise<unknown> = Promise.resolve();
  #grantedAtMs = 0;
  #seen: SeenPlace | undefined;
  #grantsOutbound = false;
  #told: RegistrationChange['state'] = 'unregistered';
  #toldKind: RegisterFailure['kind'] | undefined;

  constructor(private readonly options: TrunkRegistrationOptions) {
    const { trunk, logger } = options;
    this.#logger = logger.child({ trunk: trunk.name, server: this.#place });
    this.#machine = new MachineRunner(
      idleRegistration(trunk.registerExpiresMs ?? defaultLifetimeMs),
      registrationTransition,
      (effect) => this.#perform(effect),
      (err, effect) => this.#logger.error('registration failed', { effect: effect.type, err }),
      (_before, _event, after) => this.#report(after),
    );
  }

  get state(): RegistrationState {
    return this.#machine.state;
  }

  get isRegistered(): boolean {
    return this.state.phase === 'registered' || this.state.phase === 'refreshing';
  }

  /** Whether the registrar reaches us by the connection itself, and calls are to stay on it. */
  get isFlow(): boolean {
    return this.isRegistered && this.#grantsOutbound;
  }

  start(): void {
    this.#machine.post({ type: 'start' });
  }

  /** Takes the registration back; resolves when that is done or has had its time. Idempotent. */
  stop(): Promise<void> {
    this.#machine.post({ type: 'stop' });
    return this.#stopped.promise;
  }

  linkLost(): void {
    this.#machine.post({ type: 'linkLost' });
  }

  linkBack(): void {
    this.#machine.post({ type: 'linkBack' });
  }

  /** A connection of the SIP server's is gone: that of this registration, if its far end is the same. */
  connectionLost(farEnd: FarEnd): void {
    if (this.#seen?.server === flowKey(farEnd)) this.#machine.post({ type: 'flowLost', upMs: this.#upMs });
  }

  /** The server has answered something else that we sent. */
  heard(response: SrfResponse): void {
    if (this.#seen && hasMoved(this.#seen, seenPlace(response))) {
      this.#machine.post({ type: 'moved', upMs: this.#upMs });
    }
  }

  get #place(): string {
    return `${this.options.server.hostname}:${this.options.server.port}`;
  }

  get #upMs(): number {
    return this.options.clock.monotonicMs() - this.#grantedAtMs;
  }

  #perform(effect: RegistrationEffect): void {
    this.#timer?.cancel();
    if (effect.type !== 'wake') this.#asking.abort();
    if (effect.type === 'register') void this.#register(effect.lifetimeMs);
    else if (effect.type === 'unregister') void this.#unregister();
    else if (effect.type === 'wake') this.#wake(effect);
    else if (this.state.phase === 'stopped') this.#stopped.resolve(undefined);
  }

  #wake({ leastMs, mostMs }: Extract<RegistrationEffect, { type: 'wake' }>): void {
    const { clock, random } = this.options;
    const delayMs = Math.round(leastMs + (mostMs - leastMs) * random());
    this.#timer = clock.after(delayMs, () => this.#machine.post({ type: 'due' }));
  }

  async #register(lifetimeMs: number): Promise<void> {
    const asking = new AbortController();
    this.#asking = asking;
    const event = this.#ask(lifetimeMs, asking.signal);
    this.#settled = event;
    const came = await event;
    if (asking.signal.aborted) return;
    if (came.type === 'failed') this.#logger.debug('registration attempt failed', { why: came.failure.why });
    this.#machine.post(came);
  }

  /** Never rejects. */
  async #ask(lifetimeMs: number, signal: AbortSignal): Promise<RegistrationEvent> {
    try {
      const { outcome, response } = await this.options.request.send(lifetimeMs, signal);
      if (outcome.type === 'granted' && !signal.aborted) {
        this.#seen = seenPlace(response);
        this.#grantsOutbound = grantsOutbound(response);
        this.#grantedAtMs = this.options.clock.monotonicMs();
        this.#logger.debug('registration granted', { lifetimeMs: outcome.lifetimeMs });
      }
      return outcome;
    } catch (err) {
      if (!signal.aborted) this.#logger.debug('REGISTER without response', { err });
      const why = err instanceof Error ? err.message : 'not sent';
      return { type: 'failed', failure: { kind: 'unreachable', why } };
    }
  }

  async #unregister(): Promise<void> {
    const { clock, closeMs, request } = this.options;
    const asking = new AbortController();
    try {
      const taken = this.#settled.then(() => request.send(0, asking.signal));
      await withDeadline(taken, closeMs, 'un-registration', clock);
    } catch (err) {
      this.#logger.warn('registration not taken back', { err });
    }
    asking.abort();
    this.#machine.post({ type: 'unregistered' });
  }

  /** Says what changed, once: not every attempt of a long outage. */
  #report({ phase, failure }: RegistrationState): void {
    if (phase === 'registered') this.#tell('registered');
    else if (phase === 'waiting' && failure) this.#tell('failed', failure);
    else if (phase === 'stopped') this.#tell('unregistered');
  }

  #tell(state: RegistrationChange['state'], failure?: RegisterFailure): void {
    if (state === this.#told && failure?.kind === this.#toldKind) return;
    this.#told = state;
    this.#toldKind = failure?.kind;
    const why = failure ? { why: failure.why } : {};
    if (state !== 'failed') this.#logger.info(`trunk ${state}`);
    else if (failure?.kind === 'refused') this.#logger.error('registrar refuses the trunk', why);
    else this.#logger.warn('trunk not registered', why);
    this.options.onChange({ trunk: this.options.trunk.name, server: this.#place, state, ...why });
  }
}
