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

// Asterisk as PBX, on the trunk configuration that is shipped for operators (config/asterisk).
describe('Asterisk', () => {
  let scene: Scene;
  beforeEach(() => {
    scene = new Scene();
  });
  afterEach(() => scene.close());

  const start = async (to?: string): Promise<{ asterisk: Asterisk; bridge: Bridge }> => {
    const bridge = await Bridge.start(scene, { pbx: address.asterisk, ...(to === undefined ? {} : { to }) });
    const asterisk = scene.add(
      await Asterisk.start({ address: address.asterisk, trunk: address.bridge, folder: scene.path('asterisk') }),
    );
    return { asterisk, bridge };
  };

  it('echoes a user-initiated call, as the README suggests for a first test; the user hangs up', async () => {
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

  it('echoes and records a user-initiated call', async () => {
    const { asterisk, bridge } = await start('620');
    const call = await WhatsAppCall.fromUser(scene, bridge);
    await call.accepted();
    await listenFor(2_000);
    await bridge.meta.userHangsUp('USER_INITIATED');
    await asterisk.idle(5_000);
    expectTone((await call.judge()).heard, userToneHz, 1_500);
    expectTone(await asterisk.heard(), userToneHz, 1_500);
  });

  it('plays a tone to a user-initiated call and hangs up itself', async () => {
    const { asterisk, bridge } = await start('621');
    const call = await WhatsAppCall.fromUser(scene, bridge);
    await call.accepted();
    await bridge.meta.request('terminate');
    await asterisk.idle(5_000);
    await bridge.idle(5_000);
    const { hz, activeMs } = judgeTone((await call.judge()).heard);
    expect(hz / asteriskToneHz).toBeCloseTo(1, 2);
    expect(activeMs).toBeGreaterThan(1_500);
    expect(bridge.meta.actions).toEqual(['pre_accept', 'accept', 'terminate']);
  });

  it('is busy for a user-initiated call', async () => {
    const { bridge } = await start('622');
    const call = await WhatsAppCall.fromUser(scene, bridge);
    await bridge.meta.request('terminate').catch(() => bridge.meta.request('reject', 1_000));
    await bridge.idle(5_000);
    expect((await call.relay.report()).stats.received).toBe(0);
    expect(bridge.meta.actions).not.toContain('accept');
  });

  it('rings and is given up by the user', async () => {
    const { asterisk, bridge } = await start('623');
    await WhatsAppCall.fromUser(scene, bridge);
    await until('Asterisk rings', 10_000, () => bridge.steps.includes('sip.ringing') || undefined);
    await bridge.meta.userHangsUp('USER_INITIATED');
    await asterisk.idle(5_000);
    await bridge.idle(5_000);
    expect(bridge.meta.actions).not.toContain('accept');
  });

  it('dials a user out through the trunk, plays a tone, records the user and hangs up', async () => {
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
    expect(bridge.meta.actions).toEqual(['connect', 'terminate']);
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
