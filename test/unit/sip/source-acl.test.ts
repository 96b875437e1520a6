import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import type { DnsClient } from '../../../src/lib/dns-client.js';
import { silentLogger } from '../../../src/lib/logger.js';
import type { Trunk } from '../../../src/routing/types.js';
import { contains, hostNetwork, isUnspecified, parseIpAddress, parseIpNetwork } from '../../../src/sip/ip-network.js';
import { ServerAddresses, type Site } from '../../../src/sip/server-addresses.js';
import { SourceAcl } from '../../../src/sip/source-acl.js';
import { StrangerLog } from '../../../src/sip/stranger-log.js';
import { addressDns } from '../../support/dns-fakes.js';
import { settled } from '../../support/eventually.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const trunk = (name: string, acceptFrom: string[], hostnames: string[] = []): Trunk => ({
  name,
  servers: hostnames.map((hostname) => ({
    hostname,
    port: 5060,
    transport: 'udp',
    priority: 1,
    weight: 1,
    requestUriUserParams: {},
  })),
  acceptFrom,
  acceptFromServers: hostnames.length > 0,
  codecs: ['PCMA'],
  auth: undefined,
  register: false,
  dtmf: 'rfc4733',
  srtp: 'off',
  permission: 'none',
  maxCalls: 2,
});

type HostLookup = DnsClient['addresses'];

const addresses = (lookup: HostLookup, clock = new FakeClock(), logger = silentLogger) =>
  new ServerAddresses({ dns: addressDns(lookup), random: () => 0, clock, logger, dnsMs: 100, dnsRefreshMs: 1000 });

const none: HostLookup = () => Promise.reject(new Error('no such name'));

describe('networks', () => {
  it.each<[string, string, boolean]>([
    ['10.0.0.0/24', '10.0.0.255', true],
    ['10.0.0.0/24', '10.0.1.0', false],
    ['10.0.0.77/24', '10.0.0.1', true],
    ['10.0.0.1', '10.0.0.1', true],
    ['10.0.0.1', '10.0.0.2', false],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['10.0.0.0/24', '::ffff:10.0.0.7', true],
    ['10.0.0.0/24', '::ffff:0a00:0007', true],
    ['::ffff:10.0.0.0/120', '10.0.0.7', true],
    ['::ffff:10.0.0.0/120', '10.0.1.7', false],
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['::/0', '10.0.0.1', false],
    ['2001:db8::5', '[2001:db8::5]', true],
  ])('%s holds %s: %s', (network, address, expected) => {
    expect(contains(parseIpNetwork(network)!, parseIpAddress(address)!)).toBe(expected);
  });

  it.each([
    '',
    '10.0.0',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '::ffff:10.0.0.0/80',
    '2001:db8::/129',
    'pbx',
    '10.0.0.0/0x8',
    '010.0.0.1',
  ])('%j is no network', (text) => {
    expect(parseIpNetwork(text)).toBeUndefined();
  });

  it('writes a network for one host', () => {
    expect(hostNetwork('::ffff:10.1.2.3')).toBe('10.1.2.3/32');
    expect(hostNetwork('10.1.2.3')).toBe('10.1.2.3/32');
    expect(hostNetwork('fe80::1%eth0')).toBe('fe80::1/128');
    expect(() => hostNetwork('pbx')).toThrow(RangeError);
    expect([isUnspecified('0.0.0.0'), isUnspecified('::'), isUnspecified('127.0.0.1')]).toEqual([true, true, false]);
  });
});

const namesOf = (acl: SourceAcl, address: string): string[] => acl.trunksOf(address).map(({ name }) => name);

describe('SourceAcl', () => {
  it('denies by default: no entry, no trunk; no address, no trunk', () => {
    const acl = new SourceAcl([trunk('empty', [])], addresses(none));
    expect(acl.trunksOf('127.0.0.1')).toEqual([]);
    expect(acl.trunksOf('')).toEqual([]);
    expect(acl.trunksOf('pbx.example.com')).toEqual([]);
  });

  it('takes the most specific network, and every trunk that has it', () => {
    const acl = new SourceAcl(
      [
        trunk('wide', ['10.0.0.0/8']),
        trunk('first', ['10.1.0.0/16']),
        trunk('second', ['10.1.0.0/16']),
        trunk('one', ['10.1.2.3']),
      ],
      addresses(none),
    );
    expect(namesOf(acl, '10.9.9.9')).toEqual(['wide']);
    expect(namesOf(acl, '10.1.9.9')).toEqual(['first', 'second']);
    expect(namesOf(acl, '10.1.2.3')).toEqual(['one']);
    expect(namesOf(acl, '::ffff:10.1.2.3')).toEqual(['one']);
  });

  it('says which entry of which trunk is no network', () => {
    expect(() => new SourceAcl([trunk('pbx', ['10.0.0.0/99'])], addresses(none))).toThrow(
      expect.objectContaining({ code: 'SIP2WA_ACCEPT_FROM', message: expect.stringContaining('pbx') as string }),
    );
  });

  it("takes a trunk's own servers by their current addresses", async () => {
    const clock = new FakeClock();
    let answer = ['198.51.100.7', '2001:db8::7'];
    const names = addresses(() => Promise.resolve(answer), clock);
    const settings = trunk('settings', [], ['pbx.example.com', '192.0.2.1']);
    const acl = new SourceAcl([settings], names);
    expect(namesOf(acl, '198.51.100.7')).toEqual([]);
    expect(namesOf(acl, '192.0.2.1')).toEqual(['settings']);
    await names.keepFresh(settings.servers);
    expect(namesOf(acl, '198.51.100.7')).toEqual(['settings']);
    expect(namesOf(acl, '2001:db8:0::7')).toEqual(['settings']);
    answer = ['198.51.100.8'];
    clock.advance(1000);
    await settled();
    expect(namesOf(acl, '198.51.100.7')).toEqual([]);
    expect(namesOf(acl, '198.51.100.8')).toEqual(['settings']);
    names.stop();
    expect(clock.armed).toBe(0);
  });
});

const site = (hostname: string, over: Partial<Site> = {}): Site => ({
  hostname,
  port: 5060,
  transport: 'udp',
  ...over,
});

describe('ServerAddresses', () => {
  const at = async (names: ServerAddresses, of: Site): Promise<string[]> =>
    (await names.resolve(of)).map(({ transport, address, port }) => `${transport} ${address} ${port}`);

  it('asks once for those who wait together, keeps the answer, asks again when it is old', async () => {
    const clock = new FakeClock();
    let asked = 0;
    const names = addresses(() => Promise.resolve([`10.0.0.${++asked}`]), clock);
    expect(await Promise.all([at(names, site('pbx')), at(names, site('PBX'))])).toEqual([
      ['udp 10.0.0.1 5060'],
      ['udp 10.0.0.1 5060'],
    ]);
    clock.advance(999);
    expect(await at(names, site('pbx'))).toEqual(['udp 10.0.0.1 5060']);
    clock.advance(1);
    expect(await at(names, site('pbx'))).toEqual(['udp 10.0.0.2 5060']);
    expect(await at(names, site('10.9.9.9', { transport: 'tls', port: 5061 }))).toEqual(['tls 10.9.9.9 5061']);
    expect(asked).toBe(2);
  });

  it('keeps the last addresses while the resolver fails, and fails only without any', async () => {
    const clock = new FakeClock();
    const logger = new RecordingLogger();
    let down = false;
    const names = addresses(
      () => (down ? Promise.reject(new Error('SERVFAIL')) : Promise.resolve(['10.0.0.1'])),
      clock,
      logger,
    );
    await names.resolve(site('pbx'));
    down = true;
    clock.advance(5000);
    expect(await at(names, site('pbx'))).toEqual(['udp 10.0.0.1 5060']);
    expect(logger.lines.map(({ level }) => level)).toEqual(['warn']);
    await expect(names.resolve(site('other'))).rejects.toThrow('SERVFAIL');
  });

  it('does not wait for a resolver that never answers', async () => {
    const clock = new FakeClock();
    const names = addresses(() => new Promise(() => undefined), clock);
    const asked = names.resolve(site('pbx'));
    clock.advance(100);
    await expect(asked).rejects.toMatchObject({ code: 'SIP2WA_DEADLINE' });
  });

  it('asks for what the file leaves to DNS, and keeps the servers of SRV while that fails', async () => {
    const clock = new FakeClock();
    let isDown = false;
    const questions: string[] = [];
    const dns: DnsClient = {
      addresses: (host) => Promise.resolve([host === 'sbc.pbx.test' ? '10.0.0.7' : '10.0.0.1']),
      srv: (name) => {
        questions.push(name);
        if (isDown) return Promise.reject(new Error('SERVFAIL'));
        const records = [{ name: 'sbc.pbx.test', port: 5080, priority: 1, weight: 1 }];
        return Promise.resolve(name === '_sip._tcp.pbx.test' ? records : []);
      },
      naptr: (name) => {
        questions.push(name);
        return Promise.resolve([]);
      },
    };
    const logger = new RecordingLogger();
    const names = new ServerAddresses({ dns, random: () => 0, clock, logger, dnsMs: 100, dnsRefreshMs: 1000 });
    expect(await at(names, site('pbx.test'))).toEqual(['udp 10.0.0.1 5060']);
    expect(await at(names, site('pbx.test', { lookup: 'srv' }))).toEqual(['udp 10.0.0.1 5060']);
    expect(questions.splice(0)).toEqual(['_sip._udp.pbx.test']);
    const open = site('pbx.test', { lookup: 'naptr' });
    expect(await at(names, open)).toEqual(['tcp 10.0.0.7 5080']);
    expect(questions[0]).toBe('pbx.test');
    isDown = true;
    clock.advance(1000);
    expect(await at(names, open)).toEqual(['tcp 10.0.0.7 5080']);
    expect(names.knownAddresses(open)).toEqual(['10.0.0.7']);
    expect(logger.lines.map(({ level }) => level)).toEqual(['warn']);
  });
});

describe('StrangerLog', () => {
  it('writes a line a minute, with the count', () => {
    const clock = new FakeClock();
    const logger = new RecordingLogger();
    const strangers = new StrangerLog(clock, logger);
    for (let i = 0; i < 10_000; i++) strangers.note('203.0.113.9', 'OPTIONS');
    expect(logger.lines).toHaveLength(1);
    clock.advance(60_000);
    strangers.note('203.0.113.10', 'INVITE\r\nevil');
    expect(logger.lines[1]?.fields).toEqual({ from: '203.0.113.10', method: 'INVITE evil', requests: 10_000 });
  });
});
