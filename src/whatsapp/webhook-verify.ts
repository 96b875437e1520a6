import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

const SIGNATURE = /^sha256=([0-9a-f]{64})$/i;

/**
 * Whether `X-Hub-Signature-256` is the HMAC-SHA256 of the raw body under one of the app's secrets (two while rotating).
 * The raw bytes are what Meta signed; JSON that was parsed and written again differs in escapes.
 */
export function isSigned(body: Uint8Array, header: string | undefined, appSecrets: readonly string[]): boolean {
  const hex = SIGNATURE.exec(header ?? '')?.[1];
  if (hex === undefined) return false;
  const given = Buffer.from(hex, 'hex');
  let valid = false;
  for (const secret of appSecrets) {
    const expected = createHmac('sha256', secret).update(body).digest();
    // No early way out: the time taken does not tell which secret fitted.
    if (secret !== '' && timingSafeEqual(given, expected)) valid = true;
  }
  return valid;
}

/** Compares two secrets in constant time, whatever their lengths. An empty `expected` matches nothing. */
export function isSameSecret(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected)) && expected !== '';
}

/**
 * Meta's verification request (`GET ?hub.mode=subscribe&hub.verify_token=…&hub.challenge=…`), sent whenever the callback URL
 * or the token is edited. Returns the challenge to answer with, or undefined for 403.
 */
export function challengeOf(query: Readonly<Record<string, unknown>>, verifyToken: string): string | undefined {
  const { 'hub.mode': mode, 'hub.verify_token': token, 'hub.challenge': challenge } = query;
  if (mode !== 'subscribe' || typeof token !== 'string' || typeof challenge !== 'string') return undefined;
  if (!isSameSecret(token, verifyToken)) return undefined;
  // Meta's challenges are digits; anything that a browser could take for markup is not echoed.
  return /^[A-Za-z0-9._-]{1,256}$/.test(challenge) ? challenge : undefined;
}
