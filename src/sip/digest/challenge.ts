import type { DigestAlgorithm } from '../../routing/types.js';
import { algorithmNamed, type NamedAlgorithm } from './algorithm.js';
import { parseAuthHeader, type AuthValue } from './auth-header.js';

/** A Digest challenge that can be answered (RFC 7616 §3.3); texts as they stand between their quotes. */
export interface DigestChallenge {
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | undefined;
  /** The nonce before this one was good, but is too old. */
  readonly isStale: boolean;
  readonly algorithm: NamedAlgorithm;
  /** How the algorithm was named; undefined if it was not, which means MD5. */
  readonly algorithmToken: string | undefined;
  /** False: the old form without client nonce (RFC 2069). */
  readonly hasQop: boolean;
}

/**
 * The challenges of a WWW-Authenticate or Proxy-Authenticate that can be answered, in their order. Other schemes, algorithms
 * not known here and qop without `auth` are left out (RFC 8760 §2.3); the form without qop is taken with plain MD5 alone,
 * which is the only algorithm it was ever defined for.
 */
export function parseChallenges(header: string | undefined): DigestChallenge[] {
  return parseAuthHeader(header ?? '').flatMap((value) => challengeOf(value) ?? []);
}

function challengeOf({ scheme, params }: AuthValue): DigestChallenge | undefined {
  const [realm, nonce, qop] = [params.get('realm'), params.get('nonce'), params.get('qop')];
  const token = params.get('algorithm');
  const algorithm = algorithmNamed(token ?? 'MD5');
  if (scheme !== 'digest' || realm === undefined || nonce === undefined || !algorithm) return undefined;
  const isPlainMd5 = algorithm.hash === 'MD5' && !algorithm.isSession;
  const isAnswerable = qop === undefined ? isPlainMd5 : hasAuth(qop);
  if (!isAnswerable) return undefined;
  return {
    ...{ realm, nonce, algorithm, algorithmToken: token },
    opaque: params.get('opaque'),
    isStale: params.get('stale')?.toLowerCase() === 'true',
    hasQop: qop !== undefined,
  };
}

const hasAuth = (qop: string): boolean => qop.split(',').some((option) => option.trim().toLowerCase() === 'auth');

/**
 * The challenge to answer: the first whose algorithm is allowed, as the server orders them (RFC 8760 §2.4); MD5 only when
 * nothing better that is allowed was asked for, wherever it stands.
 */
export function chooseChallenge(
  challenges: readonly DigestChallenge[],
  allowed: readonly DigestAlgorithm[],
): DigestChallenge | undefined {
  const usable = challenges.filter(({ algorithm }) => allowed.includes(algorithm.hash));
  return usable.find(({ algorithm }) => algorithm.hash !== 'MD5') ?? usable[0];
}
