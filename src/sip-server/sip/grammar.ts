/** Lexical rules of RFC 3261 §25.1, as anchored expressions over binary (latin1) strings. */

const TOKEN = /^[A-Za-z0-9\-.!%*_+`'~]+$/;
const CALL_ID = /^[A-Za-z0-9\-.!%*_+`'~()<>:\\/"[\]?{}]+(?:@[A-Za-z0-9\-.!%*_+`'~()<>:\\/"[\]?{}]+)?$/;
// eslint-disable-next-line no-control-regex -- RFC 3261 names the control characters a quoted string may not hold
const QUOTED = /^"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\x00-\x09\x0b\x0c\x0e-\x7f])*"$/;
const IPV6_REFERENCE = /^\[[0-9A-Fa-f:.]+\]$/;
const HOST_NAME = /^(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?\.)*[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?\.?$/;

/** The branch prefix that marks an RFC 3261 transaction id (§8.1.1.7). */
export const MAGIC_COOKIE = 'z9hG4bK';

/** Is it a `token`? */
export const isToken = (text: string): boolean => TOKEN.test(text);

/** Is it a `callid`? The grammar has no `|`, so a valid one never shifts the tokens of a frame. */
export const isCallId = (text: string): boolean => CALL_ID.test(text);

/** Is it a `quoted-string`, quotes included? */
export const isQuotedString = (text: string): boolean => QUOTED.test(text);

/** Is it a host name, an IPv4 address or a bracketed IPv6 reference? Underscores are taken: they occur in the field. */
export const isHost = (text: string): boolean => IPV6_REFERENCE.test(text) || HOST_NAME.test(text);

/** Reads a port; undefined when it is not one. */
export function parsePort(text: string): number | undefined {
  if (!/^\d{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port >= 1 && port <= 65535 ? port : undefined;
}

/** Reads a decimal number with an upper bound; undefined when it is not one. */
export function parseCount(text: string, max: number): number | undefined {
  if (!/^\d{1,10}$/.test(text)) return undefined;
  const value = Number(text);
  return value <= max ? value : undefined;
}

const QUOTE = 0x22;
const BRACKET = 0x3c;
const BACKSLASH = 0x5c;

/** Position after the closing quote of the quoted string that begins at `open`; undefined when it is left open. */
function afterQuoted(text: string, open: number): number | undefined {
  for (let i = open + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === BACKSLASH) i++;
    else if (code === QUOTE) return i + 1;
  }
  return undefined;
}

/**
 * Splits at a separator, one character, that stands outside quotes and angle brackets.
 * Returns undefined when a quote or bracket is left open.
 */
export function splitOutsideQuotes(text: string, separator: string): string[] | undefined {
  const wanted = separator.charCodeAt(0);
  const parts: string[] = [];
  let start = 0;
  let i = 0;
  while (i < text.length) {
    const code = text.charCodeAt(i);
    let next: number | undefined = i + 1;
    if (code === QUOTE) next = afterQuoted(text, i);
    else if (code === BRACKET) next = text.indexOf('>', i) + 1 || undefined;
    else if (code === wanted) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
    if (next === undefined) return undefined;
    i = next;
  }
  parts.push(text.slice(start));
  return parts;
}
