import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { address } from '../support/peers/addresses.js';
import { expectBothHeard, phoneCallsUser, startWithPhone } from '../support/peers/baresip-scene.js';
import { user } from '../support/peers/meta.js';
import { Scene } from '../support/peers/scene.js';
import { listenFor } from '../support/peers/until.js';
import { WhatsAppCall } from '../support/peers/whatsapp-call.js';

// A real SIP phone in place of a PBX; what both ends hear is measured from their own recordings.
describe('baresip', () => {
  let scene: Scene;
  beforeEach(() => {
    scene = new Scene();
  });
  afterEach(() => scene.close());

  it.each(['pcma', 'pcmu'])('takes a user-initiated call in %s and hangs up', async (codecs) => {
    const { bridge, phone } = await startWithPhone(scene, { phone: { codecs } });
    const call = await WhatsAppCall.fromUser(scene, bridge);
    await call.preAccepted();
    await call.accepted();
    const established = await phone.event('CALL_ESTABLISHED', 5_000);
    await listenFor(2_000);
    await phone.command('hangup');
    await bridge.meta.request('terminate');
    await bridge.idle(5_000);
    await expectBothHeard({ call, phone });
    // The phone shows who calls: the WhatsApp user's number, dialled back through the bridge.
    expect(established.peeruri).toContain(`+${user}@`);
    expect(bridge.meta.actions).toEqual(['pre_accept', 'accept', 'terminate']);
    expect(bridge.complaints).toEqual([]);
  });

  it('rings long and is picked up by hand: media is up before, and not a packet is sent until accept', async () => {
    const { bridge, phone } = await startWithPhone(scene, { phone: { answer: 'manual' } });
    const call = await WhatsAppCall.fromUser(scene, bridge);
    await phone.event('CALL_INCOMING', 10_000);
    await call.preAccepted();
    await listenFor(1_000);
    await phone.command('accept');
    await call.accepted();
    await listenFor(2_000);
    await bridge.meta.userHangsUp('USER_INITIATED');
    await phone.event('CALL_CLOSED', 5_000);
    await bridge.idle(5_000);
    await expectBothHeard({ call, phone });
  });

  it.each(['pcma', 'pcmu'])('places a business-initiated call in %s; the user hangs up', async (codecs) => {
    const { bridge, phone, call } = await phoneCallsUser(scene, { phone: { codecs } });
    await listenFor(2_000);
    await bridge.meta.userHangsUp('BUSINESS_INITIATED');
    await phone.event('CALL_CLOSED', 5_000);
    await bridge.idle(5_000);
    await expectBothHeard({ call, phone });
    expect(bridge.meta.actions).toEqual(['connect']);
    expect(bridge.complaints).toEqual([]);
  });

  it('hears that the user is busy', async () => {
    const { bridge, phone } = await startWithPhone(scene);
    await phone.command('dial', `sip:+${user}@${address.bridge}:5060`);
    await bridge.meta.request('connect');
    await bridge.meta.status('RINGING');
    await phone.event('CALL_RINGING', 5_000);
    await bridge.meta.status('REJECTED');
    expect((await phone.event('CALL_CLOSED', 5_000)).param).toMatch(/^486 /);
    await bridge.idle(5_000);
  });
});
