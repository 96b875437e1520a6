import type { SipMessage, SipRequest, SipResponse } from './message.js';
import { all, cseqOf, elements, first } from './message.js';
import { isCallId, isToken, parseCount, splitOutsideQuotes } from './grammar.js';
import { parseNameAddr } from './name-addr.js';
import type { ParsedMessage } from './parse.js';
import { parseSipUri, schemeOf } from './uri.js';
import { parseVia } from './via.js';

/** Why a message is not passed on, as the answer a request gets. */
export interface Refusal {
  readonly status: number;
  readonly reason: string;
}

const SINGLE = ['from', 'to', 'call-id', 'cseq', 'max-forwards', 'content-type', 'refer-to'] as const;
const ROUTES = ['route', 'record-route', 'path', 'service-route'] as const;
const ADDRESSES = ['p-asserted-identity', 'remote-party-id', 'diversion', 'referred-by', 'refer-to'] as const;
/** Headers that are looked at here, each with a bit of its own. */
const BITS: ReadonlyMap<string, number> = new Map(
  [...new Set<string>([...SINGLE, ...ROUTES, ...ADDRESSES])].map((key, index) => [key, 1 << index]),
);
const bitsOf = (keys: readonly string[]): number => keys.reduce((bits, key) => bits | (BITS.get(key) ?? 0), 0);
const SINGLE_BITS = bitsOf(SINGLE);
const ROUTE_BITS = bitsOf(ROUTES);
/** More blanks than this in a row nobody writes, and the expressions of drachtio-srf take their square in time. */
const MAX_BLANKS = 64;
const LONG_BLANKS = /[ \t]{65}/;
/** More than this many Vias, contacts or routes no message on its way has; drachtio-srf takes their square in time. */
const MAX_ELEMENTS = 64;
const bad = (what: string): Refusal => ({ status: 400, reason: `Bad Request - ${what}` });

/**
 * Judges a request before anything else looks at it. All that drachtio-srf's getters would trip over is refused here,
 * so that no application handler ever meets a message it cannot read, or one that it reads for a second.
 */
export function refuseRequest(parsed: ParsedMessage & { message: SipRequest }): Refusal | undefined {
  const { message, problems } = parsed;
  if (message.version !== '2.0') return { status: 505, reason: 'Version Not Supported' };
  if (problems[0] !== undefined) return bad(problems[0]);
  if (!isToken(message.method)) return bad('malformed method');
  const common = refuseCommon(message);
  if (common) return common;
  if (cseqOf(message)?.method !== message.method) return bad('CSeq method mismatch');
  return refuseUri(message) ?? refuseNumbers(message);
}

/** Judges a response; one with a refusal is dropped. */
export function refuseResponse(parsed: ParsedMessage & { message: SipResponse }): Refusal | undefined {
  const { message, problems } = parsed;
  if (message.version !== '2.0') return bad('version');
  if (problems[0] !== undefined) return bad(problems[0]);
  if (message.status < 100 || message.status > 699) return bad('status out of range');
  return refuseCommon(message);
}

function refuseUri(message: SipRequest): Refusal | undefined {
  const scheme = schemeOf(message.uri);
  if (scheme === undefined) return bad('malformed Request-URI');
  if (scheme === 'tel')
    return /^tel:[+0-9*#A-Da-d.()-]+(?:;[^\s]+)?$/.test(message.uri) ? undefined : bad('malformed Request-URI');
  if (scheme !== 'sip' && scheme !== 'sips') return { status: 416, reason: 'Unsupported URI Scheme' };
  return parseSipUri(message.uri) ? undefined : bad('malformed Request-URI');
}

function refuseNumbers(message: SipRequest): Refusal | undefined {
  const hops = first(message, 'max-forwards');
  if (hops !== undefined && parseCount(hops, 255) === undefined) return bad('malformed Max-Forwards');
  const expires = first(message, 'expires');
  if (expires !== undefined && !/^\d+$/.test(expires)) return bad('malformed Expires');
  return undefined;
}

function refuseCommon(message: SipMessage): Refusal | undefined {
  const seen = lookOver(message);
  if (typeof seen !== 'number') return seen;
  for (const key of ['from', 'to'] as const) {
    const value = first(message, key);
    if (value === undefined) return bad(`missing ${key}`);
    if (!isParty(value)) return bad(`malformed ${key}`);
  }
  const callId = first(message, 'call-id');
  if (callId === undefined || !isCallId(callId)) return bad('missing or malformed Call-ID');
  if (!cseqOf(message)) return bad('missing or malformed CSeq');
  return (
    refuseVias(message) ?? refuseContacts(message) ?? refuseRoutes(message, seen) ?? refuseAddresses(message, seen)
  );
}

/** The bits of the headers that are there: one pass, since most messages have none of most of those that are judged. */
function lookOver(message: SipMessage): number | Refusal {
  let seen = 0;
  for (const { key, value } of message.headers) {
    if (value.length > MAX_BLANKS && LONG_BLANKS.test(value)) return bad('too many blanks');
    const bit = BITS.get(key) ?? 0;
    if ((seen & bit & SINGLE_BITS) !== 0) return bad(`more than one ${key}`);
    seen |= bit;
  }
  return seen;
}

function isParty(value: string): boolean {
  const parsed = parseNameAddr(value);
  if (!parsed) return false;
  const tag = parsed.params.get('tag');
  return parsed.params.has('tag') ? tag !== undefined && isToken(tag) : true;
}

function refuseVias(message: SipMessage): Refusal | undefined {
  const lines = all(message, 'via');
  if (lines.length === 0) return bad('missing Via');
  return isList(lines, (via) => parseVia(via) !== undefined) ? undefined : bad('malformed Via');
}

function refuseContacts(message: SipMessage): Refusal | undefined {
  const contacts = all(message, 'contact');
  const isStar = contacts.length === 1 && contacts[0] === '*' && cseqOf(message)?.method === 'REGISTER';
  return isStar || areAddresses(contacts) ? undefined : bad('malformed Contact');
}

/** `seen`: the bits of the headers that are there. */
function refuseRoutes(message: SipMessage, seen: number): Refusal | undefined {
  if ((seen & ROUTE_BITS) === 0) return undefined;
  for (const key of ROUTES) {
    if (!areAddresses(all(message, key))) return bad(`malformed ${key}`);
    if (elements(message, key).some((value) => !isSipRoute(value))) return bad(`malformed ${key}`);
  }
  return undefined;
}

function refuseAddresses(message: SipMessage, seen: number): Refusal | undefined {
  for (const key of ADDRESSES) {
    const isThere = (seen & (BITS.get(key) ?? 0)) !== 0;
    if (isThere && !areAddresses(all(message, key))) return bad(`malformed ${key}`);
  }
  return undefined;
}

const areAddresses = (values: readonly string[]): boolean =>
  isList(values, (part) => parseNameAddr(part) !== undefined);

/** Lists of elements, none of them empty: drachtio-srf's getters fail on `<sip:a@b>,`. */
function isList(lines: readonly string[], isElement: (part: string) => boolean): boolean {
  let parts = 0;
  for (const line of lines) {
    const list = splitOutsideQuotes(line, ',');
    parts += list?.length ?? 1;
    if (!list || parts > MAX_ELEMENTS || !list.every(isElement)) return false;
  }
  return true;
}

function isSipRoute(value: string): boolean {
  const parsed = parseNameAddr(value);
  return parsed !== undefined && parsed.bracketed && parseSipUri(parsed.uri) !== undefined;
}
