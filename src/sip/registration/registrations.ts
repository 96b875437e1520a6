import type { Clock } from '../../lib/clock.js';
import type { IdSource } from '../../lib/ids.js';
import type { Logger } from '../../lib/logger.js';
import type { SipServer, Target, Trunk } from '../../routing/types.js';
import type { TrunkLogins } from '../digest/trunk-login.js';
import type { SrfApi, SrfResponse } from '../drachtio-types.js';
import type { ServerAddresses } from '../server-addresses.js';
import type { SipTimeouts } from '../sip-timeouts.js';
import { RegisterRequest } from './register-request.js';
import type { FarEnd } from './seen-place.js';
import { TrunkRegistration, type RegistrationChange } from './trunk-registration.js';

/** A registration as it is shown to operators. */
export interface RegistrationStatus {
  readonly trunk: string;
  /** `host:port`. */
  readonly server: string;
  readonly isRegistered: boolean;
  /** Why it is not, once that is known. */
  readonly why: string | undefined;
}

export interface RegistrationsOptions {
  readonly srf: SrfApi;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly logger: Logger;
  /** 0 to 1. */
  readonly random: () => number;
  /** What tells this machine from others. */
  readonly machine: string;
  readonly addresses: ServerAddresses;
  readonly logins: TrunkLogins;
  readonly trunks: readonly Trunk[];
  readonly timeouts: Pick<SipTimeouts, 'registerMs' | 'closeMs'>;
}

type Place = Pick<Target, 'trunk' | 'server'>;
type Kept = Place & { readonly registration: TrunkRegistration };

/** All registrations: each trunk with `register` at each of its servers, which are registrars of their own. */
export class Registrations {
  readonly #all = new Map<string, Kept>();
  readonly #listeners: ((change: RegistrationChange) => void)[] = [];
  /** Registrations of trunks that are gone, or are others now, on their way out, by key. */
  readonly #leaving = new Map<string, Promise<void>>();
  #isStarted = false;

  constructor(private readonly options: RegistrationsOptions) {
    this.use(options.trunks);
  }

  /**
   * The trunks are these from now on: registrations of those that are as before stay, others are taken back before a new one at
   * the same server begins.
   */
  use(trunks: readonly Trunk[]): void {
    const before = new Map(this.#all);
    this.#all.clear();
    for (const trunk of trunks.filter(({ register, auth }) => register && auth)) {
      for (const server of trunk.servers) {
        const key = keyOf(trunk, server);
        const known = before.get(key);
        if (known && registeredBy(known.trunk, known.server) === registeredBy(trunk, server)) {
          before.delete(key);
          this.#all.set(key, known);
        } else this.#all.set(key, { trunk, server, registration: this.#made(trunk, server) });
      }
    }
    for (const [key, { registration }] of before) this.#leave(key, registration);
    if (this.#isStarted) for (const [key, { registration }] of this.#all) this.#begin(key, registration);
  }

  #made(trunk: Trunk, server: SipServer): TrunkRegistration {
    const { clock, logger, random, timeouts } = this.options;
    const request = new RegisterRequest({ ...this.options, trunk, server, answerMs: timeouts.registerMs });
    return new TrunkRegistration({
      ...{ trunk, server, request, clock, logger, random, closeMs: timeouts.closeMs },
      onChange: (change) => this.#changed(change),
    });
  }

  #leave(key: string, registration: TrunkRegistration): void {
    const left = registration.stop().finally(() => {
      if (this.#leaving.get(key) === left) this.#leaving.delete(key);
    });
    this.#leaving.set(key, left);
  }

  /** One at a time at a server: the new binding would be taken back with the old one. */
  #begin(key: string, registration: TrunkRegistration): void {
    const leaving = this.#leaving.get(key);
    if (!leaving) return registration.start();
    void leaving.then(() => {
      if (this.#isStarted && this.#all.get(key)?.registration === registration) this.#begin(key, registration);
    });
  }

  /** Calls back with every change. */
  onChange(listener: (change: RegistrationChange) => void): void {
    this.#listeners.push(listener);
  }

  start(): void {
    this.#isStarted = true;
    for (const [key, { registration }] of this.#all) this.#begin(key, registration);
  }

  /** Takes all back; resolves when that is done or has had its time. Idempotent. */
  async stop(): Promise<void> {
    this.#isStarted = false;
    const stopping = [...this.#all.values()].map(({ registration }) => registration.stop());
    await Promise.all([...stopping, ...this.#leaving.values()]);
  }

  linkLost(): void {
    this.#each((registration) => registration.linkLost());
  }

  linkBack(): void {
    this.#each((registration) => registration.linkBack());
  }

  connectionLost(farEnd: FarEnd): void {
    this.#each((registration) => registration.connectionLost(farEnd));
  }

  /** A server has answered something that is no REGISTER. */
  heard({ trunk, server }: Place, response: SrfResponse): void {
    this.#all.get(keyOf(trunk, server))?.registration.heard(response);
  }

  /** Whether a server is to be tried before others: one that does not have us registered may refuse our calls. */
  isWell({ trunk, server }: Place): boolean {
    return this.#all.get(keyOf(trunk, server))?.registration.state.failure === undefined;
  }

  /** Whether calls to a server are to stay on the connection that its registration came over. */
  isFlow({ trunk, server }: Place): boolean {
    return this.#all.get(keyOf(trunk, server))?.registration.isFlow ?? false;
  }

  statuses(): RegistrationStatus[] {
    return [...this.#all.values()].map(({ trunk, server, registration }) => {
      const { isRegistered, state } = registration;
      return { trunk: trunk.name, server: placeOf(server), isRegistered, why: state.failure?.why };
    });
  }

  #each(act: (registration: TrunkRegistration) => void): void {
    for (const { registration } of this.#all.values()) act(registration);
  }

  #changed(change: RegistrationChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}

const placeOf = ({ hostname, port }: SipServer): string => `${hostname}:${port}`;
/** All that a registration depends on. */
const registeredBy = ({ auth, registerExpiresMs, outboundProxy, from }: Trunk, server: SipServer): string =>
  JSON.stringify([auth, registerExpiresMs, outboundProxy, from, server]);
const keyOf = (trunk: Trunk, server: SipServer): string => `${trunk.name} ${server.transport} ${placeOf(server)}`;
