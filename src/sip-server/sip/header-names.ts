import { isToken } from './grammar.js';
import { learning } from './recent.js';

/** Compact forms registered with IANA (RFC 3261 §7.3.3 and later documents). */
const COMPACT: Readonly<Record<string, string>> = {
  a: 'Accept-Contact',
  b: 'Referred-By',
  c: 'Content-Type',
  d: 'Request-Disposition',
  e: 'Content-Encoding',
  f: 'From',
  i: 'Call-ID',
  j: 'Reject-Contact',
  k: 'Supported',
  l: 'Content-Length',
  m: 'Contact',
  n: 'Identity-Info',
  o: 'Event',
  r: 'Refer-To',
  s: 'Subject',
  t: 'To',
  u: 'Allow-Events',
  v: 'Via',
  x: 'Session-Expires',
  y: 'Identity',
};

/** Names whose usual spelling is not "capital after each dash". */
const IRREGULAR: Readonly<Record<string, string>> = {
  'call-id': 'Call-ID',
  cseq: 'CSeq',
  'mime-version': 'MIME-Version',
  'p-asserted-identity': 'P-Asserted-Identity',
  rack: 'RAck',
  rseq: 'RSeq',
  'sip-etag': 'SIP-ETag',
  'sip-if-match': 'SIP-If-Match',
  'min-se': 'Min-SE',
  'www-authenticate': 'WWW-Authenticate',
};

/** The long form of a compact name; any other name as it is. */
export const expandName = (name: string): string => (name.length === 1 ? (COMPACT[name.toLowerCase()] ?? name) : name);

/** A header's name, and what can be said of it. */
export interface HeaderName {
  /** Compact forms expanded. */
  readonly name: string;
  /** In lower case. */
  readonly key: string;
  readonly isToken: boolean;
}

/** Looks at a name as it stands in a message. */
export const headerName: (text: string) => HeaderName = learning((text) => {
  const name = expandName(text);
  return { name, key: name.toLowerCase(), isToken: isToken(text) };
});

/**
 * The spelling under which an application's header is sent: known names canonical, others capitalised after each dash,
 * `X-…` untouched.
 */
export const canonicalName: (name: string) => string = learning(spell);

function spell(name: string): string {
  const long = expandName(name);
  if (long.startsWith('X-')) return long;
  const known = IRREGULAR[long.toLowerCase()];
  return (
    known ??
    long.toLowerCase().replace(/(^|-)([a-z])/g, (_all, dash: string, char: string) => dash + char.toUpperCase())
  );
}
