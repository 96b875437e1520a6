import { createHash } from 'node:crypto';
import type { DigestAlgorithm } from '../../routing/types.js';

/** An algorithm as a message names it: the hash, and whether the password's hash is bound to the nonce (`-sess`). */
export interface NamedAlgorithm {
  readonly hash: DigestAlgorithm;
  readonly isSession: boolean;
}

const nodeNames: Readonly<Record<DigestAlgorithm, string>> = {
  'SHA-512-256': 'sha512-256',
  'SHA-256': 'sha256',
  MD5: 'md5',
};

/** Reads an algorithm token (RFC 7616 §6.1, RFC 8760 §2.1), in any case; undefined for one that is not known here. */
export function algorithmNamed(token: string): NamedAlgorithm | undefined {
  const upper = token.toUpperCase();
  const isSession = upper.endsWith('-SESS');
  const hash = isSession ? upper.slice(0, -'-SESS'.length) : upper;
  return isDigestAlgorithm(hash) ? { hash, isSession } : undefined;
}

/** The hash of a text (UTF-8) in lower-case hex. */
export function hashHex(hash: DigestAlgorithm, text: string): string {
  return createHash(nodeNames[hash]).update(text, 'utf8').digest('hex');
}

const isDigestAlgorithm = (name: string): name is DigestAlgorithm => Object.hasOwn(nodeNames, name);
