import { MAX_MESSAGE_BYTES } from '../sip/parse.js';

/** A message below this size cannot hold enough lines to be dear. */
const FREE_OF_CARE_BYTES = 4096;
/** No message on its way has as many; each header costs work before anything has judged it. */
const MAX_HEADER_LINES = 256;
/** Certificates and signatures in a header are shorter. */
const MAX_LINE_BYTES = 8192;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

const pair = (text: string): number => (text.charCodeAt(0) << 8) | text.charCodeAt(1);
/** ACK, BYE, CANCEL, PRACK, UPDATE and responses (`SIP/2.0`) belong to something we know of, or cost next to nothing. */
const GOES_ON = new Set(['AC', 'BY', 'CA', 'PR', 'UP', 'SI'].map(pair));
const RESPONSE = pair('SI');

const start = (bytes: Buffer): number => ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);

/** Is it a response, by its first letters? */
export const looksLikeResponse = (bytes: Buffer): boolean => start(bytes) === RESPONSE;

/** May it be a request outside a dialog, by its first letters? */
export const mayBeNew = (bytes: Buffer): boolean => !GOES_ON.has(start(bytes));

/** Is it larger than anything we take: in bytes, in lines, or in the length of one line? */
export function isOversized(bytes: Buffer): boolean {
  if (bytes.length > MAX_MESSAGE_BYTES) return true;
  if (bytes.length < FREE_OF_CARE_BYTES) return false;
  let from = 0;
  for (let lines = 0; lines <= MAX_HEADER_LINES; lines++) {
    const end = bytes.indexOf(LINE_FEED, from);
    if ((end < 0 ? bytes.length : end) - from > MAX_LINE_BYTES) return true;
    // The header section ends at an empty line, or is broken and will be refused.
    if (end < 0 || end === from || (end === from + 1 && bytes[from] === CARRIAGE_RETURN)) return false;
    from = end + 1;
  }
  return true;
}

const CALL_ID = /(?:^|\r\n)(?:call-id|i)[ \t]{0,8}:[ \t]{0,8}([^\s]{1,512})/i;

/** The Call-ID of a message nobody has read yet, so that a stranger's costs no more than this. */
export const callIdOf = (bytes: Buffer): string | undefined => CALL_ID.exec(bytes.toString('latin1'))?.[1];
