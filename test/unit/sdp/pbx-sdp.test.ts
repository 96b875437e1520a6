import type { PbxCodec } from '../../../src/routing/types.js';
import { describe, expect, it } from 'vitest';
import { answerPbxOffer, buildPbxOffer, readPbxAnswer, type PbxLocal } from '../../../src/sdp/pbx-sdp.js';
import { SdpError } from '../../../src/sdp/sdp-error.js';
import type { EndCode } from '../../../src/call/end-reason.js';

const local: PbxLocal = {
  address: '192.0.2.1',
  port: 20_000,
  codecs: ['PCMA', 'PCMU'],
  sessionId: '4711',
  sessionVersion: 1,
};

const head = ['v=0', 'o=- 1 1 IN IP4 198.51.100.7', 's=-', 'c=IN IP4 198.51.100.7', 't=0 0'];
const sdp = (...lines: string[]) => [...head, ...lines, ''].join('\r\n');
const without = (start: string) => head.filter((line) => !line.startsWith(start));

function failure(work: () => unknown): SdpError {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(SdpError);
    return error as SdpError;
  }
  throw new Error('nothing was thrown');
}

describe('our offer to a PBX', () => {
  it('lists the codecs in order, telephone-event with events 0 to 16, ptime 20 and sendrecv', () => {
    expect(buildPbxOffer(local)).toBe(
      [
        'v=0',
        'o=- 4711 1 IN IP4 192.0.2.1',
        's=-',
        'c=IN IP4 192.0.2.1',
        't=0 0',
        'm=audio 20000 RTP/AVP 8 0 101 13',
        'a=rtpmap:8 PCMA/8000',
        'a=rtpmap:0 PCMU/8000',
        'a=rtpmap:101 telephone-event/8000',
        'a=rtpmap:13 CN/8000',
        'a=fmtp:101 0-16',
        'a=ptime:20',
        'a=sendrecv',
        '',
      ].join('\r\n'),
    );
  });

  it('offers no comfort noise where no codec has its clock, and takes it where it was offered', () => {
    expect(buildPbxOffer({ ...local, codecs: ['opus'] })).not.toContain('CN/8000');
    const lines = 'a=rtpmap:13 CN/8000\r\na=rtpmap:96 opus/48000/2';
    const answerWith = (codec: PbxCodec): string =>
      answerPbxOffer(sdp('m=audio 4000 RTP/AVP 8 96 13', lines), { ...local, codecs: [codec] }).sdp;
    expect(answerWith('PCMA')).toContain('m=audio 20000 RTP/AVP 8 13\r\n');
    expect(answerWith('opus')).toContain('m=audio 20000 RTP/AVP 96\r\n');
    expect(answerPbxOffer(sdp('m=audio 4000 RTP/AVP 8'), local).sdp).toContain('m=audio 20000 RTP/AVP 8\r\n');
  });

  it('names IPv6 addresses as such', () => {
    const offer = buildPbxOffer({ ...local, address: '2001:db8::1' });
    expect(offer).toContain('o=- 4711 1 IN IP6 2001:db8::1\r\n');
    expect(offer).toContain('c=IN IP6 2001:db8::1\r\n');
  });

  it.each([
    ['c=IN IP6 2001:db8::7', '2001:db8::7', undefined],
    ['c=IN IP6 2001:DB8:0::0007', '2001:db8::7', undefined],
    ['c=IN IP6 2001:db8::7\r\na=rtcp:4100 IN IP6 2001:DB8::7', '2001:db8::7', 4100],
    ['c=IN IP6 2001:db8::7\r\na=rtcp:4100 IN IP6 2001:db8::8', '2001:db8::7', undefined],
  ])('reads where an IPv6 PBX wants its RTP: %j', (lines, address, rtcpPort) => {
    const local6 = { ...local, address: '2001:db8::1' };
    const { sdp: answer, media } = answerPbxOffer(sdp('m=audio 4000 RTP/AVP 8', lines), local6);
    expect(media).toMatchObject({ address, port: 4000, rtcpPort });
    expect(answer).toContain('c=IN IP6 2001:db8::1\r\n');
  });

  it('refuses its own IPv6 address however it is written', () => {
    const local6 = { ...local, address: '2001:db8::1', port: 4000 };
    const offer = sdp('m=audio 4000 RTP/AVP 8', 'c=IN IP6 2001:0db8:0:0::1');
    expect(failure(() => answerPbxOffer(offer, local6)).endCode).toBe('not_allowed');
  });

  it('writes opus as 48000/2 and G722 as 8000', () => {
    const offer = buildPbxOffer({ ...local, codecs: ['opus', 'G722'] });
    expect(offer).toContain('m=audio 20000 RTP/AVP 111 9 101 102 13\r\n');
    expect(offer).toContain('a=fmtp:111 minptime=10;useinbandfec=1\r\n');
    expect(offer).toContain('a=rtpmap:111 opus/48000/2\r\n');
    expect(offer).toContain('a=rtpmap:9 G722/8000\r\n');
  });
});

describe('answer of a PBX to our offer', () => {
  it('gives what was chosen', () => {
    const answer = sdp('m=audio 4000 RTP/AVP 0 96', 'a=rtpmap:96 telephone-event/8000', 'a=ptime:30', 'a=rtcp:4005');
    expect(readPbxAnswer(answer, local)).toEqual({
      address: '198.51.100.7',
      port: 4000,
      codec: 'PCMU',
      payloadType: 0,
      clockRate: 8000,
      ptimeMs: 30,
      telephoneEventPayloadType: 96,
      telephoneEventClockRate: 8000,
      direction: 'sendrecv',
      rtcpPort: 4005,
    });
  });

  it('takes the first codec of the answer that we offered, names without regard to case', () => {
    const answer = sdp('m=audio 4000 RTP/AVP 18 0 8', 'a=rtpmap:0 pcmu/8000/1', 'a=rtpmap:18 G729/8000');
    expect(readPbxAnswer(answer, local)).toMatchObject({ codec: 'PCMU', telephoneEventPayloadType: undefined });
  });

  it('prefers the address of the section to that of the session', () => {
    const answer = sdp('m=audio 4000 RTP/AVP 8', 'c=IN IP4 198.51.100.8');
    expect(readPbxAnswer(answer, local).address).toBe('198.51.100.8');
  });

  it.each<[string, EndCode, string]>([
    ['port 0', 'no_codec', sdp('m=audio 0 RTP/AVP 8')],
    ['a codec that was not offered', 'no_codec', sdp('m=audio 4000 RTP/AVP 18', 'a=rtpmap:18 G729/8000')],
    ['a payload type with no meaning', 'no_codec', sdp('m=audio 4000 RTP/AVP 97')],
    ['PCMA at the wrong rate', 'no_codec', sdp('m=audio 4000 RTP/AVP 8', 'a=rtpmap:8 PCMA/16000')],
    ['PCMA in stereo', 'no_codec', sdp('m=audio 4000 RTP/AVP 8', 'a=rtpmap:8 PCMA/8000/2')],
    ['SRTP', 'no_codec', sdp('m=audio 4000 RTP/SAVP 8')],
    ['video first', 'bad_request', sdp('m=video 4000 RTP/AVP 96', 'm=audio 4002 RTP/AVP 8')],
    ['no section', 'bad_request', sdp()],
    ['a privileged port', 'not_allowed', sdp('m=audio 1023 RTP/AVP 8')],
    ['a multicast address', 'not_allowed', sdp('m=audio 4000 RTP/AVP 8', 'c=IN IP4 224.2.1.1')],
    ['a multicast address with TTL', 'bad_request', sdp('m=audio 4000 RTP/AVP 8', 'c=IN IP4 224.2.1.1/127')],
    ['broadcast', 'not_allowed', sdp('m=audio 4000 RTP/AVP 8', 'c=IN IP4 255.255.255.255')],
    ['this network', 'not_allowed', sdp('m=audio 4000 RTP/AVP 8', 'c=IN IP4 0.1.2.3')],
    ['our own address', 'not_allowed', sdp('m=audio 20000 RTP/AVP 8', 'c=IN IP4 192.0.2.1')],
    ['a host name', 'bad_request', sdp('m=audio 4000 RTP/AVP 8', 'c=IN IP4 pbx.example')],
    ['IPv6 to an IPv4 socket', 'no_codec', sdp('m=audio 4000 RTP/AVP 8', 'c=IN IP6 2001:db8::7')],
    ['IPv6 multicast', 'not_allowed', sdp('m=audio 4000 RTP/AVP 8', 'c=IN IP6 ff02::1')],
    ['IPv6 in brackets', 'bad_request', sdp('m=audio 4000 RTP/AVP 8', 'c=IN IP6 [2001:db8::7]')],
    ['no address', 'bad_request', [...without('c='), 'm=audio 4000 RTP/AVP 8', ''].join('\r\n')],
  ])('refuses %s', (_what, code, answer) => {
    expect(failure(() => readPbxAnswer(answer, local)).endCode).toBe(code);
  });

  it.each([
    ['recvonly', 'sendonly'],
    ['sendonly', 'recvonly'],
    ['inactive', 'inactive'],
    ['sendrecv', 'sendrecv'],
  ])('turns its %s into our %s', (theirs, ours) => {
    expect(readPbxAnswer(sdp('m=audio 4000 RTP/AVP 8', `a=${theirs}`), local).direction).toBe(ours);
  });

  it('reads a direction of the session as default of the section', () => {
    const answer = [...head, 'a=inactive', 'm=audio 4000 RTP/AVP 8', ''].join('\r\n');
    expect(readPbxAnswer(answer, local).direction).toBe('inactive');
  });

  it.each([
    ['a=ptime:20', 20],
    ['a=ptime:40', 40],
    ['a=ptime:37', 20],
    ['a=ptime:5', 20],
    ['a=ptime:99999999999999999999', 20],
    ['a=ptime:', 20],
    ['a=maxptime:10', 10],
    ['a=maxptime:5', 20],
  ])('%s gives packets of %i ms', (line, ptimeMs) => {
    expect(readPbxAnswer(sdp('m=audio 4000 RTP/AVP 8', line), local).ptimeMs).toBe(ptimeMs);
  });

  it.each([
    ['a=rtcp:4001 IN IP4 198.51.100.7', 4001],
    ['a=rtcp:4001 IN IP4 203.0.113.9', undefined],
    ['a=rtcp:80', undefined],
    ['a=rtcp:', undefined],
  ])('%s sends RTCP to port %s', (line, port) => {
    expect(readPbxAnswer(sdp('m=audio 4000 RTP/AVP 8', line), local).rtcpPort).toBe(port);
  });
});

describe('our answer to an offer of a PBX', () => {
  it('chooses by our order, keeps the payload types of the offer and names one codec only', () => {
    const offer = sdp(
      'm=audio 4000 RTP/AVP 0 118 9 97 98',
      'a=rtpmap:118 PCMA/8000',
      'a=rtpmap:97 telephone-event/48000',
      'a=rtpmap:98 telephone-event/8000',
      'a=fmtp:98 0-15',
    );
    const answer = answerPbxOffer(offer, { ...local, sessionVersion: 2 });
    expect(answer.media).toMatchObject({ codec: 'PCMA', payloadType: 118, telephoneEventPayloadType: 98 });
    expect(answer.sdp.split('\r\n')).toEqual([
      'v=0',
      'o=- 4711 2 IN IP4 192.0.2.1',
      's=-',
      'c=IN IP4 192.0.2.1',
      't=0 0',
      'm=audio 20000 RTP/AVP 118 98',
      'a=rtpmap:118 PCMA/8000',
      'a=rtpmap:98 telephone-event/8000',
      'a=fmtp:98 0-16',
      'a=ptime:20',
      'a=sendrecv',
      '',
    ]);
  });

  it('takes the first usable audio section and refuses all others with port 0, in order', () => {
    const offer = sdp(
      'm=video 5000 RTP/AVP 96 97',
      'm=audio 4000 RTP/SAVP 8',
      'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR',
      'm=audio 4002 RTP/AVP 18',
      'm=audio 4004 RTP/AVP 8',
      'a=mid:voice',
      'm=audio 4006 RTP/AVP 8',
      'm=image 4008 udptl t38',
      'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
    );
    const { sdp: answer, media } = answerPbxOffer(offer, local);
    expect(media.port).toBe(4004);
    expect(answer.split('\r\n').filter((line) => line.startsWith('m='))).toEqual([
      'm=video 0 RTP/AVP 96 97',
      'm=audio 0 RTP/SAVP 8',
      'm=audio 0 RTP/AVP 18',
      'm=audio 20000 RTP/AVP 8',
      'm=audio 0 RTP/AVP 8',
      'm=image 0 udptl t38',
      'm=application 0 UDP/DTLS/SCTP webrtc-datachannel',
    ]);
    expect(answer).toContain('a=mid:voice\r\n');
  });

  it.each([
    ['a=sendonly', 'recvonly'],
    ['a=recvonly', 'sendonly'],
    ['a=inactive', 'inactive'],
    ['a=sendrecv', 'sendrecv'],
    ['c=IN IP4 0.0.0.0', 'recvonly'],
    ['c=IN IP4 0.0.0.0\r\na=sendonly', 'recvonly'],
    ['c=IN IP4 0.0.0.0\r\na=recvonly', 'inactive'],
    ['c=IN IP4 0.0.0.0\r\na=inactive', 'inactive'],
    ['c=IN IP6 ::', 'recvonly'],
    ['c=IN IP6 0:0:0:0:0:0:0:0\r\na=sendonly', 'recvonly'],
  ])('answers %j with %s', (line, direction) => {
    const answer = answerPbxOffer(sdp('m=audio 4000 RTP/AVP 8', line), local);
    expect(answer.media.direction).toBe(direction);
    expect(answer.sdp).toContain(`a=${direction}\r\n`);
  });

  it('keeps to the packet length that the PBX asks for', () => {
    const { sdp: answer, media } = answerPbxOffer(sdp('m=audio 4000 RTP/AVP 8', 'a=ptime:30'), local);
    expect(media.ptimeMs).toBe(30);
    expect(answer).toContain('a=ptime:30\r\n');
  });

  it.each<[string, EndCode, RegExp, string]>([
    ['no audio', 'no_codec', /no audio section/, sdp('m=video 4000 RTP/AVP 96')],
    ['audio switched off', 'no_codec', /no audio section/, sdp('m=audio 0 RTP/AVP 8')],
    ['SRTP only', 'no_codec', /plain RTP/, sdp('m=audio 4000 RTP/SAVP 8')],
    ['DTLS only', 'no_codec', /plain RTP/, sdp('m=audio 4000 UDP/TLS/RTP/SAVPF 8')],
    ['foreign codecs', 'no_codec', /codec/, sdp('m=audio 4000 RTP/AVP 3 18')],
    ['a multicast address', 'not_allowed', /multicast/, sdp('m=audio 4000 RTP/AVP 8', 'c=IN IP4 239.1.1.1')],
    ['a low port', 'not_allowed', /port/, sdp('m=audio 53 RTP/AVP 8')],
    ['a port above 65535', 'bad_request', /m=/, sdp('m=audio 70000 RTP/AVP 8')],
    ['a port without digits', 'bad_request', /m=/, sdp('m=audio  RTP/AVP 8')],
    ['no format', 'bad_request', /m=/, sdp('m=audio 4000 RTP/AVP')],
    ['nothing', 'bad_request', /v=0/, ''],
    ['no SDP', 'bad_request', /v=0/, '{"type":"offer"}'],
    ['a NUL byte', 'bad_request', /NUL/, sdp('m=audio 4000 RTP/AVP 8', 'a=x\0y')],
    ['100 KB', 'bad_request', /bytes/, sdp('m=audio 4000 RTP/AVP 8', `a=x:${'y'.repeat(100_000)}`)],
    ['500 sections', 'bad_request', /lines/, sdp(...Array<string>(500).fill('m=audio 4000 RTP/AVP 8'))],
    ['17 sections', 'bad_request', /sections/, sdp(...Array<string>(17).fill('m=audio 4000 RTP/AVP 8'))],
    ['a very long line', 'bad_request', /line over/, sdp('m=audio 4000 RTP/AVP 8', `a=x:${'y'.repeat(2000)}`)],
  ])('refuses an offer with %s', (_what, code, message, offer) => {
    const error = failure(() => answerPbxOffer(offer, local));
    expect(error.endCode).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.toEndReason()).toMatchObject({ code, text: error.message });
  });

  it('reads an offer of sixteen sections', () => {
    const offer = sdp(...Array<string>(16).fill('m=audio 4000 RTP/AVP 8'));
    expect(answerPbxOffer(offer, local).sdp.match(/^m=audio 0 /gm)).toHaveLength(15);
  });

  it('prefers our first codec, and of two payload types of it the first', () => {
    const offer = sdp('m=audio 4000 RTP/AVP 97 8 0', 'a=rtpmap:97 PCMA/8000');
    expect(answerPbxOffer(offer, local).media.payloadType).toBe(97);
  });

  it('reads bare LF line ends too', () => {
    expect(answerPbxOffer(sdp('m=audio 4000 RTP/AVP 8').replaceAll('\r', ''), local).media.codec).toBe('PCMA');
  });

  it('echoes no byte of a refused section that is no token', () => {
    const { sdp: answer } = answerPbxOffer(sdp('m=video 4000 RTP/AVP 96 "<x>;', 'm=audio 4000 RTP/AVP 8'), local);
    expect(answer).toContain('m=video 0 RTP/AVP 96\r\n');
  });
});
