import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { address } from '../support/peers/addresses.js';
import { Asterisk, tone } from '../support/peers/asterisk.js';
import { account } from '../support/peers/asterisk-trunk.js';
import { Bridge } from '../support/peers/bridge.js';
import { expectTone, expectTones } from '../support/peers/hearing.js';
import { user } from '../support/peers/meta.js';
import { Scene } from '../support/peers/scene.js';
import { listenFor, until } from '../support/peers/until.js';
import { userToneHz, WhatsAppCall } from '../support/peers/whatsapp-call.js';

// Asterisk as registrar: it knows the bridge by its registration alone.
describe('Asterisk that the bridge registers at', () => {
  let scene: Scene;
  beforeEach(() => {
    scene = new Scene();
  });
  afterEach(() => scene.close());

  const start = async (transport: 'udp' | 'tls' = 'udp', to?: string) => {
    const place = { address: address.asterisk, trunk: address.bridge, folder: scene.path('asterisk') };
    const asterisk = scene.add(await Asterisk.start({ ...place, sample: 'pjsip-register.conf', transport }));
    const { username, password } = account;
    const auth = `auth: { username: ${username}, password: ${password} }`;
    const trunk = `register: true\n    register_expires: 60s\n    ${auth}`;
    const pbx = { pbx: address.asterisk, transport, acceptFrom: '[]', trunk };
    const bridge = await Bridge.start(scene, to === undefined ? pbx : { ...pbx, to });
    await contact(asterisk, true);
    return { asterisk, bridge };
  };

  /** Waits until Asterisk knows the bridge, or no longer does. */
  const contact = (asterisk: Asterisk, isThere: boolean): Promise<string> =>
    until(`Asterisk ${isThere ? 'knows' : 'has forgotten'} the bridge`, 10_000, async () => {
      const shown = await asterisk.ami.command('pjsip show contacts');
      return /sip2wa\/sip:sip2wa@127\.0\.0\.2:506[01]/.test(shown) === isThere ? shown : undefined;
    });

  it.each([
    ['to-whatsapp', 'udp'],
    ['to-account', 'udp'],
    ['to-account', 'tls'],
  ] as const)('calls a user through the registration, by the dial plan’s %s over %s', async (context, transport) => {
    const { asterisk, bridge } = await start(transport);
    const call = await WhatsAppCall.toUser(scene, bridge);
    await asterisk.callOut(`+${user}`, context);
    await call.ringsAndPicksUp();
    expect(bridge.meta.requests.find(({ action }) => action === 'connect')?.to).toBe(user);
    await listenFor(2_000);
    await asterisk.hangupAll();
    await bridge.meta.request('terminate');
    await bridge.idle(5_000);
    expectTones((await call.judge()).heard, [{ ...tone, atLeastMs: 1_500 }]);
    expectTone(await asterisk.heard(), userToneHz, 1_000);
    expect(bridge.complaints).toEqual([]);
    await bridge.stop();
    await contact(asterisk, false);
  });

  it('is called by a user, with the same credentials', async () => {
    const { asterisk, bridge } = await start('udp', '600');
    const call = await WhatsAppCall.fromUser(scene, bridge);
    await call.accepted();
    await listenFor(2_000);
    await bridge.meta.userHangsUp('USER_INITIATED');
    await asterisk.idle(5_000);
    expectTone((await call.judge()).heard, userToneHz, 1_500);
    expect(bridge.complaints).toEqual([]);
  });
});
