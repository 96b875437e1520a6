import { describe, expect, it } from 'vitest';
import { checkBusinessSdp } from '../../../src/sandbox/graph/sdp-check.js';
import { fromBusiness, prepareLocalOffer, toMetaForm } from '../../../src/sandbox/meta-sdp.js';
import { readFixture } from '../../support/fixtures.js';

const crlf = (path: string): string => readFixture(path).replace(/\r?\n/g, '\r\n');

/** An offer as libwebrtc M106 (@roamhq/wrtc 0.10.0) gathers it; recorded for this test, addresses replaced by those for documentation. */
const gathered = [
  'v=0',
  'o=- 7790439764161751790 2 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE 0',
  'a=extmap-allow-mixed',
  'a=msid-semantic: WMS',
  'm=audio 54546 UDP/TLS/RTP/SAVPF 111 63 0 8 110 126',
  'c=IN IP4 192.0.2.2',
  'a=rtcp:9 IN IP4 0.0.0.0',
  'a=candidate:3077952869 1 udp 2122265343 2001:db8::2 34101 typ host generation 0 network-id 2',
  'a=candidate:3229573512 1 udp 2122194687 192.0.2.2 54546 typ host generation 0 network-id 1',
  'a=candidate:1510613869 1 udp 2122063615 127.0.0.1 45676 typ host generation 0 network-id 3',
  'a=candidate:344579997 1 tcp 1518083839 127.0.0.1 42707 typ host tcptype passive generation 0 network-id 3',
  'a=ice-ufrag:Vz4n',
  'a=ice-pwd:TA2BLXq34Tu+7XmWA3vHMVNy',
  'a=ice-options:trickle',
  'a=fingerprint:sha-256 01:74:D2:A5:18:E9:85:4B:FE:E8:31:78:0C:CB:2F:1C:22:FB:55:55:FF:4D:40:F3:38:49:A9:C6:DF:C8:4B:5C',
  'a=setup:actpass',
  'a=mid:0',
  'a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level',
  'a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time',
  'a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
  'a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid',
  'a=sendrecv',
  'a=msid:- f04db07e-f7b3-4ec1-9032-4c898adb3536',
  'a=rtcp-mux',
  'a=rtpmap:111 opus/48000/2',
  'a=rtcp-fb:111 transport-cc',
  'a=fmtp:111 minptime=10;useinbandfec=1',
  'a=rtpmap:63 red/48000/2',
  'a=fmtp:63 111/111',
  'a=rtpmap:0 PCMU/8000',
  'a=rtpmap:8 PCMA/8000',
  'a=rtpmap:110 telephone-event/48000',
  'a=rtpmap:126 telephone-event/8000',
  'a=ssrc:1789229682 cname:RMndZImRmnLO0r7x',
  'a=ssrc:1789229682 msid:- f04db07e-f7b3-4ec1-9032-4c898adb3536',
  '',
].join('\r\n');

/** The lines of a description with everything that differs from call to call taken out, sorted: their order means nothing. */
function form(sdp: string): string[] {
  return sdp
    .split(/\r?\n/)
    .filter((line) => line !== '' && !line.includes('2a03:2880'))
    .map((line) =>
      line
        .replace(/^o=- \d+/, 'o=- ID')
        .replace(/(WMS|msid:|mslabel:) ?[0-9a-f-]{36}/, '$1 STREAM')
        .replace(/audio#[\w-]{11}/, 'TRACK')
        .replace(/^a=ssrc:\d+/, 'a=ssrc:N')
        .replace(/cname:\S+/, 'cname:C')
        .replace(/(ufrag|pwd)([: ])\S+/, '$1$2X')
        .replace(/sha-256 .*/, 'sha-256 F')
        .replace(/candidate:\d+ 1 udp \d+ \S+ \d+/, 'candidate:N 1 udp P ADDRESS PORT')
        .replace(/^m=audio \d+/, 'm=audio PORT')
        .replace(/^c=IN IP4 .*/, 'c=IN IP4 ADDRESS'),
    )
    .sort();
}

describe('an offer of libwebrtc, dressed as Meta', () => {
  const offer = toMetaForm(prepareLocalOffer(gathered));

  it("has exactly the lines of Meta's sample", () => {
    expect(form(offer)).toEqual(form(readFixture('sdp/meta-user-initiated-offer-from-meta.sdp')));
  });
  it('names loopback alone, with the port of that candidate', () => {
    expect(offer.match(/\d+\.\d+\.\d+\.\d+/g)!.every((address) => /^(127\.|0\.0\.0\.0)/.test(address))).toBe(true);
    expect(offer).toMatch(/^m=audio 45676 /m);
    expect(offer).not.toContain('2001:db8');
  });
  it('keeps what the handshake needs, and CRLF', () => {
    for (const line of ['a=ice-ufrag:Vz4n', 'a=ice-pwd:TA2BLXq34Tu+7XmWA3vHMVNy', 'a=setup:actpass'])
      expect(offer).toContain(`${line}\r\n`);
    expect(offer.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
  });
  it('needs a candidate on loopback', () => {
    expect(() => toMetaForm(gathered.replaceAll('127.0.0.1 4', '192.0.2.9 4'))).toThrow(/127\.0\.0\.1/);
  });
});

describe('an offer of a browser, dressed as Meta, with every address that it shows', () => {
  const offer = toMetaForm(prepareLocalOffer(gathered), 'every');

  it('keeps the IPv4 addresses of its own over UDP, the first of them as the media address', () => {
    const candidates = [...offer.matchAll(/^a=candidate:\S+ 1 (\S+) \d+ (\S+) (\d+) typ (\S+)/gm)];
    expect(candidates.map(([, ...parts]) => parts.join(' '))).toEqual([
      'udp 192.0.2.2 54546 host',
      'udp 127.0.0.1 45676 host',
    ]);
    expect(offer).toMatch(/^m=audio 54546 /m);
    expect(offer).toMatch(/^c=IN IP4 192\.0\.2\.2\r$/m);
  });
  it('ranks them in the order in which they came', () => {
    const priorities = [...offer.matchAll(/^a=candidate:\S+ 1 udp (\d+) /gm)].map(([, priority]) => Number(priority));
    expect(priorities).toEqual([...priorities].sort((a, b) => b - a));
    expect(new Set(priorities).size).toBe(2);
  });
  it('leaves out names, and addresses that others reflected or relayed', () => {
    const hidden = gathered
      .replace('192.0.2.2 54546 typ host', '5f2c.local 54546 typ host')
      .replace('127.0.0.1 45676 typ host', '192.0.2.7 45676 typ srflx raddr 0.0.0.0 rport 0');
    expect(() => toMetaForm(hidden, 'every')).toThrow(/once it may use the microphone/);
  });
  it('has the lines of the other form but for the addresses', () => {
    const lines = (sdp: string): string[] => form(sdp).filter((line) => !line.startsWith('a=candidate'));
    expect(lines(offer)).toEqual(lines(toMetaForm(prepareLocalOffer(gathered))));
  });
});

describe("the business's description on its way to libwebrtc", () => {
  it('loses every address: nothing in it can make the sandbox send', () => {
    const clean = fromBusiness(gathered);
    expect(clean).not.toMatch(/a=candidate|192\.0\.2/);
    expect(clean).toContain('a=ice-ufrag:Vz4n');
  });
});

describe("Meta's own samples pass the checks", () => {
  it.each([
    ['offer', 'sdp/meta-business-initiated-offer-from-business.sdp'],
    ['answer', 'sdp/meta-user-initiated-answer-from-business.sdp'],
  ] as const)('%s of a business', (type, path) => {
    expect(() => checkBusinessSdp(type, crlf(path))).not.toThrow();
  });
  it('and those of Meta are not taken for a business', () => {
    expect(() => checkBusinessSdp('offer', crlf('sdp/meta-user-initiated-offer-from-meta.sdp'))).toThrow(/full ICE/);
  });
});

describe('codecs that a number has beside Opus', () => {
  const formats = (sdp: string): string | undefined => /^m=audio \d+ \S+ (.*)\r$/m.exec(sdp)?.[1];

  it("stand in the relay's offer and answer, under libwebrtc's own numbers and in its order, and no others", () => {
    expect(formats(toMetaForm(prepareLocalOffer(gathered)))).toBe('111 126');
    const offer = toMetaForm(prepareLocalOffer(gathered, ['PCMA']), 'loopback', ['PCMA']);
    expect(formats(offer)).toBe('111 8 126');
    expect(offer).toContain('a=rtpmap:8 PCMA/8000\r\n');
    expect(offer).not.toContain('PCMU');
    expect(formats(toMetaForm(gathered, 'loopback', ['PCMA', 'PCMU']))).toBe('111 0 8 126');
  });

  it('may stand in what the business sends, and no others; an answer may do without Opus then', () => {
    const sample = crlf('sdp/meta-user-initiated-answer-from-business.sdp');
    const withFormats = (types: string, lines: string): string =>
      sample.replace(/(SAVPF) .*\r\n/, `$1 ${types}\r\n`).replace(/(a=(rtpmap|fmtp|rtcp-fb):.*\r\n)+/, lines);
    const opus = 'a=rtpmap:111 opus/48000/2\r\n';
    const pcma = 'a=rtpmap:8 PCMA/8000\r\n';
    const both = withFormats('8 111', pcma + opus);
    expect(() => checkBusinessSdp('answer', both, ['PCMA'])).not.toThrow();
    expect(() => checkBusinessSdp('answer', both, ['PCMU'])).toThrow(/PCMA is not a codec of this number/);
    expect(() => checkBusinessSdp('answer', both, [])).toThrow(/PCMA is not a codec of this number/);
    expect(() => checkBusinessSdp('answer', both)).not.toThrow();
    const alone = withFormats('8', pcma);
    expect(() => checkBusinessSdp('answer', alone, ['PCMA'])).not.toThrow();
    expect(() => checkBusinessSdp('answer', alone, [])).toThrow(/opus/);
    expect(() => checkBusinessSdp('offer', alone.replace('setup:active', 'setup:actpass'), ['PCMA'])).toThrow(/opus/);
  });
});
