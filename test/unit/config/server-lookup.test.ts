import { expect, it } from 'vitest';
import { configOf, warningsOf, working } from './load.js';

const site = (written: string) => {
  const [trunk] = configOf(working().replace('{ hostname: 10.0.0.5 }', written)).trunks;
  const { hostname, port, transport, lookup } = trunk!.servers[0]!;
  return [hostname, port, transport, lookup];
};

it.each([
  ['{ hostname: 10.0.0.5 }', ['10.0.0.5', 5060, 'udp', undefined]],
  ['{ hostname: "2001:db8::5", transport: tcp }', ['2001:db8::5', 5060, 'tcp', undefined]],
  ['{ hostname: pbx.test }', ['pbx.test', 5060, 'udp', 'naptr']],
  ['{ hostname: pbx.test, transport: tcp }', ['pbx.test', 5060, 'tcp', 'srv']],
  ['{ hostname: pbx.test, port: 5060 }', ['pbx.test', 5060, 'udp', undefined]],
  // What only the hosts file or a search list knows is no question for SRV.
  ['{ hostname: pbx }', ['pbx', 5060, 'udp', undefined]],
  ['{ hostname: localhost }', ['localhost', 5060, 'udp', undefined]],
])('the server %s is %j', (written, expected) => {
  expect(site(written)).toEqual(expected);
});

it('an outbound proxy is located as a server is', () => {
  const proxyOf = (text: string) => configOf(working({ trunk: [`outbound_proxy: ${text}`] })).trunks[0]?.outboundProxy;
  expect(proxyOf('{ hostname: proxy.test }')).toEqual({
    ...{ hostname: 'proxy.test', port: 5060, transport: 'udp', lookup: 'naptr' },
  });
  expect(proxyOf('{ hostname: 10.0.0.1, port: 5070, transport: tcp }')).toEqual({
    ...{ hostname: '10.0.0.1', port: 5070, transport: 'tcp' },
  });
  expect(warningsOf(working({ trunk: ['outbound_proxy: { hostname: 10.0.0.1 }'] }))).toEqual([]);
});
