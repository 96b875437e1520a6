import { describe, expect, it } from 'vitest';
import { BadInputError } from '../../../src/lib/bridge-error.js';
import type { StreamItem } from '../../../src/sip-server/transport/stream-framer.js';
import { MAX_MESSAGE_BYTES } from '../../../src/sip-server/sip/parse.js';
import { StreamFramer } from '../../../src/sip-server/transport/stream-framer.js';

const message = (body: string, name = 'Content-Length'): string =>
  `MESSAGE sip:x@y SIP/2.0\r\nVia: v\r\n${name} : ${Buffer.byteLength(body)}\r\n\r\n${body}`;

const shown = (items: readonly StreamItem[]): string[] =>
  items.map((item) => (item.kind === 'message' ? item.bytes.toString() : item.kind));

describe('StreamFramer', () => {
  it('parts messages by Content-Length in bytes, by the compact name too, and pings between them', () => {
    const one = message('Grüße\r\n\r\nmore');
    const two = message('', 'l');
    const stream = Buffer.from(`\r\n${one}\r\n\r\n${two}\r\n\r\n`);
    expect(shown(new StreamFramer().push(stream))).toEqual([one, 'ping', two, 'ping']);
  });

  it('finds the same items however the stream is cut', () => {
    const one = message('body\r\n\r\nbody');
    const stream = Buffer.from(`${one}\r\n\r\n${one}`);
    for (let cut = 1; cut < stream.length; cut++) {
      const framer = new StreamFramer();
      const items = [...framer.push(stream.subarray(0, cut)), ...framer.push(stream.subarray(cut))];
      expect(shown(items)).toEqual([one, 'ping', one]);
    }
    const bytewise = new StreamFramer();
    expect(shown([...stream].flatMap((byte) => bytewise.push(Buffer.from([byte]))))).toEqual([one, 'ping', one]);
  });

  it('takes a message without Content-Length as one without body', () => {
    const bare = 'OPTIONS sip:x@y SIP/2.0\r\nVia: v\r\n\r\n';
    expect(shown(new StreamFramer().push(Buffer.from(bare + bare)))).toEqual([bare, bare]);
  });

  it('takes a message of the largest size, and a folded length', () => {
    const head = 'MESSAGE sip:x@y SIP/2.0\r\nl :\r\n   ';
    const room = MAX_MESSAGE_BYTES - head.length - 9;
    const largest = `${head}${room}\r\n\r\n${'x'.repeat(room)}`;
    expect(largest).toHaveLength(MAX_MESSAGE_BYTES);
    expect(shown(new StreamFramer().push(Buffer.from(largest + largest)))).toEqual([largest, largest]);
  });

  it.each([
    ['an endless header section', `X: ${'a'.repeat(MAX_MESSAGE_BYTES + 1)}`],
    ['a long header section', `X: ${'a'.repeat(MAX_MESSAGE_BYTES + 1)}\r\n\r\n`],
    ['a large body', `X: y\r\nContent-Length: ${MAX_MESSAGE_BYTES}\r\n\r\n`],
    ['a length that is no number', 'X: y\r\nContent-Length: -5\r\n\r\n'],
    ['contradicting lengths', 'X: y\r\nContent-Length: 5\r\nl: 6\r\n\r\n'],
  ])('gives up on %s', (_what, text) => {
    expect(() => new StreamFramer().push(Buffer.from(text))).toThrow(BadInputError);
  });
});
