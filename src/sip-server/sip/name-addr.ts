import { isQuotedString, isToken } from './grammar.js';
import type { Params } from './params.js';
import { parseParams } from './params.js';
import { remembering } from './recent.js';
import { isUri } from './uri.js';

/** What From, To, Contact, Route and their kin hold (RFC 3261 §20.10, §20.20). */
export interface NameAddr {
  /** As written, quotes included; empty when absent. */
  readonly display: string;
  readonly uri: string;
  readonly params: Params;
  readonly bracketed: boolean;
}

const OPENING_QUOTE = /^"(?:[^"\\]|\\[\s\S])*"/;

/** Reads one name-addr or addr-spec with its parameters; undefined when malformed. */
export const parseNameAddr: (text: string) => NameAddr | undefined = remembering(readNameAddr);

function readNameAddr(text: string): NameAddr | undefined {
  const value = text.trim();
  const quoted = value.startsWith('"') ? (OPENING_QUOTE.exec(value)?.[0] ?? '') : '';
  const open = value.indexOf('<', quoted.length);
  if (open < 0) return quoted === '' ? parseAddrSpec(value) : undefined;
  const close = value.indexOf('>', open);
  if (close < 0) return undefined;
  const display = value.slice(0, open).trim();
  const uri = value.slice(open + 1, close).trim();
  const params = parseParams(value.slice(close + 1));
  if (!isDisplayName(display) || !isUri(uri) || !params) return undefined;
  return { display, uri, params, bracketed: true };
}

/** Without brackets all parameters belong to the header (RFC 3261 §20). */
function parseAddrSpec(value: string): NameAddr | undefined {
  const semicolon = value.indexOf(';');
  const uri = (semicolon < 0 ? value : value.slice(0, semicolon)).trim();
  const params = parseParams(semicolon < 0 ? '' : value.slice(semicolon));
  return isUri(uri) && params ? { display: '', uri, params, bracketed: false } : undefined;
}

/** A quoted string or tokens. UTF-8 outside quotes is no legal SIP, but common and harmless. */
function isDisplayName(display: string): boolean {
  if (display === '' || isQuotedString(display)) return true;
  return display.split(/[ \t]+/).every((word) => isToken(word) || /^[\w\-.!%*+`'~\x80-\xff]+$/.test(word));
}

/** Writes it back, always in angle brackets. */
export function formatNameAddr(value: Pick<NameAddr, 'display' | 'uri' | 'params'>): string {
  let text = value.display === '' ? `<${value.uri}>` : `${value.display} <${value.uri}>`;
  for (const [name, param] of value.params) text += param === undefined ? `;${name}` : `;${name}=${param}`;
  return text;
}

/** The tag of a From or To value; undefined when there is none or the value is malformed. */
export const tagOf = (value: string | undefined): string | undefined =>
  value === undefined ? undefined : parseNameAddr(value)?.params.get('tag');
