import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { address } from '../support/peers/addresses.js';
import { Asterisk } from '../support/peers/asterisk.js';
import { Bridge } from '../support/peers/bridge.js';
import { expectTone } from '../support/peers/hearing.js';
import { user } from '../support/peers/meta.js';
import { Scene } from '../support/peers/scene.js';
import { judgeTone } from '../support/peers/sound.js';
import { listenFor, until } from '../support/peers/until.js';
import { userToneHz, WhatsAppCall } from '../support/peers/whatsapp-call.js';

const asteriskToneHz = 1004;

// OpenSSL under pjsip against OpenSSL under Node: SIP by TLS both ways, each side checking the other's certificate.
describe('Asterisk over TLS', () => {
  let scene: Scene;
  beforeEach(() => {
    scene = new Scene();
  });
  afterEach(() => scene.close());

  const start = async (to?: string): Promise<{ asterisk: Asterisk; bridge: Bridge }> => {
    const options = { pbx: address.asterisk, transport: 'tls' as const };
    const bridge = await Bridge.start(scene, { ...options, ...(to === undefined ? {} : { to }) });
    const folder = scene.path('asterisk');
    const asterisk = await Asterisk.start({ address: address.asterisk, trunk: address.bridge, folder, tls: true });
    return { asterisk: scene.add(asterisk), bridge };
  };

  it('echoes a user-initiated call; the user hangs up', async () => {
    const { asterisk, bridge } = await start('600');
    const call = await WhatsAppCall.fromUser(scene, bridge);
    await call.preAccepted();
    await call.accepted();
    await listenFor(2_500);
    await bridge.meta.userHangsUp('USER_INITIATED');
    await asterisk.idle(5_000);
    await bridge.idle(5_000);
    expectTone((await call.judge()).heard, userToneHz, 2_000);
    expect(bridge.meta.actions).toEqual(['pre_accept', 'accept']);
    expect(bridge.complaints).toEqual([]);
  });

  it('dials a user out, plays a tone, records the user and hangs up', async () => {
    const { asterisk, bridge } = await start();
    const call = await WhatsAppCall.toUser(scene, bridge);
    await asterisk.callOut(`00${user}`);
    await call.ringsAndPicksUp();
    await listenFor(2_500);
    await asterisk.hangupAll();
    await bridge.meta.request('terminate');
    await asterisk.idle(5_000);
    await bridge.idle(5_000);
    expect(judgeTone((await call.judge()).heard).hz / asteriskToneHz).toBeCloseTo(1, 2);
    expectTone(await asterisk.heard(), userToneHz, 1_500);
    expect(bridge.complaints).toEqual([]);
  });

  it('finds the trunk reachable by its OPTIONS', async () => {
    const { asterisk } = await start();
    await asterisk.ami.command('pjsip qualify sip2wa');
    await until(
      'the contact is available',
      10_000,
      async () => /sip2wa\/sip:\S+ +\S+ +Avail /.test(await asterisk.ami.command('pjsip show contacts')) || undefined,
    );
  });
});
