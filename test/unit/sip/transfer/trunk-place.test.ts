import { describe, expect, it } from 'vitest';
import type { SipServer } from '../../../../src/routing/types.js';
import { homeOf, serverAt } from '../../../../src/sip/transfer/trunk-place.js';
import { sceneTrunk } from '../../../support/sip-scene.js';

const server = (hostname: string, port = 5060, transport: SipServer['transport'] = 'udp'): SipServer => ({
  ...{ hostname, port, transport, priority: 1, weight: 1, requestUriUserParams: {} },
});
const [one, two, secure] = [server('one.example'), server('10.0.0.2', 5070), server('one.example', 5061, 'tls')];
const trunk = { ...sceneTrunk, servers: [one, two, secure], acceptFrom: ['10.1.0.0/16', '2001:db8::/32'] };
const own = { host: '192.0.2.1', port: undefined, transport: undefined };
const addressesOf = ({ hostname }: SipServer): string[] => (hostname === 'one.example' ? ['10.0.0.1'] : [hostname]);
const at = (host: string | undefined, port?: number, transport?: SipServer['transport']): SipServer | undefined =>
  serverAt({ host, port, transport }, { trunk, home: two, own, aliases: ['pbx.example'], addressesOf });

describe('the server that a place named by a PBX stands for', () => {
  it.each([
    ['a telephone number', at(undefined), two],
    ['us', at('192.0.2.1'), two],
    ['us, with our port', at('192.0.2.1', 5060), two],
    ['what the PBX calls itself', at('pbx.example', 5099), two],
    ['a server by name', at('one.example'), one],
    ['a server by address', at('10.0.0.1'), one],
    ['a server by transport', at('one.example', undefined, 'tls'), secure],
    ['a server without its port', at('10.0.0.2'), two],
    ['another port of a server', at('10.0.0.2', 5071), undefined],
    ['an address of the networks', at('10.1.2.3'), server('10.1.2.3')],
    ['an address of the networks, by TCP', at('10.1.2.3', 5080, 'tcp'), server('10.1.2.3', 5080, 'tcp')],
    ['an IPv6 address of the networks', at('2001:db8::7'), server('2001:db8::7')],
    ['a strange address', at('10.2.0.1'), undefined],
    ['a strange name', at('evil.example'), undefined],
  ])('%s', (_what, found, expected) => {
    expect(found).toEqual(expected);
  });
});

it.each([
  ['10.0.0.0/8', '10.1.2.3', true],
  ['fc00::/7', 'fd00::7', true],
  ['0.0.0.0/0', '203.0.113.7', false],
  ['192.0.0.0/7', '193.0.0.7', false],
  ['::/0', '2001:db8::7', false],
  ['2000::/6', '2001:db8::7', false],
])('of %s, who may call in, %s may be called: %s', (network, host, expected) => {
  const open = { ...trunk, acceptFrom: [network] };
  const place = { host, port: undefined, transport: undefined };
  const found = serverAt(place, { trunk: open, home: two, own, aliases: [], addressesOf });
  expect(found?.hostname).toBe(expected ? host : undefined);
});

describe('the PBX that a dialog came from', () => {
  const contact = { host: '10.9.9.9', port: 5090, transport: undefined };
  const home = (address: string, servers = trunk.servers): SipServer =>
    homeOf({ ...trunk, servers }, { address, contact, transport: 'udp' }, addressesOf);

  it('is the server with that address, else the first, else the address', () => {
    expect([home('10.0.0.2'), home('10.1.0.1'), home('10.1.0.1', [])]).toEqual([two, one, server('10.1.0.1', 5090)]);
  });
});
