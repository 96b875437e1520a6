import type { HeaderLines, SipHeader, SipMessage } from './message.js';
import { all, NO_BODY } from './message.js';
import { headerName } from './header-names.js';
import { plainHeaders } from './plain-headers.js';
import { cutHeaderLine, headerLines, outerBlanks, trimBlanks, unfold } from './header-lines.js';

/** What was read, and what is wrong with it: an element may still answer 400 to a message with problems. */
export interface ParsedMessage {
  readonly message: SipMessage;
  readonly problems: readonly string[];
}

/** How the end of the body is found: by Content-Length (the wire), or all that is left (frames of the application). */
export type BodyRule = 'content-length' | 'rest';

/** The problem of a header that holds a line break which is no fold. */
export const BARE_LINE_BREAK = 'bare CR or LF in a header';

const HEAD_END = '\r\n\r\n';
const SIP_VERSION = /^SIP\/(\S+)$/i;
const STRICT_REQUEST_LINE = /^\S+ \S+ SIP\/\d+\.\d+$/i;
/** Longest message taken from the network, bytes. Frames of the application have a cap of their own. */
export const MAX_MESSAGE_BYTES = 16 * 1024;
const STATUS_LINE = /^SIP\/(\S+) +(\d{1,10})(?: (.*))?$/i;

/**
 * Reads one SIP message (RFC 3261 §7). Never throws. Returns undefined when it is no SIP message at all:
 * such bytes are not answered. From the network more than `MAX_MESSAGE_BYTES` is none.
 */
export function parseMessage(bytes: Buffer, bodyRule: BodyRule = 'content-length'): ParsedMessage | undefined {
  if (bodyRule === 'content-length' && bytes.length > MAX_MESSAGE_BYTES) return undefined;
  const text = bytes.toString('latin1');
  const end = text.indexOf(HEAD_END);
  const head = end < 0 ? text : text.slice(0, end);
  const rest = end < 0 ? NO_BODY : bytes.subarray(end + HEAD_END.length);
  const problems: string[] = end < 0 ? ['header section not ended by an empty line'] : [];
  const lineEnd = head.indexOf('\r\n');
  const startLine = lineEnd < 0 ? head : head.slice(0, lineEnd);
  const lines = lineEnd < 0 ? '' : head.slice(lineEnd + 2);
  const { headers, body } = readLines(lines, rest, bodyRule, problems);
  const message = parseStartLine(startLine, headers, body, problems);
  return message ? { message, problems } : undefined;
}

function parseStartLine(line: string, headers: HeaderLines, body: Buffer, problems: string[]): SipMessage | undefined {
  const status = STATUS_LINE.exec(line);
  if (status) {
    const [, version = '', code = '', reason = ''] = status;
    return { kind: 'response', status: Number(code), reason, version, headers, body };
  }
  const request = cutRequestLine(line);
  if (!request) return undefined;
  if (!STRICT_REQUEST_LINE.test(line)) problems.push('malformed request line');
  return { kind: 'request', ...request, headers, body };
}

/** More generous than RFC 3261 §7.1 with blanks, so that what a sloppy peer sends is answered with 400. */
function cutRequestLine(line: string): { method: string; uri: string; version: string } | undefined {
  const text = trimBlanks(line);
  const blanks = outerBlanks(text);
  if (!blanks || /[\r\n]/.test(text)) return undefined;
  const version = SIP_VERSION.exec(text.slice(blanks.last + 1))?.[1];
  if (version === undefined) return undefined;
  return { method: text.slice(0, blanks.first), uri: trimBlanks(text.slice(blanks.first, blanks.last)), version };
}

function parseHeaders(text: string, problems: string[]): SipHeader[] {
  const headers: SipHeader[] = [];
  for (const line of headerLines(text)) {
    if (line === '') continue;
    const cut = cutHeaderLine(line);
    const names = cut && headerName(cut.name);
    if (!cut || !names?.isToken) {
      problems.push('malformed header line');
      continue;
    }
    const value = unfold(cut.value);
    if (value.includes('\n') || value.includes('\r')) problems.push(BARE_LINE_BREAK);
    else headers.push({ name: names.name, key: names.key, value });
  }
  return headers;
}

function readLines(
  lines: string,
  rest: Buffer,
  bodyRule: BodyRule,
  problems: string[],
): { readonly headers: HeaderLines; readonly body: Buffer } {
  const plain = plainHeaders(lines);
  const headers = plain ?? parseHeaders(lines, problems);
  const body = bodyRule === 'rest' ? rest : cutBody(rest, headers, problems);
  return { headers: plain ? asWritten(plain, lines, body.length) : headers, body };
}

/** The headers, with their text if writing them beside a body of this length would give the same again. */
function asWritten(headers: readonly SipHeader[], text: string, bodyLength: number): HeaderLines {
  const [length, ...others] = all({ headers }, 'content-length');
  if (length !== String(bodyLength) || others.length > 0) return headers;
  return Object.assign(headers, { written: { text, bodyLength } });
}

/** RFC 3261 §18.3: a datagram may hold more than the body, never less. */
function cutBody(rest: Buffer, headers: readonly SipHeader[], problems: string[]): Buffer {
  const [value, ...others] = all({ headers }, 'content-length');
  if (value === undefined) return rest;
  if (others.some((other) => other !== value) || !/^\d{1,9}$/.test(value)) {
    problems.push('invalid Content-Length');
    return rest;
  }
  const length = Number(value);
  if (length > rest.length) problems.push('body shorter than Content-Length');
  return rest.subarray(0, length);
}
