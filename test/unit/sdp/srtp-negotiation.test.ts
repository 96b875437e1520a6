import { describe, expect, it } from 'vitest';
import type { SrtpSuite } from '../../../src/routing/types.js';
import { answerPbxOffer, buildPbxOffer, readPbxAnswer, type PbxLocal } from '../../../src/sdp/pbx-sdp.js';
import { SrtpKey, srtpSuites } from '../../../src/sdp/sdes.js';
import type { SrtpLocal } from '../../../src/sdp/srtp-negotiation.js';

const cm = 'AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0e';
const gcm = 'AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHA==';
const [gcm128, s80, s32] = srtpSuites as [SrtpSuite, SrtpSuite, SrtpSuite];
const line = (tag: number, suite: string, key = suite === gcm128 ? gcm : cm): string =>
  `a=crypto:${tag} ${suite} inline:${key}`;

const ours = new Map(
  srtpSuites.map((suite, i) => [suite, SrtpKey.random(suite, (n) => Buffer.alloc(n, 0x60 + i).toString('hex'))]),
);
const keyOf = (suite: SrtpSuite): SrtpKey => ours.get(suite) as SrtpKey;
const srtp = (mode: 'optional' | 'required', suites = srtpSuites): SrtpLocal => ({
  mode,
  suites,
  protocol: mode === 'required' ? 'RTP/SAVP' : 'RTP/AVP',
  keyOf,
});
const local = (security?: SrtpLocal): PbxLocal => ({
  address: '192.0.2.1',
  port: 20_000,
  codecs: ['PCMA', 'PCMU'],
  sessionId: '1',
  sessionVersion: 1,
  srtp: security,
});

const session = 'v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n';
const section = (protocol: string, crypto: string[] = [], port = 30_000, formats = '8'): string =>
  [`m=audio ${port} ${protocol} ${formats}`, ...crypto, ''].join('\r\n');
const sdp = (...sections: string[]): string => session + sections.join('');
const linesOf = (text: string, start: RegExp): string[] => text.split('\r\n').filter((each) => start.test(each));
const cryptoOf = (text: string): string[] => linesOf(text, /^a=crypto/);
const mediaOf = (text: string): string[] => linesOf(text, /^m=/);

describe('our offer', () => {
  it('is plain without SRTP', () => {
    const offer = buildPbxOffer(local());
    expect(mediaOf(offer)).toEqual(['m=audio 20000 RTP/AVP 8 0 101 13']);
    expect(cryptoOf(offer)).toEqual([]);
  });

  it.each([
    ['required', 'RTP/SAVP'],
    ['optional', 'RTP/AVP'],
  ] as const)('is %s as one section of %s with a line for each suite', (mode, protocol) => {
    const offer = buildPbxOffer(local(srtp(mode, [s80, gcm128])));
    expect(mediaOf(offer)).toEqual([`m=audio 20000 ${protocol} 8 0 101 13`]);
    expect(cryptoOf(offer)).toEqual([
      `a=crypto:1 ${s80} ${keyOf(s80).inline}`,
      `a=crypto:2 ${gcm128} ${keyOf(gcm128).inline}`,
    ]);
  });
});

describe('the answer to our offer', () => {
  it.each([
    ['required', 'RTP/SAVP'],
    ['required', 'RTP/AVP'],
    ['optional', 'RTP/AVP'],
    ['optional', 'RTP/SAVP'],
  ] as const)('agrees on what it names: %s, %s', (mode, protocol) => {
    const media = readPbxAnswer(sdp(section(protocol, [line(2, s80)])), local(srtp(mode)));
    expect(media.srtp?.local).toBe(keyOf(s80));
    expect(media.srtp?.remote.inline).toBe(`inline:${cm}`);
    expect(media.srtp?.protocol).toBe(protocol);
  });

  it('is plain if it has no key and need not', () => {
    expect(readPbxAnswer(sdp(section('RTP/AVP')), local(srtp('optional'))).srtp).toBeUndefined();
    expect(readPbxAnswer(sdp(section('RTP/AVP', [line(1, s80)])), local()).srtp).toBeUndefined();
  });

  it.each([
    ['RTP/AVP without a key where one is required', srtp('required'), section('RTP/AVP')],
    ['RTP/SAVP without a key', srtp('optional'), section('RTP/SAVP')],
    ['RTP/SAVP where nothing was offered', undefined, section('RTP/SAVP', [line(1, s80)])],
    ['a tag that was not offered', srtp('required'), section('RTP/SAVP', [line(4, s80)])],
    ['the tag of another suite', srtp('required'), section('RTP/SAVP', [line(1, s80)])],
    ['a suite that was not offered', srtp('required', [s80]), section('RTP/SAVP', [line(1, s32)])],
    ['RTP/SAVPF', srtp('required'), section('RTP/SAVPF', [line(2, s80)])],
    ['DTLS', srtp('optional'), section('UDP/TLS/RTP/SAVPF')],
  ])('is refused with %s', (_what, security, answer) => {
    expect(() => readPbxAnswer(sdp(answer), local(security))).toThrow(
      expect.objectContaining({ endCode: 'no_codec' }) as Error,
    );
  });
});

describe('our answer', () => {
  it.each(['RTP/SAVP', 'RTP/AVP'])(
    'takes %s with the suite that stands first with us, its tag and our key',
    (protocol) => {
      const crypto = [line(5, s32), line(6, s80), line(9, gcm128)];
      const { sdp: answer, media } = answerPbxOffer(
        sdp(section(protocol, crypto)),
        local(srtp('optional', [s80, gcm128])),
      );
      expect(mediaOf(answer)).toEqual([`m=audio 20000 ${protocol} 8`]);
      expect(cryptoOf(answer)).toEqual([`a=crypto:6 ${s80} ${keyOf(s80).inline}`]);
      expect(media.srtp?.remote.inline).toBe(`inline:${cm}`);
    },
  );

  it('passes over lines that cannot be used', () => {
    const crypto = [`${line(1, s80)} UNENCRYPTED_SRTP`, `a=crypto:2 ${s80} inline:x`, line(3, s80)];
    const { sdp: answer } = answerPbxOffer(sdp(section('RTP/SAVP', crypto)), local(srtp('required', [s80])));
    expect(cryptoOf(answer)).toEqual([`a=crypto:3 ${s80} ${keyOf(s80).inline}`]);
  });

  it('is plain to RTP/AVP whose lines cannot be used, where SRTP is optional', () => {
    const { sdp: answer, media } = answerPbxOffer(
      sdp(section('RTP/AVP', ['a=crypto:1 X inline:x'])),
      local(srtp('optional')),
    );
    expect(mediaOf(answer)).toEqual(['m=audio 20000 RTP/AVP 8']);
    expect(cryptoOf(answer)).toEqual([]);
    expect(media.srtp).toBeUndefined();
  });

  it.each([
    ['plain first', [section('RTP/AVP'), section('RTP/SAVP', [line(1, s80)], 30_002)], [0, 20_000]],
    ['secure first', [section('RTP/SAVP', [line(1, s80)]), section('RTP/AVP', [], 30_002)], [20_000, 0]],
  ])('takes the secure section of two, %s', (_what, sections, ports) => {
    const { sdp: answer, media } = answerPbxOffer(sdp(...sections), local(srtp('optional')));
    expect(mediaOf(answer).map((each) => Number(each.split(' ')[1]))).toEqual(ports);
    expect(media.srtp?.local).toBe(keyOf(s80));
    expect(cryptoOf(answer)).toHaveLength(1);
  });

  it('takes the plain section of two without SRTP, and repeats no key', () => {
    const offer = sdp(section('RTP/SAVP', [line(1, s80)]), section('RTP/AVP', [], 30_002));
    const { sdp: answer } = answerPbxOffer(offer, local());
    expect(mediaOf(answer)).toEqual(['m=audio 0 RTP/SAVP 8', 'm=audio 20000 RTP/AVP 8']);
    expect(answer).not.toContain('crypto');
  });

  it.each([
    ['RTP/SAVP to a trunk without SRTP (F-47)', undefined, section('RTP/SAVP', [line(1, s80)])],
    ['RTP/AVP where SRTP is required', srtp('required'), section('RTP/AVP')],
    ['RTP/SAVP without a key that can be used', srtp('optional'), section('RTP/SAVP', [`${line(1, s80)} KDR=3`])],
    ['RTP/SAVP with suites the trunk has not', srtp('optional', [gcm128]), section('RTP/SAVP', [line(1, s80)])],
    ['RTP/SAVPF', srtp('optional'), section('RTP/SAVPF', [line(1, s80)])],
    ['DTLS', srtp('required'), section('UDP/TLS/RTP/SAVPF', ['a=fingerprint:sha-256 00'])],
  ])('refuses %s', (_what, security, offer) => {
    expect(() => answerPbxOffer(sdp(offer), local(security))).toThrow(
      expect.objectContaining({ endCode: 'no_codec' }) as Error,
    );
  });
});
