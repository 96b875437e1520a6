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
  readonly addresses: ServerAddresses;
  readonly logins: TrunkLogins;
  readonly trunks: readonly Trunk[];
  readonly timeouts: Pick<SipTimeouts, 'registerMs' | 'closeMs'>;
}

type Place = Pick<Target, 'trunk' | 'server'>;

/** All registrations: each trunk with `register` at each of its servers, which are registrars of their own. */
export class Registrations {
  readonly #all = new Map<string, Place & { readonly registration: TrunkRegistration }>();
  readonly #listeners: ((change: RegistrationChange) => void)[] = [];

  constructor(options: RegistrationsOptions) {
    const { clock, logger, random, timeouts } = options;
    for (const trunk of options.trunks.filter(({ register, auth }) => register && auth)) {
      for (const server of trunk.servers) {
        const request = new RegisterRequest({ ...options, trunk, server, answerMs: timeouts.registerMs });
        const registration = new TrunkRegistration({
          ...{ trunk, server, request, clock, logger, random, closeMs: timeouts.closeMs },
          onChange: (change) => this.#changed(change),
        });
        this.#all.set(keyOf(trunk, server), { trunk, server, registration });
      }
    }
  }

  /** Calls back with every change. */
  onChange(listener: (change: RegistrationChange) => void): void {
    this.#listeners.push(listener);
  }

  start(): void {
    this.#each((registration) => registration.start());
  }

  /** Takes all back; resolves when that is done or has had its time. Idempotent. */
  async stop(): Promise<void> {
    await Promise.all([...this.#all.values()].map(({ registration }) => registration.stop()));
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
const keyOf = (trunk: Trunk, server: SipServer): string => `${trunk.name} ${server.transport} ${placeOf(server)}`;
