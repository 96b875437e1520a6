import { isIPv6 } from 'node:net';
import type { SipServer } from '../routing/types.js';
import { plainSipText, quotedSipText } from './sip-text.js';

/** What the user part may hold unescaped (RFC 3261 §25.1) and what separates it from its own parameters (RFC 4904) may not. */
const userSafe = /[A-Za-z0-9\-_.!~*'()&=+$,/]/;
/** RFC 3966 `paramchar` as far as the user part of a SIP URI allows it. */
const parameterSafe = /[A-Za-z0-9\-_.!~*'()&+$/]/;

/** Longest user part or parameter, in characters; Meta allows 128 for a parameter's key and value. */
const partLimit = 128;

function escaped(text: string, safe: RegExp): string {
  const bytes = Buffer.from(plainSipText(text, partLimit), 'utf8');
  let out = '';
  for (const byte of bytes) {
    const char = String.fromCharCode(byte);
    out += byte < 0x80 && safe.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}

/** A user part with everything escaped that would end it or start a parameter. */
export function escapeSipUser(user: string): string {
  return escaped(user, userSafe);
}

/** Parameters of the user part: `;key=value`, or `;key` for an empty value (RFC 4904 tgrp and the like). */
export function userParameters(params: Readonly<Record<string, string>>): string {
  return Object.entries(params)
    .map(([key, value]) => `;${escaped(key, parameterSafe)}${value === '' ? '' : `=${escaped(value, parameterSafe)}`}`)
    .join('');
}

/** `host` as it stands in a URI: IPv6 in brackets. */
export function uriHost(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

/**
 * The Request-URI of a target: `sip:USER[;k=v…]@host:port[;transport=…]`. UDP is the default and not named
 * (RFC 3261 §19.1.2), TLS is named rather than `sips:` so that only this hop is meant.
 */
export function requestUri(user: string, server: SipServer): string {
  return `sip:${escapeSipUser(user)}${userParameters(server.requestUriUserParams)}@${serverPart(server)}`;
}

/** The Request-URI of what is asked of a server itself. */
export function serverUri(server: SipServer): string {
  return `sip:${serverPart(server)}`;
}

/** What is left to DNS is not said: a port or transport would keep the next proxy from asking (RFC 3263 §4). */
function serverPart({ hostname, port, transport, lookup = 'address' }: SipServer): string {
  const portPart = lookup === 'address' ? `:${port}` : '';
  return `${uriHost(hostname)}${portPart}${transport === 'udp' || lookup === 'naptr' ? '' : `;transport=${transport}`}`;
}

/** `"display name" <sip:user@host>`, the name left out when nothing of it is usable. */
export function nameAddr(displayName: string | undefined, user: string, host: string): string {
  const name = displayName === undefined ? '' : plainSipText(displayName);
  // Who has nothing that can be written is still somebody: no call fails because of a name.
  const uri = `<sip:${escapeSipUser(user) || 'anonymous'}@${uriHost(host)}>`;
  return name === '' ? uri : `${quotedSipText(name)} ${uri}`;
}

/** The user part of a SIP or tel URI: decoded, cleaned, without parameters and password; undefined if there is none. */
export function userOfUri(uri: string): string | undefined {
  const text = plainSipText(decodedUser(uri), partLimit);
  return text === '' ? undefined : text;
}

/** Whether `userOfUri` has cut it: such a user is nobody's, and must not be taken for the one whose name it begins with. */
export function hasLongUser(uri: string): boolean {
  return decodedUser(uri).length > partLimit;
}

function decodedUser(uri: string): string {
  const sip = /^sips?:([^@]*)@/i.exec(uri.trim());
  const raw = sip ? sip[1] : /^tel:([^;>]*)/i.exec(uri.trim())?.[1];
  return percentDecoded(raw?.split(/[;:]/, 1)[0] ?? '');
}

/** A broken escape is left as it is: the text is only compared and shown. */
function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
