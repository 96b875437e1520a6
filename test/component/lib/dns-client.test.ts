import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/lib/clock.js';
import { systemDns, type DnsClient } from '../../../src/lib/dns-client.js';
import { locate, placesInOrder, placeText } from '../../../src/lib/sip-location.js';
import { DnsResponder } from '../../support/dns-responder.js';

describe('the DNS client', () => {
  let responder: DnsResponder;
  let dns: DnsClient;
  beforeEach(async () => {
    responder = await DnsResponder.start({
      'pbx.test': {
        A: ['127.0.0.1'],
        NAPTR: [{ order: 1, preference: 2, service: 'SIP+D2T', replacement: '_sip._tcp.pbx.test' }],
      },
      '_sip._tcp.pbx.test': { SRV: [{ priority: 3, weight: 4, port: 5070, name: 'a.pbx.test' }] },
      'a.pbx.test': { A: ['127.0.0.2'], AAAA: ['::1', '2001:db8::a:1'] },
      'six.test': { AAAA: ['::1'] },
      'broken.test': 'servfail',
      'quiet.test': 'silence',
    });
    dns = systemDns({ servers: [responder.server], timeoutMs: 50 });
  });
  afterEach(() => responder.stop());

  it('reads records of each kind', async () => {
    expect(await dns.naptr('pbx.test')).toEqual([
      { order: 1, preference: 2, flags: 's', service: 'SIP+D2T', regexp: '', replacement: '_sip._tcp.pbx.test' },
    ]);
    expect(await dns.srv('_sip._tcp.pbx.test')).toEqual([{ priority: 3, weight: 4, port: 5070, name: 'a.pbx.test' }]);
    expect(await dns.addresses('a.pbx.test')).toEqual(['127.0.0.2', '::1', '2001:db8::a:1']);
    expect(await dns.addresses('six.test')).toEqual(['::1']);
    expect(await dns.addresses('::1')).toEqual(['::1']);
  });

  it('tells that there is nothing from that nothing is known', async () => {
    expect([await dns.srv('a.pbx.test'), await dns.naptr('nowhere.test')]).toEqual([[], []]);
    for (const name of ['broken.test', 'quiet.test']) {
      await expect(dns.srv(name)).rejects.toThrow();
      await expect(dns.naptr(name)).rejects.toThrow();
      await expect(dns.addresses(name)).rejects.toThrow();
    }
    await expect(dns.addresses('nowhere.test')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    // A question that is not answered is asked twice.
    expect(responder.count('SRV quiet.test')).toBe(2);
  });

  it('knows this machine by the hosts file', async () => {
    expect(await systemDns().addresses('localhost')).toContain('127.0.0.1');
  });

  it('finds a server by NAPTR and SRV', async () => {
    const { endpoints } = await locate(dns, { host: 'pbx.test' }, systemClock);
    expect(placesInOrder(endpoints, () => 0).map(placeText)).toEqual([
      ...['tcp 127.0.0.2:5070', 'tcp [::1]:5070', 'tcp [2001:db8::a:1]:5070'],
    ]);
    expect(responder.asked).toContain('NAPTR pbx.test');
  });
});
