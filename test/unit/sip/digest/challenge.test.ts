import { describe, expect, it } from 'vitest';
import type { DigestAlgorithm } from '../../../../src/routing/types.js';
import { authHeaderLimit, parseAuthHeader } from '../../../../src/sip/digest/auth-header.js';
import { chooseChallenge, parseChallenges } from '../../../../src/sip/digest/challenge.js';
import { costMs } from '../../../support/processor-time.js';

const read = (text: string): unknown[] =>
  parseAuthHeader(text).map(({ scheme, params }) => [scheme, Object.fromEntries(params)]);

describe('parseAuthHeader', () => {
  it.each<[string, unknown[]]>([
    ['', []],
    ['Digest realm="a", nonce="b"', [['digest', { realm: 'a', nonce: 'b' }]]],
    ['DIGEST  Realm = "a" ,, nonce=b== ,', [['digest', { realm: 'a', nonce: 'b==' }]]],
    ['Digest realm="a, nonce=\\"x\\"",nonce=""', [['digest', { realm: 'a, nonce=\\"x\\"', nonce: '' }]]],
    ['Digest realm="a",\r\n nonce="b"', [['digest', { realm: 'a', nonce: 'b' }]]],
    [
      'Digest realm="a",Digest realm="b"',
      [
        ['digest', { realm: 'a' }],
        ['digest', { realm: 'b' }],
      ],
    ],
    [
      'Negotiate, Basic dXNlcg==, Digest realm="b"',
      [
        ['negotiate', {}],
        ['basic', {}],
        ['digest', { realm: 'b' }],
      ],
    ],
    ['Digest realm="a", realm="b", Digest realm="c"', [['digest', { realm: 'c' }]]],
    ['realm="a"', []],
    ['Digest realm="a', []],
    ['Digest realm="a"x', []],
    ['Digest realm="a\u0000b"', []],
    ['Digest realm="a\\', []],
    [`Digest realm="${'a'.repeat(authHeaderLimit)}"`, []],
  ])('%j', (text, expected) => {
    expect(read(text)).toEqual(expected);
  });

  it('takes no longer for text made to be slow', () => {
    const bait = ['"\\'.repeat(2_000), ' '.repeat(4_000), ',"'.repeat(2_000), 'a '.repeat(2_000), '= '.repeat(2_000)];
    const tookMs = costMs(() => {
      for (const text of bait) expect(read(text)).toEqual([]);
    });
    expect(tookMs).toBeLessThan(500);
  });
});

describe('parseChallenges', () => {
  const asked = (text: string): string[] =>
    parseChallenges(text).map(
      ({ algorithm: { hash, isSession }, realm, hasQop }) =>
        `${hash}${isSession ? '-sess' : ''} ${realm}${hasQop ? '' : ' old'}`,
    );

  it.each<[string, string[]]>([
    ['Digest realm="a", nonce="b"', ['MD5 a old']],
    ['Digest realm="a", nonce="b", qop="auth"', ['MD5 a']],
    ['Digest realm="a", nonce="b", qop="auth-int , AUTH", algorithm="sha-256"', ['SHA-256 a']],
    ['Digest realm="a", nonce="b", qop="auth-int"', []],
    ['Digest realm="a", nonce="b", qop=""', []],
    ['Digest realm="a", nonce="b", algorithm=SHA-256', []],
    ['Digest realm="a", nonce="b", algorithm=MD5-sess', []],
    ['Digest realm="a", nonce="b", algorithm=MD5-sess, qop=auth', ['MD5-sess a']],
    ['Digest realm="a", nonce="b", algorithm=AKAv1-MD5, qop="auth"', []],
    ['Digest realm="a", nonce="b", algorithm=__proto__, qop="auth"', []],
    ['Digest nonce="b", qop="auth"', []],
    ['Digest realm="a", qop="auth"', []],
    ['Basic realm="a", nonce="b"', []],
    ['Digest nonce="x,realm=b", realm="a"', ['MD5 a old']],
    [
      'Digest realm="a",nonce="1",algorithm=SHA-512-256,qop="auth",Digest realm="b",nonce="2"',
      ['SHA-512-256 a', 'MD5 b old'],
    ],
  ])('%j', (text, expected) => {
    expect(asked(text)).toEqual(expected);
  });

  it('knows opaque and stale', () => {
    const [first, second] = parseChallenges(
      'Digest realm="a",nonce="b",opaque="o\\\\",stale=TRUE, Digest realm="a",nonce="b"',
    );
    expect(first).toMatchObject({ opaque: 'o\\\\', isStale: true });
    expect(second).toMatchObject({ opaque: undefined, isStale: false });
    expect(parseChallenges(undefined)).toEqual([]);
  });
});

describe('chooseChallenge', () => {
  const all: DigestAlgorithm[] = ['SHA-512-256', 'SHA-256', 'MD5'];
  const challenges = (...algorithms: string[]) =>
    parseChallenges(algorithms.map((name) => `Digest realm="r", nonce="n", qop="auth", algorithm=${name}`).join(', '));

  it.each<[string[], DigestAlgorithm[], string | undefined]>([
    // RFC 8760 §2.4: the topmost that is supported, by local policy.
    [['SHA-256', 'SHA-512-256', 'MD5'], all, 'SHA-256'],
    [['SHA-512-256', 'SHA-256', 'MD5'], all, 'SHA-512-256'],
    [['SHA-512-256', 'SHA-256'], ['SHA-256', 'MD5'], 'SHA-256'],
    [['MD5', 'SHA-256'], all, 'SHA-256'],
    [['MD5', 'MD5-sess'], all, 'MD5'],
    [['MD5'], ['SHA-256'], undefined],
    [['MD5'], ['MD5'], 'MD5'],
    [[], all, undefined],
  ])('of %j with %j allowed', (asked, allowed, expected) => {
    expect(chooseChallenge(challenges(...asked), allowed)?.algorithmToken).toBe(expected);
  });
});
