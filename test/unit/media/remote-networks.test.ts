import { describe, expect, it } from 'vitest';
import { remoteNetworks } from '../../../src/media/remote-networks.js';

describe('public', () => {
  const allows = remoteNetworks('public');

  it.each([
    '31.13.65.60',
    '157.240.0.1',
    '8.8.8.8',
    '100.63.255.255',
    '100.128.0.1',
    '172.15.0.1',
    '172.32.0.1',
    '223.255.255.254',
    '2a03:2880:f211:d1:face:b00c:0:699c',
    '2600::1',
    '2001:200::1',
    '2000::1',
    '2003::1',
    '2001:db7:ffff::1',
    '2001:db9::1',
    '3ffe::1',
    '3fff:1000::1',
  ])('allows %s', (address) => expect(allows(address)).toBe(true));

  it.each([
    ...[
      '0.0.0.0',
      '0.1.2.3',
      '10.0.0.1',
      '100.64.0.1',
      '100.127.255.255',
      '127.0.0.1',
      '127.255.255.255',
      '169.254.1.1',
    ],
    ...[
      '172.16.0.1',
      '172.31.255.255',
      '192.0.0.1',
      '192.0.2.1',
      '192.168.1.1',
      '198.18.0.1',
      '198.51.100.1',
      '203.0.113.1',
    ],
    ...['224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255'],
    ...[
      '::',
      '::1',
      'fe80::1',
      'fe80::1%eth0',
      'fc00::1',
      'fd12:3456::1',
      'ff02::1',
      '2001:db8::1',
      '2002:7f00:1::',
      '64:ff9b::7f00:1',
      '64:ff9b:1::1',
      '100::1',
      '1fff:ffff::1',
      '2001::1',
      '2001:0:7f00:1::1',
      '2001:2::1',
      '2001:10::1',
      '2001:20::1',
      '2001:1ff:ffff::1',
      '2001:DB8:FFFF::1',
      '2002:c0a8:101::1',
      '2002:1f0d:413c::1',
      '3fff::1',
      '3fff:fff:ffff::1',
      '4000::1',
      '5f00::1',
      'fdff::1',
      'fe80::1%1',
      'febf::1',
      'fec0::1',
      'ff0e::1',
    ],
    ...[
      '::ffff:127.0.0.1',
      '::ffff:10.0.0.1',
      '::FFFF:7f00:1',
      '0:0:0:0:0:ffff:7f00:0001',
      '::127.0.0.1',
      '::ffff:169.254.169.254',
    ],
    ...[
      '',
      'localhost',
      'media.local',
      '127.1',
      '0x7f000001',
      '2130706433',
      '1.2.3',
      '1.2.3.4.5',
      '31.13.65.60 ',
      'facebook.com',
    ],
  ])('refuses %j', (address) => expect(allows(address)).toBe(false));

  it('sees through a mapped public address', () => expect(allows('::ffff:31.13.65.60')).toBe(true));
});

describe('any', () => {
  const allows = remoteNetworks('any');

  it.each(['10.0.0.1', '127.0.0.1', '31.13.65.60', 'fe80::1', '::1'])('allows %s', (address) =>
    expect(allows(address)).toBe(true),
  );

  it.each(['0.0.0.0', '224.0.0.1', '255.255.255.255', 'ff02::1', '::', '::ffff:224.0.0.1', 'host.example', ''])(
    'refuses %j all the same',
    (address) => expect(allows(address)).toBe(false),
  );
});

describe('a list', () => {
  const allows = remoteNetworks(['10.1.0.0/16', '127.0.0.1/32', '2001:db8::/32']);

  it.each([
    ['10.1.0.1', true],
    ['10.1.255.255', true],
    ['10.2.0.1', false],
    ['127.0.0.1', true],
    ['127.0.0.2', false],
    ['::ffff:10.1.2.3', true],
    ['2001:db8:1::1', true],
    ['2001:db9::1', false],
    ['31.13.65.60', false],
  ])('%s: %s', (address, expected) => expect(allows(address)).toBe(expected));

  it('sees every bit of a mapped address', () => {
    const one = remoteNetworks(['10.1.171.205/32']);
    expect(one('::ffff:10.1.171.205')).toBe(true);
    expect(one('::ffff:0a01:abcd')).toBe(true);
    expect(one('::ffff:10.1.171.204')).toBe(false);
    expect(one('::ffff:10.1.170.205')).toBe(false);
  });

  it('of nothing allows nothing', () => expect(remoteNetworks([])('10.1.0.1')).toBe(false));

  it.each([
    '10.1.0.0',
    '10.1.0.0/33',
    '10.1.0.0/',
    '10.1.0.0/-1',
    '10.1.0.0/8.5',
    'x/8',
    '2001:db8::/129',
    '10.0.0.0/8/8',
    '10.1.0.0/ 8x',
  ])('refuses to be made of %j', (cidr) =>
    expect(() => remoteNetworks([cidr])).toThrow(expect.objectContaining({ code: 'SIP2WA_CIDR' })),
  );
});
