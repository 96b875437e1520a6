import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { deferred } from '../../../src/lib/deferred.js';
import type { DnsClient } from '../../../src/lib/dns-client.js';
import { silentLogger } from '../../../src/lib/logger.js';
import type { SipServer, Target, Trunk } from '../../../src/routing/types.js';
import { addressesOf, nextHopsOf, placedTargets } from '../../../src/sip/next-hop.js';
import { ServerAddresses } from '../../../src/sip/server-addresses.js';
import { mediaNetworks, type SipLegContext } from '../../../src/sip/sip-leg-context.js';
import { SourceAcl } from '../../../src/sip/source-acl.js';
import { addressDns } from '../../support/dns-fakes.js';
import { sceneTrunk } from '../../support/sip-scene.js';

const server = (over: Partial<SipServer> = {}): SipServer => ({
  ...{ hostname: 'pbx.test', port: 5060, transport: 'udp', priority: 1, weight: 1, requestUriUserParams: {} },
  ...over,
});
const target = (over: Partial<SipServer> = {}, trunk: Partial<Trunk> = {}): Target => ({
  ...{ trunk: { ...sceneTrunk, ...trunk }, server: server(over), user: '+1' },
});
const known: Readonly<Record<string, readonly string[]>> = {
  'pbx.test': ['10.0.0.5', '2001:db8::5'],
  'proxy.test': ['10.0.0.9'],
};
const lookup: DnsClient['addresses'] = (host) => Promise.resolve(known[host] ?? []);
const addresses = (answer = lookup, clock = new FakeClock()) =>
  new ServerAddresses({
    ...{ dns: addressDns(answer), random: () => 0, clock, logger: silentLogger },
    ...{ dnsMs: 100, dnsRefreshMs: 1000 },
  });

describe('the next hop of a request to a trunk', () => {
  it.each<[Partial<SipServer>, string[]]>([
    [{}, ['sip:10.0.0.5:5060', 'sip:[2001:db8::5]:5060']],
    [{ transport: 'tcp', port: 5070 }, ['sip:10.0.0.5:5070;transport=tcp', 'sip:[2001:db8::5]:5070;transport=tcp']],
    [
      { transport: 'tls', port: 5061 },
      ['sip:pbx.test:5061;transport=tls;maddr=10.0.0.5', 'sip:pbx.test:5061;transport=tls;maddr=[2001:db8::5]'],
    ],
    [{ hostname: '::1' }, ['sip:[::1]:5060']],
    [{ hostname: '::1', transport: 'tls' }, ['sip:[::1]:5060;transport=tls']],
  ])('%o: %j', async (over, expected) => {
    expect((await nextHopsOf(addresses(), target(over))).map(({ uri }) => uri)).toEqual(expected);
  });

  it('is the proxy of the trunk, whatever the server', async () => {
    const proxy = { hostname: 'proxy.test', port: 5065, transport: 'tcp' } as const;
    for (const over of [{}, { hostname: 'unknown.test' }, { hostname: '10.0.0.1', transport: 'tls' as const }]) {
      const hops = await nextHopsOf(addresses(), target(over, { outboundProxy: proxy }));
      expect(hops.map(({ uri }) => uri)).toEqual(['sip:10.0.0.9:5065;transport=tcp']);
    }
  });

  it('is the one place that was chosen for this call', async () => {
    const place = { transport: 'udp', address: '10.0.0.7', port: 5099 } as const;
    expect((await nextHopsOf(addresses(), { ...target(), place })).map(({ uri }) => uri)).toEqual([
      'sip:10.0.0.7:5099',
    ]);
  });

  it('is not to be had of a name nobody knows', async () => {
    await expect(nextHopsOf(addresses(), target({ hostname: 'unknown.test' }))).rejects.toThrow('unknown.test');
  });
});

describe('the look-ups of names', () => {
  it('end with `stop`, also with one that is under way', async () => {
    const clock = new FakeClock();
    const answers = deferred<readonly string[]>();
    const kept = addresses(() => answers.promise, clock);
    const first = kept.keepFresh([server()]);
    kept.stop();
    answers.resolve(['10.0.0.5']);
    await first;
    expect(clock.armed).toBe(0);
  });
});

describe('the targets of a call', () => {
  const placesOf = (targets: readonly Target[]) => targets.map(({ place }) => place?.address);

  it('are one for each place, the order of the servers kept; an address is its own', async () => {
    const list = [target({ hostname: '10.0.0.1' }), target(), target({ hostname: 'proxy.test' })];
    const placed = placedTargets(addresses(), list);
    expect(placed).toBeInstanceOf(Promise);
    expect(placesOf(await placed)).toEqual([undefined, '10.0.0.5', '2001:db8::5', '10.0.0.9']);
  });

  it('are there at once when all is known, and without DNS', async () => {
    const warm = addresses();
    await warm.keepFresh([server()]);
    expect(placedTargets(warm, [target()])).toMatchObject([
      { place: { transport: 'udp', address: '10.0.0.5', port: 5060 } },
      { place: { transport: 'udp', address: '2001:db8::5', port: 5060 } },
    ]);
    const numeric = [target({ hostname: '10.0.0.1' })];
    expect(
      placedTargets(
        addresses(() => Promise.reject(new Error('no DNS'))),
        numeric,
      ),
    ).toEqual(numeric);
  });

  it('keep a server that is not found: its leg says why', async () => {
    const placed = await placedTargets(addresses(), [target({ hostname: 'unknown.test' }), target()]);
    expect(placesOf(placed)).toEqual([undefined, '10.0.0.5', '2001:db8::5']);
  });

  it('go through an address of the proxy, and are bounded', async () => {
    const trunk = { outboundProxy: { hostname: '10.0.0.9', port: 5060, transport: 'udp' } as const };
    const [one] = await placedTargets(addresses(), [target({ hostname: '10.0.0.1' }, trunk)]);
    expect(one?.place?.address).toBe('10.0.0.9');
    const many = Array.from({ length: 40 }, (_, i) => target({ hostname: `10.0.1.${i}` }));
    expect(placedTargets(addresses(), many)).toHaveLength(16);
  });
});

it("a trunk's proxy may call in where its servers may", () => {
  const proxied: Trunk = {
    ...sceneTrunk,
    ...{ acceptFrom: [], acceptFromServers: true, servers: [server({ hostname: '10.0.0.1' })] },
    outboundProxy: { hostname: '10.0.0.9', port: 5060, transport: 'udp' },
  };
  const acl = new SourceAcl([proxied], addresses());
  const callers = ['10.0.0.1', '10.0.0.9', '::ffff:10.0.0.9', '10.0.0.8'].map((from) => acl.trunksOf(from).length);
  expect(callers).toEqual([1, 1, 1, 0]);
  expect(addressesOf(addresses(), { trunk: proxied, server: proxied.servers[0]! })).toEqual(['10.0.0.9', '10.0.0.1']);
});

describe('the networks of a trunk’s media', () => {
  const contextOf = async (trunk: Trunk): Promise<SipLegContext> => {
    const known = addresses();
    await known.keepFresh([...trunk.servers, ...(trunk.outboundProxy ? [trunk.outboundProxy] : [])]);
    return { addresses: known } as unknown as SipLegContext;
  };

  it('are those of all its servers, whichever it calls from or redirects to, of its proxy, and who may call in', async () => {
    const trunk: Trunk = {
      ...{
        ...sceneTrunk,
        acceptFrom: ['10.9.0.0/16', '192.0.2.7'],
        servers: [server({ hostname: '10.0.0.1' }), server()],
      },
      outboundProxy: { hostname: 'proxy.test', port: 5060, transport: 'udp' },
    };
    const networks = mediaNetworks(await contextOf(trunk), trunk, ['10.0.0.9']);
    expect(new Set(networks)).toEqual(
      new Set([...['10.0.0.9/32', '10.0.0.1/32', '10.0.0.5/32', '2001:db8::5/128', '10.9.0.0/16', '192.0.2.7/32']]),
    );
    expect(new Set(networks).size).toBe(networks.length);
  });

  it('and what the file says besides: phones whose audio comes to us directly', async () => {
    const trunk: Trunk = { ...sceneTrunk, acceptFrom: [], mediaNetworks: ['10.1.0.0/16', '10.2.0.1'] };
    const networks = mediaNetworks(await contextOf(trunk), trunk, ['10.0.0.9']);
    expect(networks).toEqual(['10.0.0.9/32', '10.1.0.0/16', '10.2.0.1/32']);
  });
});
