import { isHost, parsePort } from './grammar.js';
import { remembering } from './recent.js';

/** A SIP or SIPS URI (RFC 3261 §19.1). Text is kept as it was written; names of parameters are in lower case. */
export interface SipUri {
  readonly scheme: 'sip' | 'sips';
  readonly user: string | undefined;
  /** IPv6 keeps its brackets. */
  readonly host: string;
  readonly port: number | undefined;
  readonly params: ReadonlyMap<string, string | undefined>;
  readonly headers: string | undefined;
}

const SHAPE = /^(sips?):(?:([^@]*)@)?(\[[^\]]*\]|[^:;?@[\]]+)(?::([^;?]*))?((?:;[^?]*)?)(?:\?(.*))?$/i;
const USER_INFO =
  /^(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/#]|%[0-9A-Fa-f]{2})+(?::(?:[A-Za-z0-9\-_.!~*'()&=+$,]|%[0-9A-Fa-f]{2})*)?$/;
const PARAM_CHARS = /^(?:[A-Za-z0-9\-_.!~*'()[\]/:&+$]|%[0-9A-Fa-f]{2})+$/;
const HEADER_CHARS = /^(?:[A-Za-z0-9\-_.!~*'()[\]/?:+$=&;,@]|%[0-9A-Fa-f]{2})*$/;
const SIP_SCHEME = /^sips?:/i;
const ABSOLUTE = /^[A-Za-z][A-Za-z0-9+.-]*:[^\s<>"]+$/;

/** Each opening bracket costs drachtio-srf a pass over the rest of the URI. One is an IPv6 host; in parameters they are rare. */
const MAX_BRACKETS = 8;

/** Reads a SIP URI; undefined when it is not a valid one. `#` is taken in the user part: PBXs write it so. */
export const parseSipUri: (text: string) => SipUri | undefined = remembering(readSipUri);

function readSipUri(text: string): SipUri | undefined {
  const match = shapeOf(text);
  if (!match) return undefined;
  const [, scheme = '', user, host = '', portText, paramText = '', headers] = match;
  const port = parsePort(portText ?? '');
  const params = parseUriParams(paramText);
  if (!params || isBadPort(portText, port) || !isUserPart(user) || !isHost(host) || !isHeaderPart(headers))
    return undefined;
  return { scheme: scheme.toLowerCase() === 'sips' ? 'sips' : 'sip', user, host, port, params, headers };
}

const shapeOf = (text: string): RegExpExecArray | null =>
  text.includes('[') && text.split('[').length > MAX_BRACKETS + 1 ? null : SHAPE.exec(text);
const isBadPort = (text: string | undefined, port: number | undefined): boolean =>
  text !== undefined && port === undefined;
const isUserPart = (user: string | undefined): boolean => user === undefined || USER_INFO.test(user);
const isHeaderPart = (headers: string | undefined): boolean => headers === undefined || HEADER_CHARS.test(headers);

function parseUriParams(text: string): Map<string, string | undefined> | undefined {
  const params = new Map<string, string | undefined>();
  if (text === '') return params;
  for (const part of text.slice(1).split(';')) {
    const equals = part.indexOf('=');
    const name = equals < 0 ? part : part.slice(0, equals);
    const value = equals < 0 ? undefined : part.slice(equals + 1);
    if (!PARAM_CHARS.test(name) || (value !== undefined && !PARAM_CHARS.test(value))) return undefined;
    params.set(name.toLowerCase(), value);
  }
  return params;
}

/** The scheme in lower case; undefined when there is none. */
export const schemeOf = (text: string): string | undefined =>
  /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text)?.[1]?.toLowerCase();

/** Is it usable where any URI may stand (From, To, Contact)? A SIP URI must be a valid one. */
export function isUri(text: string): boolean {
  return SIP_SCHEME.test(text) ? parseSipUri(text) !== undefined : ABSOLUTE.test(text);
}

/** An address as it stands in a URI or Via: IPv6 in brackets. */
export const uriHost = (address: string): string =>
  address.includes(':') && !address.startsWith('[') ? `[${address}]` : address;

/** A URI's host as the socket layer wants it: without brackets. */
export const bareHost = (host: string): string => (host.startsWith('[') ? host.slice(1, -1) : host);
