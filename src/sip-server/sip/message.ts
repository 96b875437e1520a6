import { expandName } from './header-names.js';
import { splitOutsideQuotes } from './grammar.js';

/**
 * One header line. All text is a binary (latin1) string: one character is one byte of the wire, so that what is read is
 * written back byte for byte whatever its encoding.
 */
export interface SipHeader {
  /** As received, compact forms expanded. */
  readonly name: string;
  /** Lower-case long name, for look-ups. */
  readonly key: string;
  /** Surrounding white space removed, folds replaced by one space (RFC 3261 §7.3.1). */
  readonly value: string;
}

export interface SipRequest {
  readonly kind: 'request';
  readonly method: string;
  readonly uri: string;
  readonly version: string;
  readonly headers: readonly SipHeader[];
  readonly body: Buffer;
}

export interface SipResponse {
  readonly kind: 'response';
  readonly status: number;
  readonly reason: string;
  readonly version: string;
  readonly headers: readonly SipHeader[];
  readonly body: Buffer;
}

export type SipMessage = SipRequest | SipResponse;

/** A message whose headers alone matter. */
export type WithHeaders = Pick<SipMessage, 'headers'>;

export const NO_BODY = Buffer.alloc(0);

/** Makes a header line. */
export function header(name: string, value: string): SipHeader {
  const long = expandName(name);
  return { name: long, key: long.toLowerCase(), value };
}

/** Value of the first header with this lower-case name. */
export function first(message: WithHeaders, key: string): string | undefined {
  for (const line of message.headers) if (line.key === key) return line.value;
  return undefined;
}

/** Values of all header lines with this lower-case name, in order. */
export function all(message: WithHeaders, key: string): string[] {
  const values: string[] = [];
  for (const line of message.headers) if (line.key === key) values.push(line.value);
  return values;
}

/** How many header lines have this lower-case name. */
export function count(message: WithHeaders, key: string): number {
  let lines = 0;
  for (const line of message.headers) if (line.key === key) lines++;
  return lines;
}

/** Elements of a comma-separated header over all its lines. A line with an open quote is one element. */
export function elements(message: WithHeaders, key: string): string[] {
  return all(message, key)
    .flatMap((value) => splitOutsideQuotes(value, ',') ?? [value])
    .map((value) => value.trim())
    .filter((value) => value !== '');
}

/** The method of CSeq and its number; undefined when the header is missing or malformed. */
export function cseqOf(message: WithHeaders): { readonly number: number; readonly method: string } | undefined {
  const match = /^(\d{1,10})[ \t]+(\S+)$/.exec(first(message, 'cseq') ?? '');
  if (!match) return undefined;
  const number = Number(match[1]);
  return number <= 0xffff_ffff ? { number, method: match[2] ?? '' } : undefined;
}
