import { hashHex, type NamedAlgorithm } from './algorithm.js';
import { digestHeader, escapedQuoted, type AuthParam } from './auth-header.js';
import type { DigestChallenge } from './challenge.js';

/** What a digest response is computed from (RFC 7616 §3.4.1). */
export interface ResponseInput {
  readonly algorithm: NamedAlgorithm;
  readonly username: string;
  readonly realm: string;
  readonly password: string;
  readonly nonce: string;
  readonly method: string;
  readonly uri: string;
  /** What `qop=auth` adds; undefined for the form without qop. `nc` is eight hex digits. */
  readonly qop: { readonly nc: string; readonly cnonce: string } | undefined;
}

/** The `response` of Digest credentials, for qop=auth or none. */
export function digestResponse(input: ResponseInput): string {
  const { algorithm, username, realm, password, nonce, method, uri, qop } = input;
  const hash = (...parts: readonly string[]): string => hashHex(algorithm.hash, parts.join(':'));
  const plain = hash(username, realm, password);
  const secret = algorithm.isSession ? hash(plain, nonce, qop?.cnonce ?? '') : plain;
  const request = hash(method, uri);
  return qop ? hash(secret, nonce, qop.nc, qop.cnonce, 'auth', request) : hash(secret, nonce, request);
}

/** By whom and for what a challenge is answered. */
export interface AnswerInput {
  readonly username: string;
  readonly password: string;
  readonly method: string;
  readonly uri: string;
  /** A fresh random token. */
  readonly cnonce: string;
  /** How many requests have carried this nonce, this one included. */
  readonly count: number;
}

/**
 * The value of Authorization or Proxy-Authorization for a challenge (RFC 7616 §3.4). The algorithm is named as the challenge
 * names it.
 */
export function credentials(challenge: DigestChallenge, answer: AnswerInput): string {
  const { realm, nonce, opaque, algorithm, algorithmToken, hasQop } = challenge;
  const { uri, cnonce, count } = answer;
  const qop = hasQop ? { nc: count.toString(16).padStart(8, '0'), cnonce } : undefined;
  const response = digestResponse({ ...answer, algorithm, realm, nonce, qop });
  const params: AuthParam[] = [
    ['username', { quoted: escapedQuoted(answer.username) }],
    ['realm', { quoted: realm }],
    ['nonce', { quoted: nonce }],
    ['uri', { quoted: uri }],
    ['response', { quoted: response }],
  ];
  if (algorithmToken !== undefined) params.push(['algorithm', algorithmToken]);
  if (opaque !== undefined) params.push(['opaque', { quoted: opaque }]);
  if (qop) params.push(['qop', 'auth'], ['nc', qop.nc], ['cnonce', { quoted: cnonce }]);
  return digestHeader(params);
}
