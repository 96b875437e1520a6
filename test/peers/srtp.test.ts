import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { address } from '../support/peers/addresses.js';
import { phoneToneHz } from '../support/peers/asterisk-scene.js';
import { expectBothHeard, phoneCallsUser, startWithPhone, userCallsPhone } from '../support/peers/baresip-scene.js';
import { user } from '../support/peers/meta.js';
import { Scene } from '../support/peers/scene.js';
import { judgeTone } from '../support/peers/sound.js';
import { listenFor, until } from '../support/peers/until.js';
import { userToneHz } from '../support/peers/whatsapp-call.js';

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});
afterEach(() => scene.close());

// libre's own SRTP, the keys in the clear where the trunk says that its network is private.
describe('baresip with SDES', () => {
  const suites = ['AES_CM_128_HMAC_SHA1_80', 'AES_CM_128_HMAC_SHA1_32', 'AEAD_AES_128_GCM'];

  it.each(suites)('takes a user-initiated call with %s', async (suite) => {
    const trunk = `srtp: required\n    srtp_without_tls: true\n    srtp_suites: [${suite}]`;
    const { bridge, phone, call } = await userCallsPhone(scene, { trunk, phone: { mediaenc: 'srtp-mand' } });
    await listenFor(2_000);
    await phone.command('hangup');
    await bridge.meta.request('terminate');
    await bridge.idle(5_000);
    await expectBothHeard({ call, phone });
    expect(bridge.complaints).toEqual([]);
    expect((await scene.record())['srtp']).toBe(suite);
  });

  it('holds and resumes a call, and is heard again', async () => {
    const trunk = 'srtp: required\n    srtp_without_tls: true';
    const { bridge, phone, call } = await userCallsPhone(scene, { trunk, phone: { mediaenc: 'srtp-mand' } });
    await listenFor(1_500);
    await phone.command('hold');
    await until(
      'the bridge is held',
      5_000,
      () => bridge.log.includes('sendonly') || bridge.log.includes('recvonly') || undefined,
    );
    await listenFor(1_500);
    await phone.command('resume');
    await listenFor(2_000);
    await phone.command('hangup');
    await bridge.meta.request('terminate');
    await bridge.idle(5_000);
    // The user hears the phone before the hold and after it, as long as either; the phone's own recording ends at its hold.
    const { hz, activeMs } = judgeTone((await call.judge()).heard);
    expect(hz / phoneToneHz).toBeCloseTo(1, 2);
    expect(activeMs).toBeGreaterThan(3_000);
    expect(judgeTone(await phone.heard()).hz / userToneHz).toBeCloseTo(1, 2);
    expect(bridge.complaints).toEqual([]);
  });

  it.each(['srtp', 'srtp-mand'])('places a business-initiated call with mediaenc=%s', async (mediaenc) => {
    const trunk = 'srtp: optional\n    srtp_without_tls: true';
    const { bridge, phone, call } = await phoneCallsUser(scene, { trunk, phone: { mediaenc } });
    await listenFor(2_000);
    await bridge.meta.userHangsUp('BUSINESS_INITIATED');
    await phone.event('CALL_CLOSED', 5_000);
    await bridge.idle(5_000);
    await expectBothHeard({ call, phone });
    expect(bridge.complaints).toEqual([]);
    expect((await scene.record())['srtp']).toEqual(expect.stringMatching(/^A/));
  });

  it.each([
    ['srtp-mand', 'off'],
    ['srtp-mandf', 'optional\n    srtp_without_tls: true'],
  ])('hears 488 for an offer that cannot be taken: mediaenc=%s, srtp: %s', async (mediaenc, srtp) => {
    const { bridge, phone } = await startWithPhone(scene, { trunk: `srtp: ${srtp}`, phone: { mediaenc } });
    await phone.command('dial', `sip:+${user}@${address.bridge}:5060`);
    expect((await phone.event('CALL_CLOSED', 5_000)).param).toMatch(/^488 /);
    await bridge.idle(5_000);
  });
});
