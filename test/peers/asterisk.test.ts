import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tone, type Asterisk } from '../support/peers/asterisk.js';
import { asteriskCallsUser, startWithAsterisk } from '../support/peers/asterisk-scene.js';
import type { TrunkOptions } from '../support/peers/asterisk-trunk.js';
import type { Bridge, BridgeOptions } from '../support/peers/bridge.js';
import { expectTone, expectTones } from '../support/peers/hearing.js';
import { user } from '../support/peers/meta.js';
import { Scene } from '../support/peers/scene.js';
import { listenFor, until } from '../support/peers/until.js';
import { userToneHz, WhatsAppCall } from '../support/peers/whatsapp-call.js';

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});
afterEach(() => scene.close());

interface Way {
  readonly asterisk: TrunkOptions;
  readonly bridge: Partial<BridgeOptions>;
  /** How the SIP leg is encrypted, by the call's record. */
  readonly suite?: string;
}

const long = 'AES_CM_128_HMAC_SHA1_80';
const short = 'AES_CM_128_HMAC_SHA1_32';
const encrypted: TrunkOptions = { sample: 'pjsip-tls.conf' };
const optimistic = { ...encrypted, changes: { 'sip2wa/endpoint': { media_encryption_optimistic: 'yes' } } };
const shortTags = { ...encrypted, changes: { 'sip2wa/endpoint': { srtp_tag_32: 'yes' } } };

/** The samples for operators, and the other ways that Asterisk has. */
const ways: Readonly<Record<string, Way>> = {
  'UDP, as shipped': { asterisk: {}, bridge: {} },
  TCP: { asterisk: { transport: 'tcp' }, bridge: { transport: 'tcp' } },
  'TLS without SRTP, though the bridge could': {
    asterisk: { transport: 'tls' },
    bridge: { transport: 'tls', trunk: 'srtp: optional' },
  },
  'TLS and SDES, as shipped': {
    asterisk: encrypted,
    bridge: { transport: 'tls', trunk: `srtp: required\n    srtp_suites: [${long}]` },
    suite: long,
  },
  'TLS and SDES with short tags': {
    asterisk: shortTags,
    bridge: { transport: 'tls', trunk: `srtp: required\n    srtp_suites: [${short}]` },
    suite: short,
  },
  'TLS and SDES if the other side can': {
    asterisk: optimistic,
    bridge: { transport: 'tls', trunk: 'srtp: optional' },
    suite: long,
  },
};

const over = async (asterisk: Asterisk, bridge: Bridge): Promise<void> => {
  await asterisk.idle(5_000);
  await bridge.idle(5_000);
};

// Asterisk as PBX, on the trunk configurations that are shipped for operators (config/asterisk); pjsip, its OpenSSL and libsrtp.
describe.each(Object.entries(ways))('Asterisk by %s', (_, way) => {
  it('echoes and records a user-initiated call; the user hangs up', async () => {
    const { asterisk, bridge } = await startWithAsterisk(scene, way.asterisk, { ...way.bridge, to: '620' });
    const call = await WhatsAppCall.fromUser(scene, bridge);
    await call.preAccepted();
    await call.accepted();
    await listenFor(1_500);
    await bridge.meta.userHangsUp('USER_INITIATED');
    await over(asterisk, bridge);
    expectTone((await call.judge()).heard, userToneHz, 1_000);
    expectTone(await asterisk.heard(), userToneHz, 1_000);
    expect(bridge.meta.actions).toEqual(['pre_accept', 'accept']);
    expect(bridge.complaints).toEqual([]);
    expect((await scene.record())['srtp']).toBe(way.suite);
  });

  it('dials a user out through the trunk, plays a tone, records the user and hangs up', async () => {
    const { asterisk, bridge } = await startWithAsterisk(scene, way.asterisk, way.bridge);
    expectTones(await asteriskCallsUser(scene, asterisk, bridge), [{ ...tone, atLeastMs: 800 }]);
    expectTone(await asterisk.heard(), userToneHz, 1_000);
    expect(bridge.meta.actions).toEqual(['connect', 'terminate']);
    expect(bridge.complaints).toEqual([]);
    expect((await scene.record())['srtp']).toBe(way.suite);
  });
});

describe('Asterisk', () => {
  it('plays a tone to a user-initiated call and hangs up itself', async () => {
    const { asterisk, bridge } = await startWithAsterisk(scene, {}, { to: '621' });
    const call = await WhatsAppCall.fromUser(scene, bridge);
    await call.accepted();
    await bridge.meta.request('terminate');
    await over(asterisk, bridge);
    expectTones((await call.judge()).heard, [{ ...tone, atLeastMs: 1_500 }]);
    expect(bridge.meta.actions).toEqual(['pre_accept', 'accept', 'terminate']);
  });

  it('is busy for a user-initiated call', async () => {
    const { bridge } = await startWithAsterisk(scene, {}, { to: '622' });
    const call = await WhatsAppCall.fromUser(scene, bridge);
    await bridge.meta.request('terminate').catch(() => bridge.meta.request('reject', 1_000));
    await bridge.idle(5_000);
    expect((await call.relay.report()).stats.received).toBe(0);
    expect(bridge.meta.actions).not.toContain('accept');
  });

  it('rings and is given up by the user', async () => {
    const { asterisk, bridge } = await startWithAsterisk(scene, {}, { to: '623' });
    await WhatsAppCall.fromUser(scene, bridge);
    await bridge.step('sip.ringing', 10_000);
    await bridge.meta.userHangsUp('USER_INITIATED');
    await over(asterisk, bridge);
    expect(bridge.meta.actions).not.toContain('accept');
  });

  it('hears 488 from a trunk that demands SRTP, having none, and says 488 to it', async () => {
    const trunk = 'srtp: required';
    const { asterisk, bridge } = await startWithAsterisk(scene, { transport: 'tls' }, { transport: 'tls', trunk });
    await asterisk.logSip();
    const refusals = (): number => asterisk.log().match(/^SIP\/2\.0 488 /gm)?.length ?? 0;
    await asterisk.callOut(`00${user}`);
    await until('the bridge refuses', 5_000, () => refusals() === 1 || undefined);
    await WhatsAppCall.fromUser(scene, bridge);
    await until('Asterisk refuses', 5_000, () => refusals() === 2 || undefined);
    await over(asterisk, bridge);
    expect(bridge.meta.actions).not.toContain('connect');
    expect(bridge.meta.actions).not.toContain('accept');
  });

  it.each([
    ['UDP', {}, {}],
    ['TLS', encrypted, { transport: 'tls', trunk: 'srtp: required' }],
  ] as const)('finds the trunk reachable by its OPTIONS over %s', async (_, asteriskOptions, bridgeOptions) => {
    const { asterisk } = await startWithAsterisk(scene, asteriskOptions, bridgeOptions);
    await asterisk.ami.command('pjsip qualify sip2wa');
    await until(
      'the contact is available',
      10_000,
      async () => /sip2wa\/sip:\S+ +\S+ +Avail /.test(await asterisk.ami.command('pjsip show contacts')) || undefined,
    );
  });
});
