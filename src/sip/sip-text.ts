/** Longest text from outside that enters a header, in characters (Unicode code points). */
export const sipTextLimit = 64;

// C0, DEL and C1 controls; line and paragraph separators; marks that reorder text (bidi); lone surrogates; the BOM.
const unsafe = /[\p{Cc}\p{Cs}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+/gu;

/**
 * A value from outside (profile name, error text, header) made fit for one header line: no control characters, no line
 * breaks, no bidi controls, no lone surrogates, at most `limit` characters. For header values that are not quoted.
 */
export function plainSipText(value: string, limit = sipTextLimit): string {
  const cleaned = value.replace(unsafe, ' ').replace(/ {2,}/g, ' ').trim();
  return Array.from(cleaned).slice(0, limit).join('').trim();
}

/**
 * The one sanitiser of values from outside that enter a quoted-string of a header: `plainSipText` with `\` and `"` escaped
 * (RFC 3261 §25.1). The limit counts characters before escaping.
 */
export function sipText(value: string, limit = sipTextLimit): string {
  return plainSipText(value, limit).replace(/["\\]/g, '\\$&');
}

/** A quoted-string (RFC 3261 §25.1) holding a value from outside. */
export function quotedSipText(value: string, limit = sipTextLimit): string {
  return `"${sipText(value, limit)}"`;
}

/** Reads a quoted-string or token back into text, cleaned. */
export function unquotedSipText(value: string, limit = sipTextLimit): string {
  const inner = /^"(.*)"$/s.exec(value.trim())?.[1];
  return plainSipText(inner === undefined ? value : inner.replace(/\\(.)/gs, '$1'), limit);
}
