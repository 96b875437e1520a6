import type { SipTransport } from '../../routing/types.js';
import { splitHeader } from '../header-list.js';
import { userOfUri } from '../sip-uri.js';
import { parseReplaces, type Replaces } from './replaces.js';

/** Where a URI points, apart from its user. */
export interface UriPlace {
  /** Undefined: a telephone number, wherever that is reached. IPv6 without brackets. */
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly transport: SipTransport | undefined;
}

/** Whom a REFER wants called, as far as we follow it. */
export interface ReferTo extends UriPlace {
  /** Decoded and cleaned. */
  readonly user: string;
  /** The dialog that the new call is to take the place of: an attended transfer. */
  readonly replaces: Replaces | undefined;
}

/** A request for a transfer that is not followed: the final status of the REFER, and why, for the log. */
export interface NotFollowed {
  readonly status: number;
  readonly why: string;
}

export type ReadReferTo =
  { readonly ok: true; readonly to: ReferTo } | { readonly ok: false; readonly refusal: NotFollowed };

const lengthLimit = 2_048;
const nameAddrForm = /^\s*(?:"(?:[^"\\]|\\.)*"\s*|[^<>"]*)<([^<>\s]*)>\s*(?:;.*)?$/s;
const sipForm = /^sip:(?:([^@?\s]+)@)?(\[[0-9a-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?((?:;[^?]*)?)(?:\?(.*))?$/i;

/**
 * Reads Refer-To (RFC 3515 §2.1). Of the headers that the URI may carry along (RFC 3261 §19.1.1) only Replaces is followed;
 * others are left out. `sips` would need TLS all the way: not followed.
 */
export function readReferTo(value: string | undefined): ReadReferTo {
  const uri = value === undefined || value.length > lengthLimit ? '' : uriIn(value.trim());
  const scheme = /^([a-z][\w+.-]*):/i.exec(uri)?.[1]?.toLowerCase();
  if (scheme === undefined) return refusal(400, 'no usable Refer-To');
  if (scheme === 'tel') return readTel(uri);
  return scheme === 'sip' ? readSip(uri) : refusal(416, 'scheme of Refer-To');
}

function uriIn(value: string): string {
  // There is exactly one (RFC 3515 §2.4.2): several headers come joined.
  if (splitHeader(value, ',').length > 1) return '';
  const bracketed = nameAddrForm.exec(value)?.[1];
  if (bracketed !== undefined) return bracketed;
  // Without angle brackets what follows a semicolon is the header's own (RFC 3261 §20).
  return /[<>",\s]/.test(value) ? '' : (value.split(';', 1)[0] ?? '');
}

function readSip(uri: string): ReadReferTo {
  const [, , host, port, params = '', headers = ''] = sipForm.exec(uri) ?? [];
  const place = host === undefined ? undefined : placeOf(host, port, params);
  const user = userOfUri(uri);
  if (!place || user === undefined) return refusal(400, 'Refer-To is no SIP URI with a user');
  if (!/^(?:INVITE)?$/i.test(paramOf(params, 'method') ?? '')) return refusal(603, 'only calls are placed');
  const replaces = readReplaces(headers);
  return replaces.ok
    ? { ok: true, to: { user, ...place, replaces: replaces.value } }
    : refusal(400, 'Replaces in Refer-To is none');
}

/** Where a SIP URI points; undefined if it is none, or `sips`. */
export function placeOfUri(uri: string): UriPlace | undefined {
  const [, , host, port, params = ''] = sipForm.exec(uri) ?? [];
  return host === undefined ? undefined : placeOf(host, port, params);
}

function readTel(uri: string): ReadReferTo {
  const user = userOfUri(uri);
  if (user === undefined) return refusal(400, 'Refer-To without number');
  return { ok: true, to: { user, host: undefined, port: undefined, transport: undefined, replaces: undefined } };
}

function placeOf(host: string, port: string | undefined, params: string): UriPlace | undefined {
  const number = port === undefined ? undefined : Number(port);
  if (number !== undefined && (number < 1 || number > 65_535)) return undefined;
  const transport = paramOf(params, 'transport')?.toLowerCase();
  return {
    host: host.replace(/^\[|\]$/g, '').toLowerCase(),
    port: number,
    transport: transport === 'udp' || transport === 'tcp' || transport === 'tls' ? transport : undefined,
  };
}

function paramOf(params: string, name: string): string | undefined {
  for (const param of params.split(';')) {
    const [key = '', value = ''] = param.split('=', 2);
    if (key.trim().toLowerCase() === name) return value.trim();
  }
  return undefined;
}

/** The one Replaces among the URI's headers, unescaped. */
function readReplaces(headers: string): { readonly ok: boolean; readonly value?: Replaces | undefined } {
  const values = headers
    .split('&')
    .filter((header) => /^replaces=/i.test(header))
    .map((header) => unescaped(header.slice(header.indexOf('=') + 1)));
  const [value, ...more] = values;
  if (values.length === 0) return { ok: true };
  const replaces = value === undefined || more.length > 0 ? undefined : parseReplaces(value);
  return { ok: replaces !== undefined, value: replaces };
}

function unescaped(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function refusal(status: number, why: string): ReadReferTo {
  return { ok: false, refusal: { status, why } };
}

const referredByForm = /^\s*(?:"(?:[^"\\]|\\.)*"\s*|[^<>"]*)<(sips?:[\x21\x23-\x3b\x3d\x3f-\x7e]{1,256})>/i;

/** The URI of who asked for the transfer, for the new INVITE (RFC 3892 §2.1); nothing else of the header is passed on. */
export function referredBy(value: string | undefined): string | undefined {
  const uri = referredByForm.exec(value ?? '')?.[1] ?? /^\s*(sips?:[^\s;,?<>"]{1,256})/i.exec(value ?? '')?.[1];
  return uri === undefined ? undefined : `<${uri}>`;
}
