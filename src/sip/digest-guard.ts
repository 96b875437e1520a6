import type { Logger } from '../lib/logger.js';
import type { SipServer, Trunk } from '../routing/types.js';
import type { SrfAuthFunction, SrfResponse } from './drachtio-types.js';
import { isSameAddress } from './ip-network.js';
import type { ServerAddresses } from './server-addresses.js';

/** The parts of a digest challenge that decide whether it is answered (RFC 8760 §2, RFC 3261 §22). */
export interface DigestChallenge {
  readonly realm: string;
  readonly algorithm: string;
}

/**
 * Reads a WWW-Authenticate or Proxy-Authenticate value as srf will: with the first realm and the rest of the last
 * challenge. Undefined when that is ambiguous (several realms, one hidden in another value), so that what is checked is
 * what would be answered.
 */
export function parseChallenge(value: string | undefined): DigestChallenge | undefined {
  if (value === undefined || !/^\s*digest\s/i.test(value)) return undefined;
  const challenges = value.split(/(?:^|,)\s*digest\s+/i).slice(1);
  const realms = challenges.flatMap((challenge) => [...challenge.matchAll(/realm\s*=\s*"?([^",]*)/gi)]);
  const [realm, ...others] = new Set(realms.map(([, name]) => name));
  if (realm === undefined || others.length > 0 || realms.length !== challenges.length) return undefined;
  const algorithm = /(?:^|[\s,])algorithm\s*=\s*"?([\w-]+)"?/i.exec(challenges.at(-1) ?? '')?.[1] ?? 'MD5';
  return { realm, algorithm: algorithm.toUpperCase() };
}

/**
 * Decides whom a trunk's password is shown to. srf would answer any 401 or 407 of any realm (the CVE-2021-41158 class) and
 * answers a SHA-256 challenge with MD5; here a challenge counts only if it came from the server that was dialled, asks for
 * MD5, and names the realm that trunk used first.
 */
export class DigestGuard {
  /** First realm a trunk's servers named. A server that changes its realm needs a restart of the daemon. */
  readonly #realms = new Map<string, string>();

  constructor(
    private readonly addresses: ServerAddresses,
    private readonly logger: Logger,
  ) {}

  /** Credentials for an INVITE to this server; undefined if the trunk has none. Never to be set on a dialog. */
  authFor(trunk: Trunk, server: SipServer): SrfAuthFunction | undefined {
    const { auth } = trunk;
    if (!auth) return undefined;
    return (request, challenge, callback) => {
      const objection = request.method === 'INVITE' ? this.#objection(trunk, server, challenge) : 'not an INVITE';
      if (objection === undefined) return callback(null, auth.username, auth.password);
      this.logger.warn('digest challenge not answered', {
        trunk: trunk.name,
        objection,
        from: challenge.source_address,
      });
      callback(new Error(objection));
    };
  }

  #objection(trunk: Trunk, server: SipServer, response: SrfResponse): string | undefined {
    const known = this.addresses.known(server.hostname);
    if (!known.some((address) => isSameAddress(address, response.source_address))) return 'not from the dialled server';
    const header = response.status === 407 ? 'Proxy-Authenticate' : 'WWW-Authenticate';
    const challenge = parseChallenge(response.get(header));
    if (!challenge) return 'no digest challenge';
    if (challenge.algorithm !== 'MD5') return 'algorithm not supported';
    const realm = this.#realms.get(trunk.name) ?? challenge.realm;
    if (realm !== challenge.realm) return 'foreign realm';
    this.#realms.set(trunk.name, realm);
    return undefined;
  }
}
