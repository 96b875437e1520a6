import { isIPv6 } from 'node:net';
import { isHost, isQuotedString, isToken, splitOutsideQuotes } from './grammar.js';

/** Parameters by lower-case name; a flag without `=` has the value undefined. */
export type Params = ReadonlyMap<string, string | undefined>;

const NONE: Params = new Map<string, string | undefined>();

/**
 * Reads `;name=value;flag…` (RFC 3261 §25.1 generic-param). `text` is empty or begins with `;`.
 * Undefined when malformed or when a name comes twice.
 */
export function parseParams(text: string): Params | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return NONE;
  if (!trimmed.startsWith(';')) return undefined;
  const parts = splitOutsideQuotes(trimmed.slice(1), ';');
  if (!parts) return undefined;
  const params = new Map<string, string | undefined>();
  for (const part of parts) {
    const parsed = parseParam(part);
    if (!parsed || params.has(parsed.name)) return undefined;
    params.set(parsed.name, parsed.value);
  }
  return params;
}

function parseParam(part: string): { name: string; value: string | undefined } | undefined {
  const equals = part.indexOf('=');
  const name = (equals < 0 ? part : part.slice(0, equals)).trim().toLowerCase();
  if (!isToken(name)) return undefined;
  if (equals < 0) return { name, value: undefined };
  const value = part.slice(equals + 1).trim();
  // RFC 5954: an IPv6 address in `received` has no brackets
  const isValue = isToken(value) || isHost(value) || isQuotedString(value) || isIPv6(value);
  return isValue ? { name, value } : undefined;
}
