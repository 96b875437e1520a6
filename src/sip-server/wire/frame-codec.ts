import { BadInputError } from '../../lib/bridge-error.js';

/** Longest payload taken from an application, bytes. */
export const MAX_FRAME_BYTES = 1024 * 1024;
/** drachtio-server's input buffer is damaged by larger frames sent back to back; here they only earn a warning. */
export const SAFE_FRAME_BYTES = 4000;

const HASH = 0x23;
const ZERO = 0x30;
const MAX_LENGTH_DIGITS = 7;
const CRLF = Buffer.from('\r\n');

/** One frame's payload: the tokens of its header line and the SIP text below it, if any. */
export interface Frame {
  readonly tokens: readonly string[];
  readonly sip: Buffer | undefined;
  readonly byteLength: number;
}

/** Cuts `<byte length>#<payload>` out of a stream; frames may arrive in any pieces. */
export class FrameDecoder {
  #buffer: Buffer = Buffer.alloc(0);

  /**
   * @throws BadInputError when the stream does not hold a length where one must stand, when it is too large, or when a
   * token holds a line break.
   */
  push(chunk: Buffer): Frame[] {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    const frames: Frame[] = [];
    for (let frame = this.#next(); frame; frame = this.#next()) frames.push(frame);
    return frames;
  }

  #next(): Frame | undefined {
    const head = readLength(this.#buffer);
    if (!head) return undefined;
    const { start, length } = head;
    if (this.#buffer.length < start + length) return undefined;
    const payload = this.#buffer.subarray(start, start + length);
    this.#buffer = this.#buffer.subarray(start + length);
    return parsePayload(payload);
  }
}

/** The length before the hash, and where the payload begins; undefined while the hash is not there yet. */
function readLength(bytes: Buffer): { readonly length: number; readonly start: number } | undefined {
  const most = Math.min(bytes.length, MAX_LENGTH_DIGITS + 1);
  let length = 0;
  for (let at = 0; at < most; at++) {
    const digit = (bytes[at] ?? 0) - ZERO;
    if (bytes[at] === HASH && at > 0) return { length: checkedLength(length), start: at + 1 };
    if (digit < 0 || digit > 9 || at === MAX_LENGTH_DIGITS)
      throw new BadInputError('SIP2WA_SIP_SERVER_FRAME', 'frame does not begin with a length');
    length = 10 * length + digit;
  }
  return undefined;
}

function checkedLength(length: number): number {
  if (length > 0 && length <= MAX_FRAME_BYTES) return length;
  throw new BadInputError('SIP2WA_SIP_SERVER_FRAME', `frame length ${length} is out of range`);
}

function parsePayload(payload: Buffer): Frame {
  const end = payload.indexOf(CRLF);
  const line = end < 0 ? payload : payload.subarray(0, end);
  const sip = end < 0 ? undefined : payload.subarray(end + CRLF.length);
  const text = line.toString('utf8');
  if (/[\r\n]/.test(text)) throw new BadInputError('SIP2WA_SIP_SERVER_FRAME', 'a frame token holds a line break');
  return { tokens: text.split('|'), sip, byteLength: payload.length };
}

/** Writes one frame. There is no escape for `|`, CR or LF, so tokens that hold one are refused. */
export function encodeFrame(tokens: readonly (string | number)[], sip?: Buffer): Buffer {
  const line = tokens.join('|');
  if (/[\r\n]/.test(line) || separatorsIn(line) !== tokens.length - 1) {
    throw new BadInputError('SIP2WA_SIP_SERVER_FRAME', 'a frame token holds a separator');
  }
  const head = sip ? `${line}\r\n` : line;
  const payloadBytes = Buffer.byteLength(head) + (sip?.length ?? 0);
  const length = `${payloadBytes}#`;
  const frame = Buffer.allocUnsafe(length.length + payloadBytes);
  const written = frame.write(length + head);
  if (sip) frame.set(sip, written);
  return frame;
}

function separatorsIn(line: string): number {
  let count = 0;
  for (let at = line.indexOf('|'); at >= 0; at = line.indexOf('|', at + 1)) count++;
  return count;
}
