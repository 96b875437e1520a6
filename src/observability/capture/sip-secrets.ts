/** Credentials of SIP, continuation lines included (RFC 3261 §7.3.1); the scheme stays. */
const CREDENTIALS = /^((?:proxy-)?authorization[ \t]*:[ \t]*[a-z0-9-]*)((?:[^\r\n]|\r?\n[ \t]+)*)/gim;
/** Keys in SDP: SDES (RFC 4568), the password of ICE (RFC 8839), and the older forms. Fingerprints are no secrets. */
const SDP_KEYS = /^(a=crypto:[^\r\n]*?inline:|a=ice-pwd:|a=key-mgmt:|k=)([^\r\n]*)/gim;
/** A further key in the same line (RFC 4568 §6.1) is covered by the first; a password in a SIP URI is not. */
const URI_PASSWORDS = /(\bsips?:[^\s:@;<>"]*:)([^\s@<>"]+)(?=@)/gi;

/**
 * A SIP message without its keys and credentials. Every byte is replaced by one `x`, so that lengths in it stay right. Telephone
 * numbers stay as they are.
 */
export function withoutSipSecrets(message: string): string {
  return [CREDENTIALS, SDP_KEYS, URI_PASSWORDS].reduce(
    (so, pattern) => so.replace(pattern, (_all, kept: string, secret: string) => kept + crossedOut(secret)),
    message,
  );
}

const crossedOut = (secret: string): string =>
  secret.replace(/[^\s]/gu, (character) => 'x'.repeat(Buffer.byteLength(character)));
