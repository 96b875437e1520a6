import { describe, expect, it } from 'vitest';
import { BadInputError } from '../../../src/lib/bridge-error.js';
import { encodeFrame, FrameDecoder, MAX_FRAME_BYTES } from '../../../src/sip-server/wire/frame-codec.js';

/** Captured from a real drachtio-srf and a real drachtio-server. */
const AUTHENTICATE = '56#47c2a30b-a9b7-49d9-ba3a-7c861e6ad825|authenticate|cymru|';
const ROUTE = '49#066d49eb-c9b6-4b05-aa87-12f99bda34e9|route|invite';
const BYE =
  '146#175971bc-8ddd-412d-b204-7d089343831a|sip||1-4368@127.0.0.1;from-tag=4368SIPpTag001\r\n' +
  'BYE sip:placeholder SIP/2.0\r\nX-Bye: app\r\nContent-Length: 0\r\n\r\n';
const OK = '85#83aeb08a-d43d-4d8d-b415-db3d857fcef5|response|066d49eb-c9b6-4b05-aa87-12f99bda34e9|OK';

describe('FrameDecoder', () => {
  it('reads captured frames, several in one piece', () => {
    const frames = new FrameDecoder().push(Buffer.from(AUTHENTICATE + ROUTE + OK));
    expect(frames.map((frame) => frame.tokens.slice(1))).toEqual([
      ['authenticate', 'cymru', ''],
      ['route', 'invite'],
      ['response', '066d49eb-c9b6-4b05-aa87-12f99bda34e9', 'OK'],
    ]);
    expect(frames.every((frame) => frame.sip === undefined)).toBe(true);
  });

  it('parts the tokens from the SIP text, which may hold separators', () => {
    const text = BYE.replace('X-Bye: app', 'X-Bye: a|b');
    const [frame] = new FrameDecoder().push(Buffer.from(text));
    expect(frame?.tokens.slice(1)).toEqual(['sip', '', '1-4368@127.0.0.1;from-tag=4368SIPpTag001']);
    expect(frame?.sip?.toString()).toBe('BYE sip:placeholder SIP/2.0\r\nX-Bye: a|b\r\nContent-Length: 0\r\n\r\n');
  });

  it('waits for the rest, wherever a frame is cut', () => {
    const bytes = Buffer.from(ROUTE + BYE);
    for (let cut = 1; cut < bytes.length; cut++) {
      const decoder = new FrameDecoder();
      const frames = [...decoder.push(bytes.subarray(0, cut)), ...decoder.push(bytes.subarray(cut))];
      expect(frames).toHaveLength(2);
      expect(frames[1]?.byteLength).toBe(146);
    }
  });

  it('counts bytes, not characters', () => {
    const decoder = new FrameDecoder();
    const payload = 'id|sip||\r\nMESSAGE sip:x@y SIP/2.0\r\n\r\nGrüße 📞';
    const [frame] = decoder.push(Buffer.from(`${Buffer.byteLength(payload)}#${payload}${ROUTE}`));
    expect(frame?.sip?.toString('utf8').endsWith('Grüße 📞')).toBe(true);
    expect(Buffer.byteLength(payload)).toBeGreaterThan(payload.length);
  });

  it.each(['#', 'x#y', '-1#a', '0#', '12345678#', 'hello world', `${MAX_FRAME_BYTES + 1}#`, '1 2#'])(
    'refuses %j',
    (text) => {
      expect(() => new FrameDecoder().push(Buffer.from(text))).toThrow(BadInputError);
    },
  );

  it.each(['a\nb|ping', 'a|pi\rng', 'a|sip|\n|\r\nBYE sip:x SIP/2.0\r\n\r\n'])(
    'refuses a line break in a token, which no answer could repeat: %j',
    (payload) => {
      expect(() => new FrameDecoder().push(Buffer.from(`${payload.length}#${payload}`))).toThrow(BadInputError);
    },
  );

  it('takes a frame of the largest size', () => {
    const payload = `i|sip||\r\n${'x'.repeat(MAX_FRAME_BYTES - 9)}`;
    const [frame] = new FrameDecoder().push(Buffer.from(`${payload.length}#${payload}`));
    expect(frame?.byteLength).toBe(MAX_FRAME_BYTES);
  });
});

describe('encodeFrame', () => {
  it('writes what the decoder reads', () => {
    const bytes = encodeFrame(['id', 'sip', 7, ''], Buffer.from('SIP/2.0 200 Grüß\r\n\r\n'));
    expect(bytes.toString()).toBe(`32#id|sip|7|\r\nSIP/2.0 200 Grüß\r\n\r\n`.replace('32', String(bytes.length - 3)));
    const [frame] = new FrameDecoder().push(bytes);
    expect(frame?.tokens).toEqual(['id', 'sip', '7', '']);
  });

  it.each(['a|b', 'a\rb', 'a\nb'])('refuses a token with a separator: %j', (token) => {
    expect(() => encodeFrame(['id', token])).toThrow(BadInputError);
  });
});
