import { describe, expect, it } from 'vitest';
import { endReason, type EndCode } from '../../../src/call/end-reason.js';
import { causeTable } from '../../../src/call/failure-table.js';
import { parseInfoDtmf } from '../../../src/sip/dtmf-relay.js';
import { holdsUs } from '../../../src/sip/offer-direction.js';
import { failureOfStatus, refusalStatus } from '../../../src/sip/sip-cause.js';
import { parseReasonHeader, parseRetryAfter, reasonHeader, refusalHeaders } from '../../../src/sip/sip-headers.js';
import { plainSipText, quotedSipText, sipText, unquotedSipText } from '../../../src/sip/sip-text.js';
import { hasLongUser, nameAddr, requestUri, serverUri, userOfUri } from '../../../src/sip/sip-uri.js';
import type { SipServer } from '../../../src/routing/types.js';

describe('sipText', () => {
  it.each<[string, string]>([
    ['Anna', 'Anna'],
    ['Ann "the\\ax"', 'Ann \\"the\\\\ax\\"'],
    ['a\r\nX-Evil: 1', 'a X-Evil: 1'],
    ['a\u0000b\u007fc\u0085d', 'a b c d'],
    ['\u202egnp.exe\u2066', 'gnp.exe'],
    ['x\u2028y', 'x y'],
    ['\ud800x', 'x'],
    ['مرحبا 👍🏽', 'مرحبا 👍🏽'],
    ['   ', ''],
    ['x'.repeat(100), 'x'.repeat(64)],
    ['👍'.repeat(100), '👍'.repeat(64)],
    ['"'.repeat(100), '\\"'.repeat(64)],
  ])('%j becomes %j', (value, expected) => {
    expect(sipText(value)).toBe(expected);
  });

  it('reads back what it quoted', () => {
    expect(unquotedSipText(quotedSipText('Ann "the\\ax"'))).toBe('Ann "the\\ax"');
    expect(unquotedSipText(' Anna B ')).toBe('Anna B');
    expect(plainSipText('"x"')).toBe('"x"');
  });
});

describe('URIs', () => {
  const server: SipServer = {
    hostname: 'pbx.example.com',
    port: 5060,
    transport: 'udp',
    priority: 1,
    weight: 1,
    requestUriUserParams: {},
  };

  it.each<[string, Partial<SipServer>, string]>([
    ['+15551112222', {}, 'sip:+15551112222@pbx.example.com:5060'],
    ['600', { transport: 'tcp', port: 5070 }, 'sip:600@pbx.example.com:5070;transport=tcp'],
    ['600', { transport: 'tls', hostname: '2001:db8::1' }, 'sip:600@[2001:db8::1]:5060;transport=tls'],
    ['a@b;c:d e%', {}, 'sip:a%40b%3Bc%3Ad%20e%25@pbx.example.com:5060'],
    [
      '+1555',
      { requestUriUserParams: { tgrp: 'whatsapp', 'trunk-context': 'a.b' } },
      'sip:+1555;tgrp=whatsapp;trunk-context=a.b@pbx.example.com:5060',
    ],
    [
      '+1555',
      { requestUriUserParams: { 'k;x': 'v=@>', flag: '' } },
      'sip:+1555;k%3Bx=v%3D%40%3E;flag@pbx.example.com:5060',
    ],
  ])('user %s at %o is %s', (user, overrides, expected) => {
    expect(requestUri(user, { ...server, ...overrides })).toBe(expected);
  });

  it.each<[Partial<SipServer>, string]>([
    [{ lookup: 'srv' }, 'sip:pbx.example.com'],
    [{ lookup: 'srv', transport: 'tcp' }, 'sip:pbx.example.com;transport=tcp'],
    [{ lookup: 'naptr' }, 'sip:pbx.example.com'],
    [{ hostname: '2001:db8::1' }, 'sip:[2001:db8::1]:5060'],
  ])("the URI of server %o leaves to DNS what is DNS's: %s", (overrides, expected) => {
    expect(serverUri({ ...server, ...overrides })).toBe(expected);
    expect(requestUri('+1', { ...server, ...overrides })).toBe(expected.replace(/^sip:/, 'sip:+1@'));
  });

  it('knows a user that is longer than any we cut to', () => {
    expect(hasLongUser(`sip:${'1'.repeat(128)};a=${'x'.repeat(200)}@host`)).toBe(false);
    expect(hasLongUser(`sip:${'%31'.repeat(128)}@host`)).toBe(false);
    expect(hasLongUser(`sip:${'1'.repeat(129)}@host`)).toBe(true);
    expect(hasLongUser('sip:host')).toBe(false);
  });

  it.each<[string, string | undefined]>([
    ['sip:+4915@10.0.0.1:5060', '+4915'],
    ['sip:%2B4915;phone-context=x@10.0.0.1', '+4915'],
    ['sips:bob:secret@host', 'bob'],
    ['tel:+4915;ext=1', '+4915'],
    ['sip:host', undefined],
    ['sip:@host', undefined],
    ['sip:a%ZZb@host', 'a%ZZb'],
    ['sip:%0D%0Aevil@host', 'evil'],
    ['nonsense', undefined],
  ])('the user of %s is %s', (uri, user) => {
    expect(userOfUri(uri)).toBe(user);
  });

  it('leaves an unusable display name out', () => {
    expect(nameAddr(undefined, '+1', 'h')).toBe('<sip:+1@h>');
    expect(nameAddr(' \r\n', '+1', 'h')).toBe('<sip:+1@h>');
    expect(nameAddr('A "B"', '+1', '::1')).toBe('"A \\"B\\"" <sip:+1@[::1]>');
  });
});

describe('Reason, Warning, Retry-After', () => {
  it('says the Q.850 cause and the text', () => {
    expect(reasonHeader(endReason('busy'))).toBe('Q.850;cause=17');
    expect(reasonHeader(endReason('busy', { text: 'a "b"\r\n' }))).toBe('Q.850;cause=17;text="a \\"b\\""');
  });

  it.each<[EndCode, object, Record<string, string>]>([
    ['busy', {}, { Reason: 'Q.850;cause=17' }],
    ['no_codec', {}, { Reason: 'Q.850;cause=88', Warning: '305 sip2wa "supported: PCMA PCMU"' }],
    ['no_codec', { metaCode: 138008 }, { Reason: 'Q.850;cause=88;text="138008"', Warning: '399 sip2wa "138008"' }],
    [
      'no_permission',
      { metaCode: 138006, text: 'No "approved"\r\npermission' },
      {
        Reason: 'Q.850;cause=21;text="138006 No \\"approved\\" permission"',
        Warning: '399 sip2wa "138006 No \\"approved\\" permission"',
      },
    ],
    // A sentence of Meta's is not cut like a name.
    [
      'not_allowed',
      { metaCode: 138014, text: 'x'.repeat(500) },
      {
        Reason: `Q.850;cause=21;text="138014 ${'x'.repeat(153)}"`,
        Warning: `399 sip2wa "138014 ${'x'.repeat(153)}"`,
      },
    ],
    ['upstream', {}, { Reason: 'Q.850;cause=41', 'Retry-After': '5' }],
    ['limit', { retryAfterS: 12.3 }, { Reason: 'Q.850;cause=42', 'Retry-After': '13' }],
    ['limit', { retryAfterS: 1e9 }, { Reason: 'Q.850;cause=42', 'Retry-After': '3600' }],
    // Other statuses do not put the whole trunk out of use.
    ['permission_requested', { retryAfterS: 86_400 }, { Reason: 'Q.850;cause=20', 'Retry-After': '86400' }],
    ['limit', { sipStatus: 403, retryAfterS: 1e9 }, { Reason: 'Q.850;cause=42', 'Retry-After': '604800' }],
    ['not_allowed', { retryAfterS: -1 }, { Reason: 'Q.850;cause=21', 'Retry-After': '0' }],
  ])('refusing for %s %o', (code, detail, headers) => {
    expect(refusalHeaders(endReason(code, detail), ['PCMA', 'PCMU'])).toEqual(headers);
  });

  it.each<[string | undefined, object[]]>([
    [undefined, []],
    ['', []],
    ['Q.850;cause=16', [{ protocol: 'Q.850', cause: 16, text: undefined }]],
    [
      'SIP;cause=200;text="Call completed elsewhere, sorry", q.850 ;cause=26 ; text="a \\"b;c\\""',
      [
        { protocol: 'Q.850', cause: 26, text: 'a "b;c"' },
        { protocol: 'SIP', cause: 200, text: 'Call completed elsewhere, sorry' },
      ],
    ],
    ['SIP ;cause=200 ;text="ACK timeout"', [{ protocol: 'SIP', cause: 200, text: 'ACK timeout' }]],
    ['Q.850;cause=x', []],
    ['Q.850;cause=99999', []],
    ['"unterminated;cause=1', []],
  ])('reads %j', (value, reasons) => {
    expect(parseReasonHeader(value)).toEqual(reasons);
  });

  it.each<[string | undefined, number | undefined]>([
    ['120', 120],
    ['18000;duration=3600', 3600],
    ['120 (I am in a meeting)', 120],
    ['soon', undefined],
    [undefined, undefined],
  ])('Retry-After %j is %j', (value, seconds) => {
    expect(parseRetryAfter(value)).toBe(seconds);
  });
});

describe('failureOfStatus', () => {
  it.each<[number, EndCode, boolean]>([
    [300, 'unavailable', false],
    [302, 'unavailable', false],
    [400, 'bad_request', false],
    [401, 'not_allowed', false],
    [403, 'not_allowed', false],
    [404, 'not_found', false],
    [407, 'not_allowed', false],
    [408, 'no_answer', false],
    [410, 'not_found', false],
    [415, 'no_codec', false],
    [420, 'bad_request', false],
    [480, 'unavailable', false],
    [482, 'no_route', false],
    [484, 'bad_number', false],
    [486, 'busy', false],
    [487, 'no_answer', false],
    [488, 'no_codec', false],
    [500, 'trunk_down', true],
    [503, 'trunk_down', true],
    [504, 'trunk_down', true],
    [599, 'trunk_down', true],
    [600, 'busy', false],
    [603, 'declined', false],
    [604, 'not_found', false],
    [606, 'no_codec', false],
    [607, 'declined', false],
    [699, 'declined', false],
  ])('%i is %s, retry %s', (status, code, retry) => {
    const failure = failureOfStatus(status);
    expect([failure.reason.code, failure.retry]).toEqual([code, retry]);
    expect(failure.reason.sipStatus).toBe(status < 400 ? causeTable[code].sipStatus : status);
  });

  it('takes a status the SIP server made itself as a server that is down', () => {
    expect(failureOfStatus(408, { local: true })).toMatchObject({
      retry: true,
      reason: { code: 'trunk_down', sipStatus: 503 },
    });
  });

  it.each<[string, number]>([
    ['Q.850;cause=34', 34],
    ['SIP;cause=600', 17],
    ['Q.850;cause=0', 17],
    ['Q.850;cause=500', 17],
  ])('prefers a valid Q.850 cause of the far end: %s', (header, q850) => {
    expect(failureOfStatus(486, { reason: header }).reason.q850).toBe(q850);
  });
});

describe('refusalStatus', () => {
  it.each(Object.keys(causeTable) as EndCode[])('%s can be sent as it is', (code) => {
    expect(refusalStatus(endReason(code))).toBe(causeTable[code].sipStatus);
  });

  it.each<[number, number]>([
    [499, 480],
    [200, 500],
    [599, 500],
    [699, 500],
    [603, 603],
  ])('%i goes out as %i', (wanted, sent) => {
    expect(refusalStatus(endReason('internal', { sipStatus: wanted }))).toBe(sent);
  });
});

describe('parseInfoDtmf', () => {
  const relay = 'application/dtmf-relay';
  it.each<[string | undefined, string, object | undefined]>([
    [relay, 'Signal=5\r\nDuration=160\r\n', { digit: '5', durationMs: 160 }],
    [relay, 'Signal= #\r\nDuration= 100', { digit: '#', durationMs: 100 }],
    [relay, 'signal=11', { digit: '#', durationMs: 250 }],
    [relay, 'Signal=b\nDuration=1', { digit: 'B', durationMs: 40 }],
    [relay, 'Signal=1\nDuration=999999', { digit: '1', durationMs: 6000 }],
    ['application/dtmf; x=y', ' 10 \r\n', { digit: '*', durationMs: 250 }],
    ['Application/DTMF', '*', { digit: '*', durationMs: 250 }],
    [relay, 'Signal=flash', undefined],
    [relay, 'Signal=16', undefined],
    [relay, '', undefined],
    ['text/plain', '5', undefined],
    [undefined, '5', undefined],
    [relay, `${'\n'.repeat(300)}Signal=5`, undefined],
  ])('%s %j is %o', (type, body, expected) => {
    expect(parseInfoDtmf(type, body)).toEqual(expected);
  });
});

describe('holdsUs', () => {
  const lines = (...text: string[]): string => ['v=0', 's=-', ...text, ''].join('\r\n');
  it.each<[string, boolean]>([
    [lines('m=audio 1 RTP/AVP 8'), false],
    [lines('m=audio 1 RTP/AVP 8', 'a=sendrecv'), false],
    [lines('m=audio 1 RTP/AVP 8', 'a=sendonly'), true],
    [lines('m=audio 1 RTP/AVP 8', 'a=inactive'), true],
    [lines('m=audio 1 RTP/AVP 8', 'a=recvonly'), false],
    [lines('a=sendonly', 'm=audio 1 RTP/AVP 8'), true],
    [lines('a=sendonly', 'm=audio 1 RTP/AVP 8', 'a=sendrecv'), false],
    [lines('c=IN IP4 0.0.0.0', 'm=audio 1 RTP/AVP 8'), true],
    [lines('c=IN IP6 ::', 'm=audio 1 RTP/AVP 8'), true],
    [lines('c=IN IP6 ::1', 'm=audio 1 RTP/AVP 8'), false],
    [lines('c=IN IP4 0.0.0.0', 'm=audio 1 RTP/AVP 8', 'c=IN IP4 10.0.0.1'), false],
    [lines('m=video 1 RTP/AVP 9', 'a=sendonly', 'm=audio 1 RTP/AVP 8'), false],
    [lines('m=audio 1 RTP/AVP 8', 'm=video 1 RTP/AVP 9', 'a=sendonly'), false],
    ['', false],
  ])('%j: %s', (sdp, expected) => {
    expect(holdsUs(sdp)).toBe(expected);
  });
});
