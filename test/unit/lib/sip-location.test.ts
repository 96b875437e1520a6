import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import type { DnsClient, NaptrRecord, SrvRecord } from '../../../src/lib/dns-client.js';
import { locate, placesInOrder, placeText, type Endpoint, type LocationQuery } from '../../../src/lib/sip-location.js';
import { settled } from '../../support/eventually.js';

interface Tables {
  readonly addresses?: Readonly<Record<string, readonly string[]>>;
  readonly srv?: Readonly<Record<string, readonly SrvRecord[] | 'fails' | 'hangs'>>;
  readonly naptr?: readonly NaptrRecord[] | 'fails' | 'hangs';
}

const srv = (name: string, port: number, priority = 0, weight = 0): SrvRecord => ({ name, port, priority, weight });
const naptr = (order: number, preference: number, service: string, replacement: string, flags = 's'): NaptrRecord => ({
  ...{ order, preference, service, replacement, flags, regexp: '' },
});

function client({ addresses = {}, srv: services = {}, naptr: domains = [] }: Tables) {
  const asked: string[] = [];
  const answer = <T>(found: readonly T[] | 'fails' | 'hangs'): Promise<readonly T[]> => {
    if (found === 'hangs') return new Promise(() => undefined);
    return found === 'fails' ? Promise.reject(new Error('SERVFAIL')) : Promise.resolve(found);
  };
  const dns: DnsClient = {
    addresses: (host) => {
      asked.push(`A ${host}`);
      const found = addresses[host];
      return found ? Promise.resolve(found) : Promise.reject(new Error(`ENOTFOUND ${host}`));
    },
    srv: (name) => {
      asked.push(`SRV ${name}`);
      return answer(services[name] ?? []);
    },
    naptr: (name) => {
      asked.push(`NAPTR ${name}`);
      return answer(domains);
    },
  };
  return { dns, asked };
}

const hosts = { 'pbx.test': ['10.0.0.1'], 'a.test': ['10.0.1.1'], 'b.test': ['10.0.2.1', '2001:db8::2'] };

/** Where it leads, without any chance: `random` is 0. */
async function places(query: LocationQuery, tables: Tables): Promise<string[]> {
  const { dns } = client({ addresses: hosts, ...tables });
  const { endpoints } = await locate(dns, query, new FakeClock());
  return placesInOrder(endpoints, () => 0).map(placeText);
}

const both = { '_sip._udp.pbx.test': [srv('a.test', 5070)], '_sip._tcp.pbx.test': [srv('b.test', 5080)] };

describe('where a host is served (RFC 3263 §4)', () => {
  it.each<[string, LocationQuery, Tables, string[]]>([
    ['an address needs no DNS', { host: '10.9.9.9' }, { naptr: 'hangs' }, ['udp 10.9.9.9:5060']],
    ['an IPv6 address neither', { host: '::1', transport: 'tls' }, {}, ['tls [::1]:5061']],
    ['a port: addresses alone', { host: 'pbx.test', port: 5066 }, { srv: both }, ['udp 10.0.0.1:5066']],
    [
      'a transport: its SRV',
      { host: 'pbx.test', transport: 'tcp' },
      { srv: both },
      ['tcp 10.0.2.1:5080', 'tcp [2001:db8::2]:5080'],
    ],
    ['a transport without SRV', { host: 'pbx.test', transport: 'tls' }, { srv: both }, ['tls 10.0.0.1:5061']],
    ['neither, no NAPTR: the first transport with SRV', { host: 'pbx.test' }, { srv: both }, ['udp 10.0.1.1:5070']],
    ['nothing in DNS but addresses', { host: 'pbx.test' }, {}, ['udp 10.0.0.1:5060']],
    ['sips: TLS only', { host: 'pbx.test', secure: true }, { srv: both }, ['tls 10.0.0.1:5061']],
    [
      'a name of this machine',
      { host: 'pbx' },
      { addresses: { pbx: ['127.0.0.1'] }, naptr: 'fails' },
      ['udp 127.0.0.1:5060'],
    ],
  ])('%s', async (_what, query, tables, expected) => {
    expect(await places(query, tables)).toEqual(expected);
  });

  it('follows NAPTR: the lowest order with a service of ours, by preference, then SRV', async () => {
    const domain = [
      naptr(10, 1, 'SIP+D2S', '_sip._sctp.pbx.test'),
      naptr(20, 50, 'SIP+D2U', '_sip._udp.pbx.test'),
      naptr(20, 10, 'sip+d2t', '_sip._tcp.pbx.test'),
      naptr(20, 1, 'SIP+D2T', 'x.test', 'u'),
      naptr(30, 1, 'SIPS+D2T', '_sips._tcp.pbx.test'),
    ];
    expect(await places({ host: 'pbx.test' }, { naptr: domain, srv: both })).toEqual([
      ...['tcp 10.0.2.1:5080', 'tcp [2001:db8::2]:5080', 'udp 10.0.1.1:5070'],
    ]);
    const secure = { ...both, '_sips._tcp.pbx.test': [srv('a.test', 5071)] };
    expect(await places({ host: 'pbx.test', secure: true }, { naptr: domain, srv: secure })).toEqual([
      'tls 10.0.1.1:5071',
    ]);
  });

  it('asks SRV when NAPTR names only what we do not speak, or leads nowhere', async () => {
    for (const domain of [[naptr(1, 1, 'SIP+D2S', 'x.test')], [naptr(1, 1, 'SIP+D2T', 'gone.test')]]) {
      expect(await places({ host: 'pbx.test' }, { naptr: domain, srv: both })).toEqual(['udp 10.0.1.1:5070']);
    }
  });

  it('asks nothing of SRV or NAPTR that the URI has settled', async () => {
    const withPort = client({ addresses: hosts });
    await locate(withPort.dns, { host: 'pbx.test', port: 5060 }, new FakeClock());
    const withTransport = client({ addresses: hosts });
    await locate(withTransport.dns, { host: 'pbx.test', transport: 'udp' }, new FakeClock());
    expect([withPort.asked, withTransport.asked]).toEqual([['A pbx.test'], ['SRV _sip._udp.pbx.test', 'A pbx.test']]);
  });

  it('says when a failure kept it from knowing, and goes by addresses then', async () => {
    for (const tables of [{ naptr: 'fails' }, { srv: { '_sip._udp.pbx.test': 'fails' } }] as const) {
      const { dns } = client({ addresses: hosts, ...tables });
      const { isPartial, endpoints } = await locate(dns, { host: 'pbx.test' }, new FakeClock());
      expect([isPartial, endpoints[0]?.addresses]).toEqual([true, ['10.0.0.1']]);
    }
  });

  it('waits for silent DNS no longer than 1.2 s a step', async () => {
    const clock = new FakeClock();
    const { dns } = client({ addresses: hosts, naptr: 'hangs' });
    const located = locate(dns, { host: 'pbx.test' }, clock);
    await settled();
    clock.advance(1_200);
    expect((await located).isPartial).toBe(true);
  });

  it('goes past a server without an address, and fails when none has one', async () => {
    const some = { '_sip._udp.pbx.test': [srv('gone.test', 1), srv('a.test', 2, 1), srv('.', 3), srv('b c', 4)] };
    expect(await places({ host: 'pbx.test', transport: 'udp' }, { srv: some })).toEqual(['udp 10.0.1.1:2']);
    // RFC 2782: a lone "." says that there is no such service.
    const none = { '_sip._udp.pbx.test': [srv('.', 0)] };
    await expect(places({ host: 'pbx.test', transport: 'udp' }, { srv: none })).rejects.toThrow(
      'no server of pbx.test',
    );
    await expect(places({ host: 'nowhere.test', port: 1 }, {})).rejects.toThrow('ENOTFOUND');
  });

  it('takes no more of an answer than it can use', async () => {
    const many = Array.from({ length: 500 }, (_, i) => srv('a.test', 6000 + i));
    const { dns, asked } = client({ addresses: hosts, srv: { '_sip._udp.pbx.test': many } });
    const { endpoints } = await locate(dns, { host: 'pbx.test', transport: 'udp' }, new FakeClock());
    expect([placesInOrder(endpoints, () => 0).length, asked.length]).toEqual([8, 9]);
  });
});

describe('the order of servers (RFC 2782)', () => {
  const endpoint = (address: string, rank: number, weight: number): Endpoint => ({
    ...{ transport: 'udp', port: 5060, rank, weight, addresses: [address] },
  });

  it('is by priority, and by weight within one', () => {
    const servers = [endpoint('c', 2, 0), endpoint('a', 1, 75), endpoint('b', 1, 25)];
    const first = { a: 0, b: 0 };
    for (let i = 0; i < 1000; i++) {
      const order = placesInOrder(servers, () => ((i * 37) % 1000) / 1000).map(({ address }) => address);
      expect([...order].sort()).toEqual(['a', 'b', 'c']);
      expect(order[2]).toBe('c');
      first[order[0] as 'a' | 'b']++;
    }
    expect(first.a).toBeGreaterThan(720);
    expect(first.b).toBeGreaterThan(220);
  });

  it('draws one of no weight only at the bottom of the scale', () => {
    const servers = [endpoint('a', 1, 99), endpoint('z', 1, 0)];
    const firstAt = (random: number): string | undefined => placesInOrder(servers, () => random)[0]?.address;
    expect([firstAt(0), firstAt(0.009), firstAt(0.011), firstAt(0.999999)]).toEqual(['z', 'z', 'a', 'a']);
  });

  it('names each place once', () => {
    expect(placesInOrder([endpoint('a', 1, 0), endpoint('a', 2, 0)], () => 0)).toHaveLength(1);
  });
});
