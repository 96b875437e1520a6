import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { challengeOf, isSameSecret, isSigned } from '../../../src/whatsapp/webhook-verify.js';

const body = Buffer.from('{"name":"Ñandú 🙂","u":"\\u00e9"}');
const sign = (secret: string, of = body): string => `sha256=${createHmac('sha256', secret).update(of).digest('hex')}`;

describe('isSigned', () => {
  it.each([
    ['the secret', sign('s1'), ['s1'], true],
    ['the older of two secrets', sign('s1'), ['s2', 's1'], true],
    ['upper-case hex', sign('s1').replace(/[a-f]/g, (c) => c.toUpperCase()), ['s1'], true],
    ['another secret', sign('s3'), ['s1', 's2'], false],
    ['no secret configured', sign(''), [], false],
    ['an empty secret', sign(''), [''], false],
    ['no header', undefined, ['s1'], false],
    ['an empty header', '', ['s1'], false],
    ['half a signature', sign('s1').slice(0, 40), ['s1'], false],
    ['one digit too many', `${sign('s1')}0`, ['s1'], false],
    ['another algorithm', sign('s1').replace('sha256', 'sha1'), ['s1'], false],
    ['not hex', `sha256=${'z'.repeat(64)}`, ['s1'], false],
    ['another body', sign('s1', Buffer.from('{}')), ['s1'], false],
  ])('%s: %s', (_, header, secrets, expected) => {
    expect(isSigned(body, header, secrets)).toBe(expected);
  });

  it('is over the raw bytes: the same JSON written differently does not pass', () => {
    const rewritten = Buffer.from(JSON.stringify(JSON.parse(body.toString('utf8'))));
    expect(rewritten.equals(body)).toBe(false);
    expect(isSigned(rewritten, sign('s1'), ['s1'])).toBe(false);
  });
});

describe('challengeOf', () => {
  const query = { 'hub.mode': 'subscribe', 'hub.verify_token': 'secret', 'hub.challenge': '1158201444' };

  it('gives the challenge back to whoever has the token', () => {
    expect(challengeOf(query, 'secret')).toBe('1158201444');
  });

  it.each([
    [{ 'hub.verify_token': 'wrong' }],
    [{ 'hub.verify_token': undefined }],
    [{ 'hub.verify_token': ['secret', 'secret'] }],
    [{ 'hub.mode': 'unsubscribe' }],
    [{ 'hub.challenge': undefined }],
    [{ 'hub.challenge': '<script>' }],
  ])('refuses %o', (change) => {
    expect(challengeOf({ ...query, ...change }, 'secret')).toBeUndefined();
  });

  it('never matches an empty token', () => {
    expect(challengeOf({ ...query, 'hub.verify_token': '' }, '')).toBeUndefined();
    expect(isSameSecret('', '')).toBe(false);
  });
});
