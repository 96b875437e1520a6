import type { Address } from '../transport/flow.js';
import { canonicalName } from '../sip/header-names.js';
import type { SipHeader, SipMessage, WithHeaders } from '../sip/message.js';
import { first } from '../sip/message.js';
import { splitOutsideQuotes } from '../sip/grammar.js';
import { formatNameAddr, parseNameAddr } from '../sip/name-addr.js';
import { uriHost } from '../sip/uri.js';

/** Written by the server alone, whatever the application says. */
const OWNED = new Set(['via', 'route', 'record-route', 'rseq', 'content-length']);
const LOCALHOST_FIELDS = ['from', 'to', 'contact', 'p-asserted-identity'];

/** The application's headers that are passed on, in canonical spelling, without those in `except` and the server's own. */
export function appHeaders(message: WithHeaders, shown: Address, except: readonly string[]): SipHeader[] {
  const passed: SipHeader[] = [];
  for (const { name, key, value } of message.headers) {
    if (OWNED.has(key) || except.includes(key)) continue;
    const isAddress = LOCALHOST_FIELDS.includes(key);
    const shownValue = isAddress ? replaceLocalhost(value, key === 'from', shown) : value;
    passed.push({ name: canonicalName(name), key, value: shownValue });
  }
  return passed;
}

/**
 * `localhost` in an application's address stands for this server. Addresses that were rewritten come out in angle
 * brackets, which drachtio's own clients rely on. In From the bare word is enough.
 */
export function replaceLocalhost(value: string, isFrom: boolean, shown: Address): string {
  const here = `${uriHost(shown.host)}:${shown.port}`;
  if (isFrom && value.trim() === 'localhost') return `<sip:${here}>`;
  if (!/localhost/i.test(value)) return value;
  const parts = splitOutsideQuotes(value, ',') ?? [value];
  return parts.map((part) => replaceInAddress(part, here)).join(', ');
}

function replaceInAddress(part: string, here: string): string {
  const parsed = parseNameAddr(part);
  if (!parsed) return part.trim();
  const uri = parsed.uri.replace(/^(sips?:)((?:[^@]*@)?)localhost(?::\d+)?(?=[;?]|$)/i, `$1$2${here}`);
  return uri === parsed.uri ? part.trim() : formatNameAddr({ ...parsed, uri });
}

/** The body's type: what the application says, SDP when it looks like it; undefined when a body has none. */
export function contentTypeOf(message: SipMessage): { readonly header: SipHeader | undefined } | undefined {
  if (first(message, 'content-type') !== undefined || message.body.length === 0) return { header: undefined };
  if (message.body.toString('latin1', 0, 3) !== 'v=0') return undefined;
  return { header: { name: 'Content-Type', key: 'content-type', value: 'application/sdp' } };
}

// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;
/** Beside those that part the lines. */
// eslint-disable-next-line no-control-regex -- as above
const OTHER_CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/;

/** Does a header value hold something that may not stand in one? */
export function hasControlCharacter({ headers }: WithHeaders): boolean {
  // Text that is known has line breaks between its lines alone, and is looked through at once.
  if (headers.written) return OTHER_CONTROL.test(headers.written.text);
  return headers.some((line) => CONTROL.test(line.value));
}

/** Contacts of the application always go out in angle brackets. */
export const bracketContacts = (headers: readonly SipHeader[]): SipHeader[] =>
  headers.map((line) => {
    const parsed = line.key === 'contact' ? parseNameAddr(line.value) : undefined;
    return parsed && !parsed.bracketed ? { ...line, value: formatNameAddr(parsed) } : line;
  });
