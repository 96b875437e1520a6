import type { Dice } from './dice.js';

/*
 * SIP as nobody would write it. Every mutation is chosen by a seeded generator, so that a seed names its messages for good.
 * Texts are binary strings: one character, one byte.
 */

/** What a parser of SIP may stumble over. */
export const SIP_TOKENS = [
  '\r\n',
  '\r',
  '\n',
  '\0',
  '"',
  '<',
  '>',
  ';',
  ',',
  '|',
  ':',
  '=',
  '%',
  '%00',
  ' ',
  '\t',
  '\r\n ',
  '\\',
  '[',
  ']',
  '[::1]',
  '@',
  '*',
  '\xff',
  '\xc3\xa4',
  ';tag=',
  ';branch=z9hG4bK',
  ';lr',
  ';rport=0',
  ';received=999.1.1.1',
  'sip:',
  'tel:+1',
  'SIP/2.0',
  '4294967296',
  '-1',
  '00000000000000000000000000001',
  'Content-Length: 999999\r\n',
  'Content-Length: 0\r\n',
  'Require: x\r\n',
  'Contact: *\r\n',
  'Contact: <sip:a@127.0.0.1:1>\r\n',
  'Record-Route: <sip:127.0.0.1:1;lr>\r\n',
  'Session-Expires: 1;refresher=uac\r\n',
  'RSeq: 1\r\n',
  'RAck: 1 1 INVITE\r\n',
  'Replaces: a;to-tag=b;from-tag=c\r\n',
  'v=0\r\n',
  'm=audio 0 RTP/AVP 8\r\n',
  'c=IN IP4 0.0.0.0\r\n',
];
const METHODS = ['INVITE', 'ACK', 'BYE', 'CANCEL', 'PRACK', 'UPDATE', 'REFER', 'INFO', 'OPTIONS', 'REGISTER', 'NOTIFY'];
const STATUSES = [
  '100',
  '180',
  '183',
  '200',
  '202',
  '302',
  '401',
  '407',
  '422',
  '481',
  '486',
  '487',
  '491',
  '503',
  '603',
];
const NOISE_SHARE = 0.02;

type Change = (text: string, dice: Dice) => string;

const cutAt = (text: string, at: number, drop: number, put: string): string =>
  text.slice(0, at) + put + text.slice(at + drop);

const insertToken: Change = (text, dice) => cutAt(text, dice.int(text.length + 1), 0, dice.pick(SIP_TOKENS));
const replaceByToken: Change = (text, dice) =>
  cutAt(text, dice.int(text.length), 1 + dice.int(12), dice.pick(SIP_TOKENS));
const deleteRange: Change = (text, dice) => cutAt(text, dice.int(text.length), 1 + dice.int(30), '');
const flipByte: Change = (text, dice) => {
  const at = dice.int(text.length);
  return cutAt(text, at, 1, String.fromCharCode((text.charCodeAt(at) ^ (1 << dice.int(8))) & 0xff));
};
const repeatPart: Change = (text, dice) => {
  const at = dice.int(text.length);
  return cutAt(text, at, 0, text.slice(at, at + 1 + dice.int(60)).repeat(1 + dice.int(20)));
};
const truncate: Change = (text, dice) => text.slice(0, dice.int(text.length));

/** Applies a change to the lines of the header section, start line left out. */
const onLines =
  (change: (lines: string[], dice: Dice) => void): Change =>
  (text, dice) => {
    const end = text.indexOf('\r\n\r\n');
    const [start = '', ...lines] = (end < 0 ? text : text.slice(0, end)).split('\r\n');
    if (lines.length < 2) return text;
    change(lines, dice);
    return [start, ...lines].join('\r\n') + (end < 0 ? '' : text.slice(end));
  };
const deleteHeader = onLines((lines, dice) => void lines.splice(dice.int(lines.length), 1));
const duplicateHeader = onLines((lines, dice) => {
  lines.splice(dice.int(lines.length), 0, ...Array.from({ length: 1 + dice.int(3) }, () => dice.pick(lines)));
});
const swapHeaders = onLines((lines, dice) => {
  const a = dice.int(lines.length);
  const b = dice.int(lines.length);
  [lines[a], lines[b]] = [lines[b] ?? '', lines[a] ?? ''];
});
/** A header gets another one's value. */
const crossValues = onLines((lines, dice) => {
  const at = dice.int(lines.length);
  const name = lines[at]?.split(':', 1)[0] ?? '';
  const value = dice.pick(lines);
  lines[at] = `${name}:${value.slice(value.indexOf(':') + 1)}`;
});
const hugeNumber: Change = (text, dice) =>
  text.replace(/\d+/g, (digits) => (dice.next() < 0.05 ? '9'.repeat(1 + dice.int(25)) : digits));
const otherMethod: Change = (text, dice) => text.replace(dice.pick(METHODS), dice.pick(METHODS));
const otherStatus: Change = (text, dice) => text.replace(/^(SIP\/2\.0) \d{3}/, `$1 ${dice.pick(STATUSES)}`);

const CHANGES: readonly Change[] = [
  insertToken,
  insertToken,
  replaceByToken,
  deleteRange,
  flipByte,
  flipByte,
  repeatPart,
  truncate,
  deleteHeader,
  duplicateHeader,
  swapHeaders,
  crossValues,
  hugeNumber,
  otherMethod,
  otherStatus,
];

/** Content-Length as the body has it: so that what is wrong lies elsewhere, and a stream goes on after it. */
function mended(text: string): string {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return text;
  const length = text.length - end - 4;
  return text.slice(0, end).replace(/^(Content-Length|l)\s*:.*$/gim, `$1: ${length}`) + text.slice(end);
}

/** The message with one to four changes; in two of a hundred cases nothing but noise. */
export function mutateSip(text: string, dice: Dice): Buffer {
  if (dice.next() < NOISE_SHARE) {
    return Buffer.from(Array.from({ length: 1 + dice.int(600) }, () => dice.int(256)));
  }
  let mutated = text;
  for (let changes = 1 + dice.int(4); changes > 0 && mutated !== ''; changes--)
    mutated = dice.pick(CHANGES)(mutated, dice);
  return Buffer.from(dice.next() < 0.7 ? mended(mutated) : mutated, 'latin1');
}
