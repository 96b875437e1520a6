import { BadInputError } from '../../lib/bridge-error.js';
import { cutHeaderLine, headerLines, unfold } from '../sip/header-lines.js';
import { MAX_MESSAGE_BYTES } from '../sip/parse.js';

const HEAD_END = Buffer.from('\r\n\r\n');
const CONTENT_LENGTH = new Set(['content-length', 'l']);

const LINE_END = Buffer.from('\r\n');

export type StreamItem =
  { readonly kind: 'message'; readonly bytes: Buffer } | { readonly kind: 'ping' } | { readonly kind: 'pong' };

/**
 * Cuts SIP messages out of a stream by Content-Length (RFC 3261 §18.3) and finds keep-alives: a double CRLF between
 * messages is a ping (RFC 5626 §4.4.1), a single one is its pong if one is expected, else ignored (RFC 3261 §7.5).
 */
export class StreamFramer {
  #buffer: Buffer = Buffer.alloc(0);
  #scanned = 0;
  /** Pieces of a body that is not all there yet: joined once, not with every piece. */
  #waiting: Buffer[] = [];
  #missing = 0;
  #expectsPong = false;

  /** A ping of ours has left: the next line end before a message answers it. */
  expectPong(): void {
    this.#expectsPong = true;
  }

  /** @throws BadInputError when the stream cannot be cut any more, or a message is longer than `MAX_MESSAGE_BYTES`; the connection must then be closed. */
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
    if (this.#takePong()) return { kind: 'pong' };
    if (this.#takePing()) return { kind: 'ping' };
    if (this.#mayBePing()) return undefined;
    const end = this.#buffer.indexOf(HEAD_END, Math.max(0, this.#scanned - 3));
    if (end < 0) {
      this.#scanned = this.#buffer.length;
      if (this.#buffer.length > MAX_MESSAGE_BYTES) throw tooLarge();
      return undefined;
    }
    if (end > MAX_MESSAGE_BYTES) throw tooLarge();
    const total = end + HEAD_END.length + bodyLength(this.#buffer.toString('latin1', 0, end));
    if (total > MAX_MESSAGE_BYTES) throw tooLarge();
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

  #takePong(): boolean {
    if (!this.#expectsPong || this.#scanned > 0 || !this.#buffer.subarray(0, 2).equals(LINE_END)) return false;
    this.#expectsPong = false;
    this.#buffer = this.#buffer.subarray(2);
    return true;
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
  const values = new Set(contentLengths(head));
  if (values.size === 0) return 0;
  const [value = ''] = values;
  if (values.size > 1 || !/^\d{1,9}$/.test(value)) {
    throw new BadInputError('SIP2WA_SIP_SERVER_STREAM', 'invalid Content-Length on a stream');
  }
  return Number(value);
}

function contentLengths(head: string): string[] {
  const cut = headerLines(head).map(cutHeaderLine);
  return cut.flatMap((line) => (line && CONTENT_LENGTH.has(line.name.toLowerCase()) ? [unfold(line.value)] : []));
}

const tooLarge = (): BadInputError => new BadInputError('SIP2WA_SIP_SERVER_STREAM', 'message too large on a stream');
