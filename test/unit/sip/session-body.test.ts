import { describe, expect, it } from 'vitest';
import { isUnsupportedBody, sdpOf } from '../../../src/sip/session-body.js';
import { costMs } from '../../support/processor-time.js';

const SDP = 'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nm=audio 4000 RTP/AVP 8\r\n';
const ISUP =
  'Content-Type: application/isup;version=itu-t92+\r\nContent-Disposition: signal;handling=optional\r\n\r\n\u0001\ufffd\r\n';

const message = (type: string | undefined, body: string, more: Record<string, string> = {}) => {
  const headers: Record<string, string> = { ...more, ...(type === undefined ? {} : { 'content-type': type }) };
  return { body, get: (name: string): string | undefined => headers[name.toLowerCase()] };
};

const parts = (boundary: string, ...list: string[]): string =>
  `preamble\r\n${list.map((part) => `--${boundary}\r\n${part}\r\n`).join('')}--${boundary}--\r\nepilogue`;
const sdpPart = `Content-Type: application/sdp\r\n\r\n${SDP}`;

describe('the session description of a message', () => {
  it.each<[string, string | undefined, string]>([
    ['its body', 'application/sdp', SDP],
    ['its body, with parameters of its type', 'Application/SDP ; charset=utf-8', SDP],
    ['a body without a type', undefined, SDP],
    ['a part after another', 'multipart/mixed;boundary=b1', parts('b1', ISUP, sdpPart)],
    ['a part before another', 'multipart/mixed; boundary="b 1:x"', parts('b 1:x', sdpPart, ISUP)],
    [
      'a part, its lines ended by LF alone',
      'multipart/mixed;boundary=b',
      parts('b', sdpPart, ISUP).replaceAll('\r\n', '\n'),
    ],
    ['a part that is not closed', 'multipart/related;boundary=b', `--b\r\n${sdpPart}`],
    [
      'the later of two alternatives',
      'multipart/alternative;boundary=b',
      parts('b', sdpPart.replace('4000', '9'), sdpPart),
    ],
    [
      'a part of a part',
      'multipart/mixed;boundary=outer',
      parts('outer', ISUP, `Content-Type: multipart/alternative;\r\n boundary=inner\r\n\r\n${parts('inner', sdpPart)}`),
    ],
    [
      'the part that is for the session',
      'multipart/mixed;boundary=b',
      parts(
        'b',
        sdpPart.replace('\r\n\r\n', '\r\nContent-Disposition: early-session\r\n\r\n').replace('4000', '9'),
        sdpPart.replace('\r\n\r\n', '\r\ncontent-disposition: Session;handling=required\r\n\r\n'),
      ),
    ],
  ])('is %s', (_what, type, body) => {
    const found = sdpOf(message(type, body));
    expect(found.trimEnd()).toBe(SDP.trimEnd());
    expect(found.endsWith('\r\n')).toBe(true);
    if (type !== undefined) expect(isUnsupportedBody(message(type, body))).toBe(false);
  });

  it.each<[string, string | undefined, string]>([
    ['of another type', 'text/plain', SDP],
    ['of no type, and not like one', undefined, 'hello'],
    ['in parts without one', 'multipart/mixed;boundary=b', parts('b', ISUP)],
    ['in parts without a boundary', 'multipart/mixed', parts('b', sdpPart)],
    ['in parts of another boundary', 'multipart/mixed;boundary=c', parts('b', sdpPart)],
    [
      'in a part that is encoded',
      'multipart/mixed;boundary=b',
      parts('b', `Content-Transfer-Encoding: base64\r\n${sdpPart}`),
    ],
    ['in the 17th part', 'multipart/mixed;boundary=b', parts('b', ...Array<string>(16).fill(ISUP), sdpPart)],
    [
      'four parts deep',
      'multipart/mixed;boundary=b0',
      [1, 2, 3].reduceRight(
        (inner, depth) => parts(`b${depth - 1}`, `Content-Type: multipart/mixed;boundary=b${depth}\r\n\r\n${inner}`),
        parts('b3', sdpPart),
      ),
    ],
  ])('is not there in a body %s, which is refused', (_what, type, body) => {
    expect(sdpOf(message(type, body))).toBe('');
    expect(isUnsupportedBody(message(type, body))).toBe(true);
  });

  it('is not there without a body, which is no reason to refuse', () => {
    expect(sdpOf(message('application/sdp', ''))).toBe('');
    expect(isUnsupportedBody(message('multipart/mixed;boundary=b', ''))).toBe(false);
  });

  it('is not all that counts where another part is called indispensable', () => {
    const required = message('multipart/mixed;boundary=b', parts('b', ISUP.replace('optional', 'REQUIRED'), sdpPart));
    expect(sdpOf(required)).toBe(SDP);
    expect(isUnsupportedBody(required)).toBe(true);
    const unsaid = ISUP.replace(';handling=optional', '');
    expect(isUnsupportedBody(message('multipart/mixed;boundary=b', parts('b', unsaid, sdpPart)))).toBe(false);
  });

  it('is looked for in a time that grows with the body alone', () => {
    const tookMs = costMs(() => {
      for (const filler of ['--b\r\n', '\r\n', '--b--', ' ', 'Content-Type: multipart/mixed;boundary=b\r\n\r\n--b\r\n'])
        sdpOf(message('multipart/mixed;boundary=b', filler.repeat(20_000)));
    });
    expect(tookMs).toBeLessThan(2_000);
  });
});
