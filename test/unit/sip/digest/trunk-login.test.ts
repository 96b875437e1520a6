import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../src/lib/clock.js';
import { systemIds } from '../../../../src/lib/ids.js';
import { silentLogger } from '../../../../src/lib/logger.js';
import type { SipServer, Target, Trunk } from '../../../../src/routing/types.js';
import { TrunkLogins } from '../../../../src/sip/digest/trunk-login.js';
import type { SrfResponse } from '../../../../src/sip/drachtio-types.js';
import { ServerAddresses } from '../../../../src/sip/server-addresses.js';
import { addressDns } from '../../../support/dns-fakes.js';
import { sceneAuth, sceneTrunk } from '../../../support/sip-scene.js';

const server = (hostname: string): SipServer => ({
  ...{ hostname, port: 5060, transport: 'udp', priority: 1, weight: 1, requestUriUserParams: {} },
});
const pbx = server('pbx.test');

/** Names whose addresses the test may change. */
function scene(names: Record<string, readonly string[]>, trunk: Partial<Trunk> = {}) {
  const clock = new FakeClock();
  const addresses = new ServerAddresses({
    ...{ dns: addressDns((host) => Promise.resolve(names[host] ?? [])), random: () => 0, clock, logger: silentLogger },
    ...{ dnsMs: 100, dnsRefreshMs: 1_000 },
  });
  const logins = new TrunkLogins(addresses, systemIds, silentLogger);
  const whole: Trunk = { ...sceneTrunk, servers: [pbx], auth: sceneAuth, ...trunk };
  return { clock, addresses, logins, trunk: whole };
}

const challengeFrom = (address: string, realm = 'pbx'): SrfResponse =>
  ({
    ...{ status: 401, source_address: address },
    get: () => `Digest realm="${realm}", nonce="n", algorithm=MD5, qop="auth"`,
  }) as unknown as SrfResponse;

const isAnswered = ({ logins }: ReturnType<typeof scene>, target: Omit<Target, 'user'>, from: string): boolean =>
  logins.loginAt(target)?.answer({ method: 'INVITE', uri: 'sip:1@pbx.test' }, challengeFrom(from)) !== undefined;

describe('the password of a trunk is shown to', () => {
  it('every place of the server that was dialled, in whatever notation, and to nobody else', async () => {
    const at = scene({ 'pbx.test': ['10.0.0.5', '2001:db8::5'] });
    await at.addresses.keepFresh([pbx]);
    const to = (from: string): boolean => isAnswered(at, { trunk: at.trunk, server: pbx }, from);
    expect(['10.0.0.5', '::ffff:10.0.0.5', '2001:DB8:0::5'].map(to)).toEqual([true, true, true]);
    expect(['10.0.0.6', '::10.0.0.5', '', 'pbx.test'].map(to)).toEqual([false, false, false, false]);
  });

  it('the outbound proxy in the place of the server behind it', async () => {
    const proxy = { hostname: 'proxy.test', port: 5060, transport: 'udp' } as const;
    const at = scene({ 'pbx.test': ['10.0.0.5'], 'proxy.test': ['10.0.0.9'] }, { outboundProxy: proxy });
    await at.addresses.keepFresh([pbx, proxy]);
    const to = (from: string): boolean => isAnswered(at, { trunk: at.trunk, server: pbx }, from);
    expect([to('10.0.0.9'), to('10.0.0.5')]).toEqual([true, false]);
  });

  it('the place that was dialled, though DNS names others by now', async () => {
    const names = { 'pbx.test': ['10.0.0.5'] };
    const at = scene(names);
    await at.addresses.keepFresh([pbx]);
    const [place] = at.addresses.known(pbx);
    names['pbx.test'] = ['10.0.0.6'];
    at.clock.advance(1_000);
    await at.addresses.resolve(pbx);
    expect(at.addresses.knownAddresses(pbx)).toEqual(['10.0.0.6']);
    expect(isAnswered(at, { trunk: at.trunk, server: pbx, place }, '10.0.0.5')).toBe(true);
    expect(isAnswered(at, { trunk: at.trunk, server: pbx }, '10.0.0.5')).toBe(false);
  });

  it('no place that a redirection or a REFER led to: it may be anybody who may call in', () => {
    const at = scene({}, { acceptFrom: ['10.0.0.0/8'] });
    expect(isAnswered(at, { trunk: at.trunk, server: server('10.6.6.6') }, '10.6.6.6')).toBe(false);
    expect(
      isAnswered(at, { trunk: { ...at.trunk, servers: [server('10.6.6.6')] }, server: server('10.6.6.6') }, '10.6.6.6'),
    ).toBe(true);
  });
});
