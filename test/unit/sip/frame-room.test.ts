import { describe, expect, it } from 'vitest';
import { firstFitting, headerBytes, headerRoom, largestPart, withoutEcho } from '../../../src/sip/frame-room.js';

const long = 'é'.repeat(600);

describe('what is said of a frame that is too large', () => {
  it.each([
    [
      'a header, by its name',
      `sip||d\r\nBYE sip:p SIP/2.0\r\nReason: a\r\nAuthorization: ${long}\r\n\r\n`,
      'Authorization',
    ],
    ['the name of the dialog', `sip||${long}\r\nBYE sip:p SIP/2.0\r\nReason: a\r\n\r\n`, 'Call-ID, tag or next hop'],
    ['the Request-URI', `sip||d\r\nBYE sip:${long} SIP/2.0\r\nReason: a\r\n\r\n`, 'Request-URI'],
    ['the body, blank lines in it too', `sip||d\r\nINFO sip:p SIP/2.0\r\n\r\na\r\n\r\n${long}`, 'body'],
  ])('is what takes up most of it: %s', (_, frame, part) => {
    expect(largestPart(frame)).toMatchObject({ part });
    expect(largestPart(frame).bytes).toBeGreaterThan(1_200);
  });
});

describe('the frame of a response', () => {
  const head = 'sip|txn|\r\nSIP/2.0 200 OK';

  it('leaves out copies of the request, and nothing else', () => {
    const kept = `Contact: c\r\nWarning: ${long}\r\nX-From: ${long}`;
    const echo = `from: "${long}" <sip:a@b>;tag=1\r\nTo: ${'\ufffd'.repeat(400)}\r\nCall-ID: c\r\nCSeq: 1 BYE`;
    const frame = `${head}\r\n${echo}\r\n${kept}\r\n\r\nbody\r\n\r\nFrom: ${long}`;
    expect(withoutEcho(frame)).toBe(`${head}\r\n${kept}\r\n\r\nbody\r\n\r\nFrom: ${long}`);
  });

  it('is no request: that keeps all', () => {
    const request = `sip||d\r\nBYE sip:p SIP/2.0\r\nFrom: ${long}\r\n\r\n`;
    expect(withoutEcho(request)).toBe(request);
  });
});

describe('the room of a frame', () => {
  it('is what URI, names and body leave, in bytes', () => {
    const empty = headerRoom({ uri: '' });
    expect(headerRoom({ uri: 'é', names: 'ab', body: '123' })).toBe(empty - 7);
    expect(headerBytes({ A: 'é', B: '' })).toBe('A: ..\r\n'.length + 'B: \r\n'.length);
  });

  it('goes to the first way of writing that fits, and to the last if none does', () => {
    const ways = [{ A: '123' }, { A: '12' }, { A: '1' }] as const;
    const [full, some, least] = ways.map((way) => headerBytes(way));
    expect([full, full! - 1, some! - 1, least! - 1].map((room) => firstFitting(ways, room!))).toEqual([
      ...ways,
      { A: '1' },
    ]);
  });
});
