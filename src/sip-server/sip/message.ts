import { headerName } from './header-names.js';
import { splitOutsideQuotes } from './grammar.js';
import { remembering } from './recent.js';

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

/** Header lines, and how they are written where that is known already. */
export interface HeaderLines extends ReadonlyArray<SipHeader> {
  readonly written?: WrittenLines;
}

/** What writing header lines gives, beside a body of this length, without the line break at the end. */
export interface WrittenLines {
  readonly text: string;
  readonly bodyLength: number;
}

export interface SipRequest {
  readonly kind: 'request';
  readonly method: string;
  readonly uri: string;
  readonly version: string;
  readonly headers: HeaderLines;
  readonly body: Buffer;
}

export interface SipResponse {
  readonly kind: 'response';
  readonly status: number;
  readonly reason: string;
  readonly version: string;
  readonly headers: HeaderLines;
  readonly body: Buffer;
}

export type SipMessage = SipRequest | SipResponse;

/** A message whose headers alone matter. */
export type WithHeaders = Pick<SipMessage, 'headers'>;

export const NO_BODY = Buffer.alloc(0);

/** Makes a header line. */
export function header(text: string, value: string): SipHeader {
  const { name, key } = headerName(text);
  return { name, key, value };
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

/** Elements of a comma-separated header over all its lines. A line with an open quote is one element. */
export function elements(message: WithHeaders, key: string): string[] {
  const found: string[] = [];
  for (const line of message.headers) {
    if (line.key !== key) continue;
    for (const part of splitOutsideQuotes(line.value, ',') ?? [line.value]) {
      const element = part.trim();
      if (element !== '') found.push(element);
    }
  }
  return found;
}

interface CSeq {
  readonly number: number;
  readonly method: string;
}

/** The method of CSeq and its number; undefined when the header is missing or malformed. */
export const cseqOf = (message: WithHeaders): CSeq | undefined => parseCSeq(first(message, 'cseq') ?? '');

const parseCSeq = remembering(readCSeq);

function readCSeq(text: string): CSeq | undefined {
  const match = /^(\d{1,10})[ \t]+(\S+)$/.exec(text);
  if (!match) return undefined;
  const number = Number(match[1]);
  return number <= 0xffff_ffff ? { number, method: match[2] ?? '' } : undefined;
}
