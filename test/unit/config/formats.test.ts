import { describe, expect, it } from 'vitest';
import { didYouMean, editDistance } from '../../../src/config/did-you-mean.js';
import {
  duration,
  graphUrl,
  isCidr,
  isHost,
  isLoopback,
  parseDuration,
  parseListen,
  parsePortRange,
  parseSipListen,
} from '../../../src/config/formats.js';
import { numberId, routeFrom, sipUser, toE164, uriParameters } from '../../../src/config/phone-formats.js';

describe('parseDuration', () => {
  it.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['2m', 120_000],
    ['4h', 14_400_000],
    ['0s', 0],
  ])('%s is %d ms', (text, ms) => expect(parseDuration(text)).toBe(ms));

  it.each(['', '30', '30 s', 's', '-1s', '1.5s', '1e3s', '30S', '1h30m', '9999999999s', 30, null, undefined])(
    '%j is none',
    (text) => expect(parseDuration(text)).toBeUndefined(),
  );

  it('has bounds, both inclusive', () => {
    const format = duration(1_000, 60_000);
    expect([format.complaint('1s'), format.complaint('1m'), format.complaint('60000ms')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(format.complaint('999ms')).toEqual({ message: 'is out of range', cure: 'write a duration from 1s to 60s' });
    expect(format.complaint('61s')).toEqual({ message: 'is out of range', cure: 'write a duration from 1s to 60s' });
  });
});

describe('parseListen', () => {
  it.each([
    ['0.0.0.0:8080', '0.0.0.0', 8080],
    ['[::1]:80', '::1', 80],
    ['[::]:0', '::', 0],
    ['localhost:65535', 'localhost', 65_535],
    ['pbx-1.example.com:5060', 'pbx-1.example.com', 5060],
  ])('%s', (text, host, port) => expect(parseListen(text)).toEqual({ host, port }));

  it.each([
    '8080',
    ':8080',
    '::1:80',
    '1.2.3.4',
    '1.2.3.4:',
    '1.2.3.4:65536',
    '1.2.3.400:80',
    '[1.2.3.4]:80',
    '[::g]:80',
    'a b:80',
    'http://a:80',
    8080,
  ])('%j is none', (text) => expect(parseListen(text)).toBeUndefined());
});

describe('parseSipListen', () => {
  it('reads transport, host and port', () => {
    expect(parseSipListen('udp://0.0.0.0:5060')).toEqual({ transport: 'udp', host: '0.0.0.0', port: 5060 });
    expect(parseSipListen('tcp://[2001:db8::1]:5062')).toEqual({ transport: 'tcp', host: '2001:db8::1', port: 5062 });
    expect(parseSipListen('tls://127.0.0.1:5061')).toEqual({ transport: 'tls', host: '127.0.0.1', port: 5061 });
  });

  it.each(['0.0.0.0:5060', 'sctp://0.0.0.0:5060', 'udp://0.0.0.0', 'udp:0.0.0.0:5060', 'UDP://0.0.0.0:5060', ''])(
    '%j is none',
    (text) => expect(parseSipListen(text)).toBeUndefined(),
  );
});

describe('parsePortRange', () => {
  it('reads both ends', () => expect(parsePortRange('20000-29999')).toEqual([20_000, 29_999]));
  it.each(['20000', '29999-20000', '20000-20000', '1023-2000', '2000-65536', 'a-b', '-', 20_000])(
    '%j is none',
    (text) => expect(parsePortRange(text)).toBeUndefined(),
  );
});

describe('addresses', () => {
  it.each(['10.0.0.0/24', '10.0.0.5', '0.0.0.0/0', '2001:db8::/32', '::1', '::1/128'])('%s is a network', (text) =>
    expect(isCidr(text)).toBe(true),
  );
  it.each(['10.0.0.0/33', '10.0.0/24', '10.0.0.0/', '10.0.0.0/-1', '10.0.0.0/8/8', '::/129', 'pbx.example.com', ''])(
    '%j is none',
    (text) => expect(isCidr(text)).toBe(false),
  );
  it.each(['pbx', 'pbx.example.com', '10.0.0.5', '::1', 'a_b.local'])('%s is a host', (text) =>
    expect(isHost(text)).toBe(true),
  );
  it.each([
    '',
    '10.0.0.256',
    '10.0',
    'a..b',
    '-a',
    'a b',
    'a:5060',
    '[::1]',
    'sip:a',
    'a/b',
    'ä.de',
    `${'a'.repeat(64)}.de`,
  ])('%j is no host', (text) => expect(isHost(text)).toBe(false));
  it.each(['127.0.0.1', '127.9.9.9', '::1', '[::1]', 'localhost'])('%s is loopback', (text) =>
    expect(isLoopback(text)).toBe(true),
  );
  it.each(['0.0.0.0', '128.0.0.1', '::', '127.example.com', 'localhost.example.com'])('%s is not', (text) =>
    expect(isLoopback(text)).toBe(false),
  );
});

describe('graphUrl', () => {
  it.each([
    'https://graph.facebook.com',
    'https://graph.facebook.com/',
    'http://127.0.0.1:8090',
    'http://[::1]:1',
    'http://localhost:1',
  ])('takes %s', (text) => expect(graphUrl.complaint(text)).toBeUndefined());
  it.each(['http://graph.facebook.com', 'http://10.0.0.1', 'http://127.0.0.1.example.com'])(
    'refuses plain %s',
    (text) => expect(graphUrl.complaint(text)?.message).toBe('plain http is for loopback addresses only'),
  );
  it.each(['ftp://a', 'graph.facebook.com', 'https://u:p@a', 'https://a?b=c', 'https://a#b', '', 5])(
    'refuses %j',
    (text) => expect(graphUrl.complaint(text)?.message).toBe('must be a URL without user, query and fragment'),
  );
});

describe('phone formats', () => {
  it.each([
    ['+15551112222', '+15551112222'],
    ['+1 (555) 111-22.22', '+15551112222'],
    ['+999999999999999', '+999999999999999'],
  ])('%s', (text, number) => expect(toE164(text)).toBe(number));
  it.each(['15551112222', '0015551112222', '+0155511122', '+1234567890123456', '+12345', '+1555111222x', '1e10', ''])(
    '%j is no number',
    (text) => expect(toE164(text)).toBeUndefined(),
  );

  it('an id is digits', () => {
    expect(numberId.complaint('105615555715855')).toBeUndefined();
    expect(numberId.complaint('+1 555 111-2222')?.message).toBe('looks like a phone number, not like an id');
    expect(numberId.complaint('1e15')?.message).toBe("must be Meta's phone_number_id, digits only");
    expect(numberId.complaint('')?.cure).toContain('API Setup');
  });

  it.each(['+49*', '49*', '+4930123', '*'])('takes %s as caller', (text) =>
    expect(routeFrom.complaint(text)).toBeUndefined(),
  );
  it.each(['+*', '+0*', '+49*1', '++49', 'anna', '', 49])('refuses %j as caller', (text) =>
    expect(routeFrom.complaint(text)).toBeDefined(),
  );
  it.each(['600', '+15551112222', '*98', 'queue.sales'])('takes %s as user', (text) =>
    expect(sipUser.complaint(text)).toBeUndefined(),
  );
  it.each(['', 'a@b', 'a b', 'a;b', 'a\r\nb', 'a>b', 600])('refuses %j as user', (text) =>
    expect(sipUser.complaint(text)).toBeDefined(),
  );

  it('parameters are words', () => {
    expect(uriParameters.complaint({ tgrp: 'whatsapp', 'trunk-context': '+1.example.com' })).toBeUndefined();
    expect(uriParameters.complaint({})).toBeUndefined();
    for (const bad of [
      { a: 'b;c' },
      { 'a=': 'b' },
      { a: '' },
      { a: 1 },
      { a: 'b\r\nc' },
      { a: 'x'.repeat(129) },
      [],
      'a',
      null,
    ]) {
      expect(uriParameters.complaint(bad)).toBeDefined();
    }
  });
});

describe('didYouMean', () => {
  it('counts swaps once', () => {
    expect([
      editDistance('ab', 'ba'),
      editDistance('', 'abc'),
      editDistance('kitten', 'sitting'),
      editDistance('a', 'a'),
    ]).toEqual([1, 3, 3, 0]);
  });
  it('finds the nearest word, within reason', () => {
    expect(didYouMean('baseUrl', ['base_url', 'version'])).toBe('base_url');
    expect(didYouMean('DISABLE ALL', ['DEFAULT', 'DISABLE_ALL'])).toBe('DISABLE_ALL');
    expect(didYouMean('colour', ['level', 'format'])).toBeUndefined();
    expect(didYouMean('xy', ['udp'])).toBeUndefined();
    expect(didYouMean('a'.repeat(65), ['a'])).toBeUndefined();
    expect(didYouMean('a', [])).toBeUndefined();
  });
});
