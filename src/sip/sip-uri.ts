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
  const transport = server.transport === 'udp' ? '' : `;transport=${server.transport}`;
  const userPart = `${escapeSipUser(user)}${userParameters(server.requestUriUserParams)}`;
  return `sip:${userPart}@${uriHost(server.hostname)}:${server.port}${transport}`;
}

/**
 * Where a request to a server goes when its name was looked up here: its address as a URI. Names are ours to resolve, since a
 * drachtio-server asks DNS alone and wedges when that is away. TLS keeps the name, which the certificate is checked against;
 * the address stands beside it (RFC 3261 §19.1.1 maddr).
 */
export function nextHopUri({ transport, hostname, port }: SipServer, address: string): string {
  if (transport === 'tls') return `sip:${uriHost(hostname)}:${port};transport=tls;maddr=${uriHost(address)}`;
  return `sip:${uriHost(address)}:${port}${transport === 'tcp' ? ';transport=tcp' : ''}`;
}

/** `"display name" <sip:user@host>`, the name left out when nothing of it is usable. */
export function nameAddr(displayName: string | undefined, user: string, host: string): string {
  const name = displayName === undefined ? '' : plainSipText(displayName);
  const uri = `<sip:${escapeSipUser(user)}@${uriHost(host)}>`;
  return name === '' ? uri : `${quotedSipText(name)} ${uri}`;
}

/** The user part of a SIP or tel URI: decoded, cleaned, without parameters and password; undefined if there is none. */
export function userOfUri(uri: string): string | undefined {
  const sip = /^sips?:([^@]*)@/i.exec(uri.trim());
  const raw = sip ? sip[1] : /^tel:([^;>]*)/i.exec(uri.trim())?.[1];
  const user = raw?.split(/[;:]/, 1)[0];
  if (user === undefined || user === '') return undefined;
  const text = plainSipText(percentDecoded(user), partLimit);
  return text === '' ? undefined : text;
}

/** A broken escape is left as it is: the text is only compared and shown. */
function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
