import { describe, expect, it } from 'vitest';
import { algorithmNamed } from '../../../../src/sip/digest/algorithm.js';
import { parseAuthHeader } from '../../../../src/sip/digest/auth-header.js';
import { parseChallenges } from '../../../../src/sip/digest/challenge.js';
import { credentials, digestResponse } from '../../../../src/sip/digest/response.js';

/** What RFC 7616 §3.9.1 asks for. */
const mufasa = {
  username: 'Mufasa',
  password: 'Circle of Life',
  realm: 'http-auth@example.org',
  nonce: '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v',
  method: 'GET',
  uri: '/dir/index.html',
  qop: { nc: '00000001', cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ' },
};

describe('digestResponse', () => {
  it.each([
    // RFC 7616 §3.9.1
    ['MD5', '8ca523f5e9506fed4657c9700eebdbec'],
    ['SHA-256', '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'],
  ])('of %s is that of RFC 7616', (algorithm, expected) => {
    expect(digestResponse({ ...mufasa, algorithm: algorithmNamed(algorithm)! })).toBe(expected);
  });

  it('of SHA-512-256 is that of RFC 7616 §3.9.2 as erratum 4897 corrects it', () => {
    const jason = {
      username: 'Jäsøn Doe',
      password: 'Secret, or not?',
      realm: 'api@example.org',
      nonce: '5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK',
      method: 'GET',
      uri: '/doe.json',
      qop: { nc: '00000001', cnonce: 'NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v' },
    };
    const response = digestResponse({ ...jason, algorithm: algorithmNamed('SHA-512-256')! });
    expect(response).toBe('3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5');
  });

  it('with MD5 is that of RFC 2617 §3.5, and without qop that of RFC 2069 as its erratum corrects it', () => {
    const algorithm = algorithmNamed('md5')!;
    const common = { ...mufasa, algorithm, realm: 'testrealm@host.com' };
    const nonce = 'dcd98b7102dd2f0e8b11d0f600bfb0c093';
    const qop = { nc: '00000001', cnonce: '0a4f113b' };
    expect(digestResponse({ ...common, password: 'Circle Of Life', nonce, qop })).toBe(
      '6629fae49393a05397450978507c4ef1',
    );
    expect(digestResponse({ ...common, password: 'CircleOfLife', nonce, qop: undefined })).toBe(
      '1949323746fe6a43ef61f9606e7febea',
    );
  });

  it('with -sess binds the secret to nonce and client nonce', () => {
    const plain = digestResponse({ ...mufasa, algorithm: algorithmNamed('SHA-256')! });
    const algorithm = algorithmNamed('SHA-256-sess')!;
    expect(algorithm).toEqual({ hash: 'SHA-256', isSession: true });
    // Computed with Python's hashlib from the formula of RFC 7616 §3.4.2.
    expect(digestResponse({ ...mufasa, algorithm })).toBe(SESSION_RESPONSE);
    expect(SESSION_RESPONSE).not.toBe(plain);
  });
});

const SESSION_RESPONSE = '2fd51b3a77ad75bad6afad6003e818d767133c46d9e2749e7f5232ae1ea3efd7';

describe('credentials', () => {
  const answer = { username: 'a"b\\c', password: 'p', method: 'INVITE', uri: 'sip:1@h', cnonce: 'c0', count: 1 };

  it('give back realm, nonce, opaque and algorithm as they came', () => {
    const [challenge] = parseChallenges(
      'Digest realm="a \\"b\\", c",nonce="n",opaque="",algorithm=sha-256,qop="auth-int,auth"',
    );
    const value = credentials(challenge!, answer);
    expect(value).toMatch(
      /^Digest username="a\\"b\\\\c", realm="a \\"b\\", c", nonce="n", uri="sip:1@h", response="[0-9a-f]{64}", algorithm=sha-256, opaque="", qop=auth, nc=00000001, cnonce="c0"$/,
    );
    expect(parseAuthHeader(value)).toHaveLength(1);
  });

  it('count the requests with one nonce in eight hex digits', () => {
    const [challenge] = parseChallenges('Digest realm="r", nonce="n", qop="auth"');
    const [first, twelfth] = [1, 12].map((count) => credentials(challenge!, { ...answer, count }));
    expect([/nc=\w+/.exec(first!)?.[0], /nc=\w+/.exec(twelfth!)?.[0]]).toEqual(['nc=00000001', 'nc=0000000c']);
    expect(/response="\w+/.exec(first!)?.[0]).not.toBe(/response="\w+/.exec(twelfth!)?.[0]);
  });

  it('for a challenge of RFC 2069 have no algorithm, qop, nc and cnonce', () => {
    const [challenge] = parseChallenges('Digest realm="r", nonce="n"');
    expect(credentials(challenge!, answer)).toMatch(
      /^Digest username="[^ ]*", realm="r", nonce="n", uri="sip:1@h", response="[0-9a-f]{32}"$/,
    );
  });
});
