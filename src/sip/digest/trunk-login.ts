import type { IdSource } from '../../lib/ids.js';
import type { Logger } from '../../lib/logger.js';
import type { SipServer, Target, Trunk, TrunkAuth } from '../../routing/types.js';
import type { SrfResponse } from '../drachtio-types.js';
import { headerBytes } from '../frame-room.js';
import { isSameAddress } from '../ip-network.js';
import { siteOf, type ServerAddresses } from '../server-addresses.js';
import { escapedQuoted } from './auth-header.js';
import { chooseChallenge, parseChallenges, type DigestChallenge } from './challenge.js';
import { credentials } from './response.js';

/** The request that was challenged. */
export interface ChallengedRequest {
  readonly method: string;
  readonly uri: string;
}

/** What of its refusal is looked at. */
export type Challenge = Pick<SrfResponse, 'status' | 'source_address' | 'get'>;

/** What a request is repeated with: one header for a server, one for a proxy, or both. */
export type Credentials = Partial<Record<CredentialsName, string>>;
type CredentialsName = 'Authorization' | 'Proxy-Authorization';

/**
 * Whom a trunk's password is shown to (the CVE-2021-41158 class): a challenge counts only if it came from the server that
 * was dialled, in the realm that is configured or, without one, that this server named first outside a dialog: inside one
 * whoever was called may stand behind the challenge. See decisions 0200 and 0260.
 */
export class TrunkLogins {
  /** First realm a server of a trunk named. One that changes its realm needs `auth.realm`, or a restart. */
  readonly #realms = new Map<string, string>();

  constructor(
    private readonly addresses: ServerAddresses,
    private readonly ids: IdSource,
    private readonly logger: Logger,
  ) {}

  /**
   * The login of one request to this server, or the place of it that is named, however often it is repeated; undefined if the
   * trunk has no credentials, or has not named the server: where a PBX sends our calls by a 3xx or a REFER is its word.
   */
  loginAt({ trunk, server, place }: Pick<Target, 'trunk' | 'server' | 'place'>): TrunkLogin | undefined {
    const { auth } = trunk;
    const at = placeOf(trunk, server);
    if (!auth || !trunk.servers.some((named) => placeOf(trunk, named) === at)) return undefined;
    // DNS may name other addresses by the time an answer comes.
    const isServer = (from: string): boolean =>
      (place !== undefined && isSameAddress(place.address, from)) || this.#isAt(trunk, server, from);
    return this.#login(trunk, auth, { isServer, realmOf: (challenges) => this.#realmOf(auth, at, challenges) });
  }

  /**
   * The login of a request inside a dialog with a server of the trunk at this address; undefined if there is none, or no
   * realm to answer in is known.
   */
  loginInDialog(trunk: Trunk, address: string): TrunkLogin | undefined {
    const server = trunk.servers.find((candidate) => this.#isAt(trunk, candidate, address));
    if (!trunk.auth || !server) return undefined;
    const realm = trunk.auth.realm;
    const known = realm === undefined ? this.#realms.get(placeOf(trunk, server)) : escapedQuoted(realm);
    if (known === undefined) return undefined;
    const isServer = (from: string): boolean => this.#isAt(trunk, server, from);
    return this.#login(trunk, trunk.auth, { isServer, realmOf: () => known });
  }

  #login({ name }: Trunk, auth: TrunkAuth, ground: Pick<LoginGround, 'isServer' | 'realmOf'>): TrunkLogin {
    return new TrunkLogin(auth, { ...ground, ids: this.ids, logger: this.logger.child({ trunk: name }) });
  }

  #isAt(trunk: Trunk, server: SipServer, address: string): boolean {
    return this.addresses.knownAddresses(siteOf(trunk, server)).some((known) => isSameAddress(known, address));
  }

  /** The realm that is answered here; undefined when none is known and it cannot be told which of several to trust. */
  #realmOf(auth: TrunkAuth, place: string, challenges: readonly DigestChallenge[]): string | undefined {
    if (auth.realm !== undefined) return escapedQuoted(auth.realm);
    const [first, ...others] = new Set(challenges.map(({ realm }) => realm));
    const known = this.#realms.get(place);
    if (known !== undefined || first === undefined || others.length > 0) return known;
    this.#realms.set(place, first);
    return first;
  }
}

const placeOf = (trunk: Trunk, { hostname, port }: SipServer): string => `${trunk.name} ${hostname}:${port}`;

interface LoginGround {
  /** Whether an address is the dialled server's. */
  readonly isServer: (address: string) => boolean;
  readonly realmOf: (challenges: readonly DigestChallenge[]) => string | undefined;
  readonly ids: IdSource;
  readonly logger: Logger;
}

/**
 * Most of a challenge that is given back, in bytes: an INVITE that proves itself to a server and to a proxy before it must still
 * fit a frame.
 */
const echoLimitBytes = 768;

/** A challenge whose answer the request carries. */
interface Answered {
  readonly challenge: DigestChallenge;
  /** Requests that have carried its nonce. */
  count: number;
  /** Nonces of this kind of challenge, this one included. */
  readonly nonces: readonly string[];
}

/**
 * One request's way past the challenges of its server, and of a proxy before it (RFC 3261 §22.3): of each kind the first is
 * answered; a second only if it says that the nonce was stale and brings another one. Whatever else comes is a refusal of the
 * credentials (RFC 3261 §22.1).
 */
export class TrunkLogin {
  readonly #answered = new Map<CredentialsName, Answered>();

  constructor(
    private readonly auth: TrunkAuth,
    private readonly ground: LoginGround,
  ) {}

  /**
   * What to repeat the request with; undefined if it is not to be repeated, which is logged. Credentials that would take up more
   * than `roomBytes` name the host alone as their URI: most servers do not compare it with the Request-URI, and what is not sent
   * helps nobody.
   */
  answer(
    request: ChallengedRequest,
    response: Challenge,
    roomBytes = Number.POSITIVE_INFINITY,
  ): Credentials | undefined {
    const name = response.status === 407 ? 'Proxy-Authorization' : 'Authorization';
    const judged = this.#judge(name, response);
    if (typeof judged === 'string') {
      const from = response.source_address;
      this.ground.logger.warn('digest challenge not answered', { objection: judged, status: response.status, from });
      return undefined;
    }
    const nonces = [...(this.#answered.get(name)?.nonces ?? []), judged.nonce];
    this.#answered.set(name, { challenge: judged, count: 0, nonces });
    for (const answered of this.#answered.values()) answered.count++;
    const { method, uri } = request;
    const short = withoutUser(uri);
    const proofs = this.#proofs(method, this.auth.uri === 'host' ? short : uri);
    if (this.auth.uri === 'host' || headerBytes(proofs) <= roomBytes) return proofs;
    this.ground.logger.warn('credentials name the host alone: the request would be too large', { method });
    return this.#proofs(method, short);
  }

  #proofs(method: string, uri: string): Credentials {
    const { username, password } = this.auth;
    const proof = ({ challenge, count }: Answered): string =>
      credentials(challenge, { username, password, method, uri, cnonce: this.ground.ids.hex(16), count });
    return Object.fromEntries([...this.#answered].map(([name, answered]) => [name, proof(answered)]));
  }

  /** The challenge to answer, or why there is none. */
  #judge(name: CredentialsName, response: Challenge): DigestChallenge | string {
    if (!this.ground.isServer(response.source_address)) return 'not from the dialled server';
    const all = parseChallenges(response.get(name === 'Authorization' ? 'WWW-Authenticate' : 'Proxy-Authenticate'));
    const challenges = all.filter(
      ({ realm, nonce, opaque = '' }) => Buffer.byteLength(realm + nonce + opaque) <= echoLimitBytes,
    );
    if (challenges.length === 0)
      return all.length > 0 ? 'challenge too long to be answered' : 'no digest challenge that can be answered';
    const realm = this.ground.realmOf(challenges);
    const ours = challenges.filter((challenge) => challenge.realm === realm);
    if (ours.length === 0) return realm === undefined ? 'several realms, and none configured' : 'foreign realm';
    const chosen = chooseChallenge(ours, this.auth.algorithms);
    if (!chosen) return 'algorithm not allowed on this trunk';
    return this.#objectionToRepeat(name, chosen) ?? chosen;
  }

  #objectionToRepeat(name: CredentialsName, { isStale, nonce }: DigestChallenge): string | undefined {
    const before = this.#answered.get(name)?.nonces;
    if (!before) return undefined;
    const isAgain = isStale && before.length === 1 && !before.includes(nonce);
    return isAgain ? undefined : 'credentials refused';
  }
}

/** `sip:user;params@host:5060;transport=tcp` without user and parameters. */
function withoutUser(uri: string): string {
  const [, scheme = 'sip', host = ''] = /^(sips?):(?:[^@]*@)?([^;?]*)/i.exec(uri) ?? [];
  return `${scheme}:${host}`;
}
