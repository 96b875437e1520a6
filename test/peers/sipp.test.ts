import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { address } from '../support/peers/addresses.js';
import { Bridge } from '../support/peers/bridge.js';
import { expectTone } from '../support/peers/hearing.js';
import { user } from '../support/peers/meta.js';
import { Scene } from '../support/peers/scene.js';
import { Sipp } from '../support/peers/sipp.js';
import { listenFor } from '../support/peers/until.js';
import { userToneHz, WhatsAppCall } from '../support/peers/whatsapp-call.js';

// sipp as PBX, which sends back what it hears, so that the user's tone has gone both ways through the bridge.
describe('sipp', () => {
  let scene: Scene;
  beforeEach(() => {
    scene = new Scene();
  });
  afterEach(() => scene.close());

  const expectEcho = async (call: WhatsAppCall): Promise<void> => {
    expectTone((await call.judge()).heard, userToneHz, 1_500);
  };

  it.each([
    ['PCMA', 'udp'],
    ['PCMU', 'udp'],
    ['PCMA', 'tcp'],
  ] as const)('answers a user-initiated call in %s over %s; the user hangs up', async (codec, transport) => {
    const bridge = await Bridge.start(scene, { pbx: address.sipp, transport });
    const pbx = await Sipp.start(scene, { scenario: 'uas-answer', address: address.sipp, codec, transport });
    const call = await WhatsAppCall.fromUser(scene, bridge);
    await call.preAccepted();
    await call.accepted();
    await listenFor(2_000);
    await bridge.meta.userHangsUp('USER_INITIATED');
    await pbx.finished(10_000);
    await bridge.idle(5_000);
    await expectEcho(call);
    expect(bridge.meta.actions).toEqual(['pre_accept', 'accept']);
    expect(bridge.complaints).toEqual([]);
  });

  it('refuses a user-initiated call with 486: the call ends by terminate, since it was pre-accepted', async () => {
    const bridge = await Bridge.start(scene, { pbx: address.sipp });
    const pbx = await Sipp.start(scene, { scenario: 'uas-refuse', address: address.sipp });
    const call = await WhatsAppCall.fromUser(scene, bridge);
    await pbx.finished(10_000);
    await bridge.idle(10_000);
    const { received } = (await call.relay.report()).stats;
    expect(received).toBe(0);
    expect(['reject', 'terminate']).toContain(bridge.meta.actions.at(-1));
    expect(bridge.meta.actions).not.toContain('accept');
  });

  it('rings until the user gives up, and is cancelled', async () => {
    const bridge = await Bridge.start(scene, { pbx: address.sipp });
    const pbx = await Sipp.start(scene, { scenario: 'uas-cancelled', address: address.sipp });
    const call = await WhatsAppCall.fromUser(scene, bridge);
    await call.preAccepted();
    await bridge.meta.userHangsUp('USER_INITIATED');
    await pbx.finished(10_000);
    await bridge.idle(5_000);
    expect((await call.relay.report()).stats.received).toBe(0);
    expect(bridge.meta.actions).toEqual(['pre_accept']);
  });

  it.each([
    ['PCMA', 'udp', 'client'],
    ['PCMU', 'udp', 'server'],
    ['PCMA', 'tcp', 'client'],
  ] as const)(
    'places a business-initiated call in %s over %s, Meta as DTLS %s; the PBX hangs up',
    async (codec, transport, role) => {
      const bridge = await Bridge.start(scene, { pbx: address.sipp, transport });
      const call = await WhatsAppCall.toUser(scene, bridge, role);
      const pbx = await Sipp.start(scene, {
        scenario: 'uac-call',
        address: address.sipp,
        target: `${address.bridge}:5060`,
        service: `+${user}`,
        talkMs: 2_500,
        codec,
        transport,
      });
      await call.ringsAndPicksUp();
      await bridge.meta.request('terminate');
      await pbx.finished(10_000);
      await bridge.idle(5_000);
      await expectEcho(call);
      expect(bridge.meta.actions).toEqual(['connect', 'terminate']);
      expect(bridge.meta.requests[0]?.to).toMatch(new RegExp(`^\\+?${user}$`));
      expect(bridge.complaints).toEqual([]);
    },
  );

  it('gives up a business-initiated call while it rings: 487, and the WhatsApp call is terminated', async () => {
    const bridge = await Bridge.start(scene, { pbx: address.sipp });
    const pbx = await Sipp.start(scene, {
      scenario: 'uac-cancel',
      address: address.sipp,
      target: `${address.bridge}:5060`,
      service: `+${user}`,
    });
    await bridge.meta.request('connect');
    await bridge.meta.status('RINGING');
    await bridge.meta.request('terminate');
    await pbx.finished(10_000);
    await bridge.idle(5_000);
    expect(bridge.meta.actions).toEqual(['connect', 'terminate']);
  });

  it('is refused with 486 when the user rejects', async () => {
    const bridge = await Bridge.start(scene, { pbx: address.sipp });
    const pbx = await Sipp.start(scene, { ...refused(486), codec: 'PCMA' });
    await bridge.meta.request('connect');
    await bridge.meta.status('RINGING');
    await bridge.meta.status('REJECTED');
    await pbx.finished(10_000);
    await bridge.idle(5_000);
    expect(bridge.meta.actions).toEqual(['connect']);
  });

  it('is refused with 488 for an offer without a usable codec, before Meta is asked', async () => {
    const bridge = await Bridge.start(scene, { pbx: address.sipp });
    const pbx = await Sipp.start(scene, { ...refused(488), codec: 'G729' });
    await pbx.finished(10_000);
    expect(bridge.meta.actions).toEqual([]);
  });

  it.each([
    ['of-the-bridge', '486'],
    ['guessed', '403'],
  ])('asks for a password by MD5 and judges %s with %s', async (password, status) => {
    const trunk = `auth: { username: sip2wa, password: ${password}, realm: sipp }`;
    const bridge = await Bridge.start(scene, { pbx: address.sipp, trunk });
    const pbx = await Sipp.start(scene, { scenario: 'uas-digest', address: address.sipp });
    await WhatsAppCall.fromUser(scene, bridge);
    await pbx.finished(10_000);
    await bridge.idle(10_000);
    expect(pbx.messages).toMatch(new RegExp(`SIP/2.0 ${status} `));
    expect(bridge.meta.actions).not.toContain('accept');
  });

  // sipp 3.6 knows MD5 alone.
  it.each([
    ['of-the-pbx', 486, ['connect']],
    ['guessed', 401, []],
  ] as const)('shows by MD5 the password %s and is answered %i', async (password, status, actions) => {
    const trunk = 'accept_auth: { username: pbx, password: of-the-pbx, algorithms: [MD5] }';
    const bridge = await Bridge.start(scene, { pbx: address.sipp, trunk });
    const pbx = await Sipp.start(scene, { ...refused(status), scenario: 'uac-digest', password });
    if (status === 486) {
      await bridge.meta.request('connect');
      await bridge.meta.status('RINGING');
      await bridge.meta.status('REJECTED');
    }
    await pbx.finished(10_000);
    await bridge.idle(5_000);
    expect(bridge.meta.actions).toEqual(actions);
  });

  const refused = (status: number): Parameters<typeof Sipp.start>[1] => ({
    scenario: 'uac-refused',
    address: address.sipp,
    target: `${address.bridge}:5060`,
    service: `+${user}`,
    status,
  });
});
