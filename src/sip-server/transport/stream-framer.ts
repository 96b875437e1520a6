import { BadInputError } from '../../lib/bridge-error.js';

/** Longest header section on a stream, bytes. */
export const MAX_HEAD_BYTES = 32 * 1024;
/** Longest body on a stream, bytes. */
export const MAX_BODY_BYTES = 256 * 1024;

const HEAD_END = Buffer.from('\r\n\r\n');
const CONTENT_LENGTH = /(?:^|\r\n)(?:content-length|l)[ \t]*:[ \t\r\n]*([^\r\n]*?)[ \t]*(?=\r\n|$)/gi;

export type StreamItem = { readonly kind: 'message'; readonly bytes: Buffer } | { readonly kind: 'ping' };

/**
 * Cuts SIP messages out of a stream by Content-Length (RFC 3261 §18.3) and finds keep-alives: a double CRLF between
 * messages is a ping (RFC 5626 §4.4.1), a single one is ignored (RFC 3261 §7.5).
 */
export class StreamFramer {
  #buffer: Buffer = Buffer.alloc(0);
  #scanned = 0;
  /** Pieces of a body that is not all there yet: joined once, not with every piece. */
  #waiting: Buffer[] = [];
  #missing = 0;

  /** @throws BadInputError when the stream cannot be cut any more; the connection must then be closed. */
  push(chunk: Buffer): StreamItem[] {
    this.#waiting.push(chunk);
    this.#missing -= chunk.length;
    if (this.#missing > 0) return [];
    this.#buffer = Buffer.concat([this.#buffer, ...this.#waiting]);
    this.#waiting = [];
    this.#missing = 0;
    const items: StreamItem[] = [];
    for (let item = this.#next(); item; item = this.#next()) items.push(item);
    return items;
  }

  #next(): StreamItem | undefined {
    if (this.#takePing()) return { kind: 'ping' };
    if (this.#mayBePing()) return undefined;
    const end = this.#buffer.indexOf(HEAD_END, Math.max(0, this.#scanned - 3));
    if (end < 0) {
      this.#scanned = this.#buffer.length;
      if (this.#buffer.length > MAX_HEAD_BYTES) throw tooLarge('header section');
      return undefined;
    }
    if (end > MAX_HEAD_BYTES) throw tooLarge('header section');
    const total = end + HEAD_END.length + bodyLength(this.#buffer.toString('latin1', 0, end));
    if (this.#buffer.length < total) {
      this.#scanned = end;
      this.#missing = total - this.#buffer.length;
      return undefined;
    }
    const bytes = this.#buffer.subarray(0, total);
    this.#buffer = this.#buffer.subarray(total);
    this.#scanned = 0;
    return { kind: 'message', bytes };
  }

  /** Is there no more yet than the beginning of a ping? */
  #mayBePing(): boolean {
    return this.#buffer.length < HEAD_END.length && HEAD_END.subarray(0, this.#buffer.length).equals(this.#buffer);
  }

  /** Drops line ends before a message; true when they were a ping. */
  #takePing(): boolean {
    if (this.#scanned > 0) return false;
    if (this.#buffer.subarray(0, HEAD_END.length).equals(HEAD_END)) {
      this.#buffer = this.#buffer.subarray(HEAD_END.length);
      return true;
    }
    const isLineEnd = this.#buffer[0] === 0x0d && this.#buffer[1] === 0x0a;
    const followed = isLineEnd && this.#buffer.length > 2 && this.#buffer[2] !== 0x0d;
    if (followed) this.#buffer = this.#buffer.subarray(2);
    return false;
  }
}

function bodyLength(head: string): number {
  const values = new Set([...head.matchAll(CONTENT_LENGTH)].map((match) => match[1] ?? ''));
  if (values.size === 0) return 0;
  const [value = ''] = values;
  if (values.size > 1 || !/^\d{1,9}$/.test(value)) {
    throw new BadInputError('SIP2WA_SIP_SERVER_STREAM', 'invalid Content-Length on a stream');
  }
  const length = Number(value);
  if (length > MAX_BODY_BYTES) throw tooLarge('body');
  return length;
}

const tooLarge = (what: string): BadInputError =>
  new BadInputError('SIP2WA_SIP_SERVER_STREAM', `${what} too large on a stream`);
