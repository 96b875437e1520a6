import { describe, expect, it } from 'vitest';
import { hasControlCharacter } from '../../../src/sip-server/core/app-message.js';
import type { SipMessage } from '../../../src/sip-server/sip/message.js';
import { parseMessage } from '../../../src/sip-server/sip/parse.js';
import { plainHeaders } from '../../../src/sip-server/sip/plain-headers.js';
import { replaceFirst, serialise } from '../../../src/sip-server/sip/serialise.js';

const LINES = [
  'Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;rport',
  'From: "A" <sip:a@192.0.2.1>;tag=1',
  'X-Odd_Name: one',
  'X-Odd_Name: two',
  'Content-Length: 4',
];
const read = (lines: readonly string[], body = 'body'): SipMessage => {
  const parsed = parseMessage(Buffer.from(['INFO sip:b@192.0.2.2 SIP/2.0', ...lines, '', body].join('\r\n'), 'latin1'));
  if (!parsed) throw new Error('not a message');
  return parsed.message;
};
/** The same message without what is known of its text. */
const forgetful = (message: SipMessage): SipMessage => ({ ...message, headers: [...message.headers] });

describe('a header section written as we write one', () => {
  it('is known by its text, which is sent on', () => {
    const message = read(LINES);
    expect(message.headers.written).toEqual({ text: LINES.join('\r\n'), bodyLength: 4 });
    expect(message.headers.map(({ name, value }) => `${name}: ${value}`)).toEqual(LINES);
    expect(serialise(message)).toEqual(serialise(forgetful(message)));
  });

  it.each([
    ['a compact name', ['v: SIP/2.0/UDP 192.0.2.1', ...LINES.slice(1)]],
    ['a fold', ['Subject: a\r\n b', ...LINES]],
    ['a blank before the colon', ['Subject : a', ...LINES]],
    ['no blank behind it', ['Subject:a', ...LINES]],
    ['two blanks behind it', ['Subject:  a', ...LINES]],
    ['a tab behind it', ['Subject: \ta', ...LINES]],
    ['a blank at the end', ['Subject: a ', ...LINES]],
    ['no value', ['Subject: ', ...LINES]],
    ['no colon', ['Subject', ...LINES]],
    ['an empty line', ['', ...LINES]],
    ['a lone CR', ['Subject: a\rb', ...LINES]],
    ['a lone LF', ['Subject: a\nb', ...LINES]],
    ['a lone LF at the end', ['Subject: a\n', ...LINES]],
    ['a name that is no token', ['Sub ject: a', ...LINES]],
  ])('is not one with %s', (_what, lines) => {
    expect(plainHeaders(lines.join('\r\n'))).toBeUndefined();
    const message = read(lines);
    expect(message.headers.written).toBeUndefined();
  });

  it.each([
    ['none', LINES.slice(0, -1)],
    ['a wrong one', [...LINES.slice(0, -1), 'Content-Length: 3']],
    ['one with zeros', [...LINES.slice(0, -1), 'Content-Length: 004']],
    ['two', [...LINES, 'Content-Length: 4']],
  ])('is not sent on as it came with %s of Content-Length', (_what, lines) => {
    const message = read(lines);
    // The body is cut to 3 bytes where that is what the header says.
    expect(serialise(message).toString()).toBe(serialise(forgetful(message)).toString());
  });

  it('is written anew for another body', () => {
    const message = { ...read(LINES), body: Buffer.from('a longer body') };
    expect(serialise(message).toString()).toContain('\r\nContent-Length: 13\r\n\r\na longer body');
  });

  it.each(['via', 'from', 'x-odd_name', 'content-length', 'to'])(
    'keeps its text when the first %s is replaced',
    (key) => {
      const message = read(LINES);
      const other = { ...message, headers: replaceFirst(message.headers, key, 'something else, longer or shorter') };
      expect(serialise(other).toString()).toBe(serialise(forgetful(other)).toString());
      expect(other.headers.filter(({ value }) => value.startsWith('something'))).toHaveLength(key === 'to' ? 0 : 1);
    },
  );
});

describe('a control character in a header', () => {
  it.each(['\x00', '\x07', '\x0b', '\x1f', '\x7f'])('is seen whether the text is known or not: %j', (character) => {
    const message = read([`Subject: a${character}b`, ...LINES]);
    expect(message.headers.written).toBeDefined();
    expect([hasControlCharacter(message), hasControlCharacter(forgetful(message))]).toEqual([true, true]);
  });

  it('is no line break between headers, no tab, no letter', () => {
    const message = read(['Subject: a\tb \xff', ...LINES]);
    expect([hasControlCharacter(message), hasControlCharacter(forgetful(message))]).toEqual([false, false]);
  });
});
