import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { EndCode } from '../../../src/call/end-reason.js';
import { SdpError } from '../../../src/sdp/sdp-error.js';
import {
  answerSetup,
  isClientAfterAnswer,
  writeWhatsAppAnswer,
  writeWhatsAppOffer,
  type WhatsAppLocal,
} from '../../../src/sdp/whatsapp-profile.js';
import { readWhatsAppRemote, type WhatsAppRemote } from '../../../src/sdp/whatsapp-remote.js';

const fixture = (name: string) => readFileSync(new URL(`../../fixtures/sdp/meta-${name}.sdp`, import.meta.url), 'utf8');
const userOffer = fixture('user-initiated-offer-from-meta');
const businessAnswer = fixture('business-initiated-answer-from-meta');

const hash = Array.from({ length: 32 }, (_, i) => (i + 160).toString(16).toUpperCase()).join(':');
const local: WhatsAppLocal = {
  sessionId: '1234567890',
  ice: { usernameFragment: 'abcd', password: 'abcdefghijklmnopqrstuv' },
  fingerprint: hash,
  ssrc: 3_000_000_000,
  cname: 'c0ffee',
};

function failure(sdp: string): SdpError {
  try {
    readWhatsAppRemote(sdp);
  } catch (error) {
    expect(error).toBeInstanceOf(SdpError);
    return error as SdpError;
  }
  throw new Error('nothing was thrown');
}

/** Meta's offer with one line replaced, or taken out. */
function edited(pattern: RegExp, replacement = ''): string {
  const result = userOffer.replace(pattern, replacement);
  expect(result).not.toBe(userOffer);
  return result;
}

describe("Meta's four samples", () => {
  it('reads its offer of a user-initiated call', () => {
    expect(readWhatsAppRemote(userOffer)).toEqual<WhatsAppRemote>({
      iceLite: true,
      ice: { usernameFragment: '6k2qP1R6kBfI/2', password: 'UApvJw3NcwFRDvIMKdM0vWCdlXah25E9' },
      candidates: [
        { foundation: '1972637320', priority: 2_113_937_151, address: '31.13.65.60', port: 40_012 },
        {
          foundation: '1652262791',
          priority: 2_113_939_711,
          address: '2a03:2880:f211:cf:face:b00c:0:6443',
          port: 40_012,
        },
      ],
      fingerprint: '1B:B6:6B:40:A5:0B:8C:75:0D:8C:CB:90:2F:99:74:1E:26:45:AE:AF:45:C1:51:60:8F:73:C9:2D:10:6D:8A:88',
      setup: 'actpass',
      mid: 'audio',
      formats: [{ codec: 'opus', payloadType: 111, clockRate: 48_000 }],
      telephoneEventPayloadType: 126,
    });
  });

  it('reads its answer of a business-initiated call, legacy codecs and all', () => {
    expect(readWhatsAppRemote(businessAnswer)).toMatchObject({
      iceLite: true,
      candidates: [
        { address: '31.13.65.130', port: 3482 },
        { address: '2a03:2880:f211:d1:face:b00c:0:699c', port: 3482 },
      ],
      setup: 'active',
      mid: '0',
      formats: [{ codec: 'opus', payloadType: 111, clockRate: 48_000 }],
      telephoneEventPayloadType: 126,
    });
  });

  it.each(['business-initiated-offer-from-business', 'user-initiated-answer-from-business'])(
    'finds nothing to complain of in %s but the candidates it rightly lacks',
    (name) => {
      expect(failure(fixture(name))).toMatchObject({
        endCode: 'bad_request',
        message: 'SDP has no usable candidate',
      });
    },
  );

  it('answers in the form of the sample answer', () => {
    const answer = writeWhatsAppAnswer(local, readWhatsAppRemote(userOffer));
    expect(answer.split('\r\n').sort()).toEqual(
      [
        'v=0',
        'o=- 1234567890 2 IN IP4 127.0.0.1',
        's=-',
        't=0 0',
        'a=group:BUNDLE audio',
        'a=msid-semantic: WMS c0ffee',
        'm=audio 9 UDP/TLS/RTP/SAVPF 111 126',
        'c=IN IP4 0.0.0.0',
        'a=rtcp:9 IN IP4 0.0.0.0',
        'a=ice-ufrag:abcd',
        'a=ice-pwd:abcdefghijklmnopqrstuv',
        `a=fingerprint:sha-256 ${hash}`,
        'a=setup:active',
        'a=mid:audio',
        'a=sendrecv',
        'a=rtcp-mux',
        'a=rtpmap:111 opus/48000/2',
        'a=fmtp:111 minptime=10;useinbandfec=1',
        'a=rtpmap:126 telephone-event/8000',
        'a=ptime:20',
        'a=maxptime:20',
        'a=msid:c0ffee audio0',
        'a=ssrc:3000000000 cname:c0ffee',
        'a=ssrc:3000000000 msid:c0ffee audio0',
        '',
      ].sort(),
    );
    expect(answer.indexOf('m=audio')).toBeLessThan(answer.indexOf('a=rtpmap'));
  });
});

describe('our offer', () => {
  const offer = writeWhatsAppOffer(local);

  it('is actpass with payload types 111 and 126', () => {
    expect(offer).toContain('a=setup:actpass\r\n');
    expect(offer).toContain('m=audio 9 UDP/TLS/RTP/SAVPF 111 126\r\n');
    expect(offer).toContain('a=mid:0\r\n');
    expect(offer).toContain('a=group:BUNDLE 0\r\n');
  });

  it.each(['a=candidate', 'a=extmap', 'a=rtcp-fb', 'a=ice-lite', 'a=end-of-candidates', 'a=recvonly'])(
    'has no %s line',
    (line) => expect(offer).not.toContain(line),
  );

  it('has one of each that Meta wants once', () => {
    for (const once of ['m=', 'a=fingerprint:sha-256 ', 'a=sendrecv', 'a=rtcp-mux', 'a=ptime:20']) {
      expect(offer.split('\r\n').filter((line) => line.startsWith(once))).toHaveLength(1);
    }
    const ssrcs = offer.match(/a=ssrc:\d+/g);
    expect(new Set(ssrcs).size).toBe(1);
  });

  it('is read back by our own reader, candidates added', () => {
    const withCandidate = `${offer}a=candidate:1 1 udp 1 198.51.100.1 3478 typ host\r\n`;
    expect(readWhatsAppRemote(withCandidate)).toMatchObject({ fingerprint: hash, setup: 'actpass', iceLite: false });
  });
});

describe('payload types', () => {
  it('of the offer are kept in the answer', () => {
    const offer = userOffer
      .replaceAll(':111 ', ':96 ')
      .replaceAll(':126 ', ':97 ')
      .replace('SAVPF 111 126', 'SAVPF 96 97');
    const answer = writeWhatsAppAnswer(local, readWhatsAppRemote(offer));
    expect(answer).toContain('m=audio 9 UDP/TLS/RTP/SAVPF 96 97\r\n');
    expect(answer).toContain('a=rtpmap:96 opus/48000/2\r\n');
    expect(answer).toContain('a=rtpmap:97 telephone-event/8000\r\n');
    expect(answer).toContain('a=fmtp:96 ');
  });

  it('leave out telephone-event if the offer has none at 8000', () => {
    const offer = edited(/a=rtpmap:126 telephone-event\/8000/, 'a=rtpmap:126 telephone-event/48000');
    const remote = readWhatsAppRemote(offer);
    expect(remote.telephoneEventPayloadType).toBeUndefined();
    expect(writeWhatsAppAnswer(local, remote)).toContain('SAVPF 111\r\n');
  });

  it.each(['OPUS/48000/2', 'Opus/48000/2'])('know opus as %s', (name) => {
    expect(readWhatsAppRemote(edited(/opus\/48000\/2/, name)).formats[0].payloadType).toBe(111);
  });

  it('do not depend on the fmtp, which is another in each of Meta documents', () => {
    const fmtp = 'a=fmtp:111 maxaveragebitrate=20000;maxplaybackrate=16000;minptime=20;useinbandfec=1';
    expect(readWhatsAppRemote(edited(/a=fmtp:111 .*/, `${fmtp}\r\na=ptime:20`)).formats[0].payloadType).toBe(111);
    expect(readWhatsAppRemote(edited(/a=fmtp:111 .*\r\n/)).formats[0].payloadType).toBe(111);
  });
});

describe('DTLS roles', () => {
  it.each([
    ['actpass', 'active'],
    ['passive', 'active'],
    ['active', 'passive'],
  ] as const)('an offer of %s is answered %s', (theirs, ours) => {
    const remote = readWhatsAppRemote(userOffer.replace('a=setup:actpass', `a=setup:${theirs}`));
    expect(answerSetup(remote.setup)).toBe(ours);
    expect(writeWhatsAppAnswer(local, remote)).toContain(`a=setup:${ours}\r\n`);
  });

  it.each([
    ['active', false],
    ['passive', true],
    ['actpass', true],
  ] as const)('an answer of %s makes us the client: %s', (theirs, isClient) => {
    expect(isClientAfterAnswer(theirs)).toBe(isClient);
  });

  it('take a missing setup for actpass', () => {
    expect(readWhatsAppRemote(edited(/a=setup:.*\r\n/)).setup).toBe('actpass');
  });
});

describe('what does no harm', () => {
  it.each<[string, string]>([
    ['a short a=rtcp', edited(/a=rtcp:9 IN IP4 0\.0\.0\.0/, 'a=rtcp:9')],
    ['no a=ssrc', edited(/a=ssrc:.*\r\n/g)],
    ['no a=mid', edited(/a=mid:.*\r\n/)],
    ['a second audio section', `${userOffer}m=audio 5000 RTP/AVP 8\r\n`],
    ['a video section before it', edited(/m=audio/, 'm=video 9 UDP/TLS/RTP/SAVPF 96\r\nm=audio')],
    ['session-level ICE and DTLS', moved(/a=(ice-ufrag|ice-pwd|fingerprint|setup):.*\r\n/g)],
    ['a sha-512 fingerprint beside it', edited(/a=setup/, `a=fingerprint:sha-512 ${hash}\r\na=setup`)],
    ['the same fingerprint twice', edited(/(a=fingerprint:.*\r\n)/, '$1$1')],
    ['SHA-256 in capitals', edited(/sha-256/, 'SHA-256')],
    ['hex in lower case', userOffer.replace(/(sha-256 )(\S+)/, (_, a: string, b: string) => a + b.toLowerCase())],
    ['ice-lite in the section', edited(/(a=ice-lite\r\n)(m=.*\r\n)/, '$2$1')],
    ['a TCP and an mDNS candidate', withCandidates(['1 tcp 1 192.0.2.1 9', '1 udp 1 a.local 4000'])],
    ['a bare LF', userOffer.replaceAll('\r', '')],
  ])('%s', (_what, sdp) => {
    const { mid, ...rest } = readWhatsAppRemote(sdp);
    const { mid: sampleMid, ...sample } = readWhatsAppRemote(userOffer);
    expect(rest).toEqual(sample);
    expect([sampleMid, '0']).toContain(mid);
  });
});

describe('candidates', () => {
  it.each([
    ['IPv6 to nobody', '1 udp 1 :: 4000'],
    ['IPv6 multicast', '1 udp 1 ff02::1 4000'],
    ['IPv6 in brackets', '1 udp 1 [2001:db8::1] 4000'],
    ['a host name', '1 udp 1 media.example 4000'],
    ['an mDNS name', '1 udp 1 1f2e.local 4000'],
    ['RTCP', '2 udp 1 192.0.2.1 4000'],
    ['TCP', '1 tcp 1 192.0.2.1 4000'],
    ['port 0', '1 udp 1 192.0.2.1 0'],
    ['port 70000', '1 udp 1 192.0.2.1 70000'],
    ['0.0.0.0', '1 udp 1 0.0.0.0 4000'],
    ['multicast', '1 udp 1 224.0.0.251 5353'],
    ['broadcast', '1 udp 1 255.255.255.255 4000'],
    ['an absurd priority', '1 udp 99999999999 192.0.2.1 4000'],
  ])('of %s are left out', (_what, candidate) => {
    expect(readWhatsAppRemote(withCandidates([candidate])).candidates).toHaveLength(2);
    expect(failure(onlyCandidates([candidate])).endCode).toBe('bad_request');
  });

  it.each([
    ['2001:db8::1', '2001:db8::1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
  ])('of %s are taken, as %s', (written, address) => {
    const { candidates } = readWhatsAppRemote(onlyCandidates([`1 udp 7 ${written} 4000`]));
    expect(candidates).toEqual([{ foundation: '9', priority: 7, address, port: 4000 }]);
  });

  it('may be eight, not nine', () => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => `1 udp ${i} 192.0.2.${i + 1} 4000`);
    expect(readWhatsAppRemote(onlyCandidates(many(8))).candidates).toHaveLength(8);
    expect(failure(onlyCandidates(many(9))).message).toContain('over 8 candidates');
  });
});

describe('what is refused', () => {
  const otherHash = hash.replace('A0', '00');
  it.each<[string, EndCode, RegExp, string]>([
    ['no Opus', 'no_codec', /opus/, edited(/opus\/48000\/2/, 'PCMU/8000')],
    ['Opus in mono form', 'no_codec', /opus/, edited(/opus\/48000\/2/, 'opus/48000')],
    ['Opus at 16000', 'no_codec', /opus/, edited(/opus\/48000\/2/, 'opus/16000/2')],
    ['no audio', 'bad_request', /audio/, edited(/m=audio/, 'm=video')],
    ['audio at port 0', 'bad_request', /audio/, edited(/m=audio 40012/, 'm=audio 0')],
    ['plain RTP', 'bad_request', /DTLS/, edited(/UDP\/TLS\/RTP\/SAVPF/, 'RTP/AVP')],
    ['no fingerprint', 'bad_request', /fingerprint/, edited(/a=fingerprint.*\r\n/)],
    ['sha-1 only', 'bad_request', /fingerprint/, edited(/sha-256/, 'sha-1')],
    [
      'two sha-256 fingerprints',
      'bad_request',
      /several/,
      edited(/a=setup/, `a=fingerprint:sha-256 ${otherHash}\r\na=setup`),
    ],
    ['a short fingerprint', 'bad_request', /malformed/, edited(/:8A:88/, ':8A')],
    ['a fingerprint that is none', 'bad_request', /malformed/, edited(/1B:B6/, 'XX:B6')],
    ['no ufrag', 'bad_request', /ufrag/, edited(/a=ice-ufrag.*\r\n/)],
    ['a short ufrag', 'bad_request', /ufrag/, edited(/a=ice-ufrag.*/, 'a=ice-ufrag:abc')],
    ['a short password', 'bad_request', /pwd/, edited(/a=ice-pwd.*/, 'a=ice-pwd:abc')],
    ['no password', 'bad_request', /pwd/, edited(/a=ice-pwd.*\r\n/)],
    ['setup holdconn', 'bad_request', /setup/, edited(/a=setup:actpass/, 'a=setup:holdconn')],
    ['an unreadable m=', 'bad_request', /m=/, edited(/m=audio 40012/, 'm=audio x')],
    ['emptiness', 'bad_request', /v=0/, ''],
  ])('%s', (_what, code, message, sdp) => {
    const error = failure(sdp);
    expect(error.endCode).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.code).toBe('SIP2WA_SDP');
  });
});

/** Meta's offer with lines of its section moved up to the session. */
function moved(lines: RegExp): string {
  const taken = userOffer.match(lines)?.join('') ?? '';
  return userOffer.replace(lines, '').replace('t=0 0\r\n', `t=0 0\r\n${taken}`);
}

function withCandidates(candidates: readonly string[]): string {
  return userOffer + candidates.map((candidate) => `a=candidate:9 ${candidate} typ host\r\n`).join('');
}

function onlyCandidates(candidates: readonly string[]): string {
  return withCandidates(candidates).replace(/a=candidate:.* ufrag .*\r\n/g, '');
}
