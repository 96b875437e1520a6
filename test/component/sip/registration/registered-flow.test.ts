import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemIds } from '../../../../src/lib/ids.js';
import { eventually, settled } from '../../../support/eventually.js';
import { LegLog } from '../../../support/leg-log.js';
import { pbxSdp } from '../../../support/scripted-bridge.js';
import { sceneAuth } from '../../../support/sip-scene.js';
import { PEER_SDP, PeerMessage } from '../../../support/sip-script-peer.js';
import { RegistrationScene } from './registration-scene.js';

let scene: RegistrationScene;

/** Registers, and gives the REGISTER that was granted. */
async function registered(lifetimeS = 600): Promise<PeerMessage> {
  const granted = await scene.registrar.admit(lifetimeS);
  await eventually(() => scene.state === 'up', 'registered');
  return granted;
}

/** An INVITE as a registrar forwards it: to our Contact, on whatever way it knows. */
function invite(contactUri: string, to: string, headers: readonly string[] = []): string {
  const { peer } = scene.registrar;
  const text = peer.newRequest('INVITE', contactUri, { body: PEER_SDP, headers });
  return text.replace(/^To: .*$/m, `To: ${to}`);
}

const announced = async (count = 1) => {
  await eventually(() => scene.calls.length === count, 'call announced');
  return scene.calls[count - 1]!;
};

/** Calls the registrar; what the leg reports. */
const dial = () => {
  const leg = scene.agent.createOutboundLeg({
    ...{ call: systemIds.callId(), caller: { user: '+4915112345678', name: 'Anna' } },
    target: { trunk: scene.trunk, server: scene.trunk.servers[0]!, user: '100' },
    whatsApp: { numberId: '105', callId: 'wacid.ABC==', direction: 'user_initiated' },
  });
  const log = new LegLog(leg);
  leg.dial();
  return log;
};

describe('calls of a registrar', () => {
  afterEach(() => scene.stop());

  it('come over the connection that we opened to register, and so go ours to it', async () => {
    scene = await RegistrationScene.start({ transport: 'tcp' });
    const granted = await registered();
    const { peer } = scene.registrar;
    const socket = granted.connection!;
    const text = invite(granted.contactUri, '<sip:+4915112345678@pbx.example>');
    peer.send(text, socket);
    const call = await announced();
    expect(call.calledUser).toBe('+4915112345678');
    call.leg.answer();
    const ok = await peer.response(200, 'INVITE');
    expect(ok.connection).toBe(socket);
    const asked = new PeerMessage(text, scene.address, undefined, 0);
    peer.send(peer.inDialog('ACK', asked, ok, { cseq: 1 }), socket);
    peer.send(peer.inDialog('BYE', asked, ok, { cseq: 2 }), socket);
    expect((await peer.response(200, 'BYE')).connection).toBe(socket);
    const log = dial();
    const ours = await peer.request('INVITE');
    expect(ours.connection).toBe(socket);
    peer.reply(ours, 200, 'OK', { toTag: 'x', body: pbxSdp(30_000) });
    await log.saw('answered');
    peer.send(peer.fromCallee('BYE', ours, 'x', 1), socket);
    await log.saw('terminated');
  });

  it.each([
    ['in To', '"+49 <1>" <sip:+4915112345678;phone-context=x@pbx.example>;x=y', [], '+4915112345678'],
    ['in To without brackets', 'sip:004915112345678@pbx.example;user=phone', [], '004915112345678'],
    ['in To as tel', '<tel:+4915112345678>', [], '+4915112345678'],
    [
      'in P-Called-Party-ID',
      '<sip:bridge@pbx.example>',
      ['P-Called-Party-ID: <sip:+4915112345678@pbx.example>'],
      '+4915112345678',
    ],
    ['nowhere', '<sip:bridge@pbx.example>', ['P-Called-Party-ID: <sip:bridge@pbx.example>'], 'bridge'],
  ])('name the dialled number %s', async (_where, to, headers, expected) => {
    scene = await RegistrationScene.start();
    const granted = await registered();
    scene.registrar.peer.send(invite(granted.contactUri, to, headers), scene.address);
    expect((await announced()).calledUser).toBe(expected);
  });

  it('that name a number in the Request-URI mean that one', async () => {
    scene = await RegistrationScene.start();
    const granted = await registered();
    const uri = granted.contactUri.replace('bridge', '+4915199999999');
    scene.registrar.peer.send(invite(uri, '<sip:+4915112345678@pbx.example>'), scene.address);
    expect((await announced()).calledUser).toBe('+4915199999999');
  });

  it('are on the trunk whose account they came to, where several are registered at one address', async () => {
    const auth = { ...sceneAuth, username: 'second' };
    scene = await RegistrationScene.start({ more: [{ name: 'other', auth }] });
    const { registrar } = scene;
    const both = [await registrar.register(), await registrar.register()];
    for (const request of both) registrar.grant(request, 600);
    await eventually(() => scene.state === 'up,up', 'both registered');
    const second = both.find((request) => request.contactUri.includes('second'))!;
    registrar.peer.send(invite(second.contactUri, '<sip:+4915112345678@pbx.example>'), scene.address);
    const call = await announced();
    expect([call.trunk.name, call.trunks.map(({ name }) => name)]).toEqual(['other', ['other']]);
    expect(call.calledUser).toBe('+4915112345678');
  });
});

describe('a registrar that takes the connection for the way to us (RFC 5626)', () => {
  afterEach(() => scene.stop());

  /** The Contact of an INVITE of ours, which is refused. */
  async function contactOfCall(): Promise<string> {
    const log = dial();
    const invite = await scene.registrar.peer.request('INVITE');
    scene.registrar.peer.reply(invite, 486, 'Busy Here', { toTag: 'x' });
    await log.saw('terminated');
    return invite.get('Contact');
  }

  it('is called with Contacts that say so, for as long as it does', async () => {
    scene = await RegistrationScene.start({ transport: 'tcp' });
    const { registrar, clock } = scene;
    registrar.grant(await registrar.register(), 100, ['Require: Outbound', 'Flow-Timer: 60']);
    await eventually(() => scene.state === 'up', 'registered');
    const { host, port } = scene.address;
    expect(await contactOfCall()).toBe(`<sip:bridge@${host}:${port};transport=tcp;ob>`);
    clock.skip(75_000);
    registrar.grant(await registrar.register(), 100);
    await eventually(() => scene.grants === 2, 'registered anew');
    expect(await contactOfCall()).toBe(`<sip:${host}:${port};transport=tcp>`);
  });

  it('behind a proxy that does not is registered at without, from then on', async () => {
    scene = await RegistrationScene.start({ transport: 'tcp' });
    const { registrar, clock } = scene;
    const asked = await registrar.register();
    expect(asked.get('Contact')).toContain('reg-id=1');
    registrar.refuse(asked, 439, 'First Hop Lacks Outbound Support');
    const plain = await registrar.register();
    expect(plain.cseq).toBe(asked.cseq + 1);
    expect([plain.get('Contact'), plain.get('Supported')]).toEqual([`<${asked.contactUri}>`, 'path']);
    registrar.challenge(plain);
    const proven = await registrar.register();
    expect(proven.get('Contact')).toBe(plain.get('Contact'));
    registrar.grant(proven, 100);
    await eventually(() => scene.state === 'up', 'registered');
    clock.skip(75_000);
    const refresh = await registrar.register();
    expect(refresh.get('Contact')).toBe(plain.get('Contact'));
    registrar.grant(refresh, 100);
  });

  it('hears the same of us after a restart, so that the new connection takes the place of the old one', async () => {
    const contacts: string[] = [];
    for (let run = 0; run < 2; run++) {
      scene = await RegistrationScene.start({ transport: 'tcp' });
      const request = await scene.registrar.register();
      contacts.push(/;\+sip.*/.exec(request.get('Contact'))?.[0] ?? '');
      scene.registrar.grant(request, 100);
      if (run === 0) await scene.stop();
    }
    expect(contacts[0]).not.toBe('');
    // The AOR holds the registrar's address alone, which is the same.
    expect(contacts[1]).toBe(contacts[0]);
  });
});

describe('a connection that carries a registration', () => {
  afterEach(() => scene.stop());

  const start = async (): Promise<Socket> => {
    scene = await RegistrationScene.start({ transport: 'tcp' });
    return (await registered()).connection!;
  };

  it('is made anew at once when it is lost, but not again and again', async () => {
    const first = await start();
    const { registrar, clock } = scene;
    first.destroy();
    const second = await registrar.register();
    expect(second.connection).not.toBe(first);
    registrar.grant(second, 600);
    await eventually(() => scene.grants === 2, 'granted again');
    second.connection!.destroy();
    await eventually(() => scene.state === 'the connection does not last', 'waits');
    expect(scene.changes.map(({ state }) => state)).toEqual(['registered', 'failed']);
    clock.skip(59_000);
    await settled();
    expect(registrar.registers).toBe(3);
    clock.skip(1_000);
    registrar.grant(await registrar.register(), 600);
    await eventually(() => scene.state === 'up', 'registered');
  });

  it('is kept open by pings, and made anew when they are answered no more', async () => {
    const first = await start();
    const { registrar, clock } = scene;
    const heard: string[] = [];
    first.on('data', (bytes: Buffer) => heard.push(bytes.toString()));
    clock.skip(90_000);
    await eventually(() => heard.includes('\r\n\r\n'), 'ping');
    first.write('\r\n');
    await eventually(() => first.writableLength === 0, 'pong');
    await settled();
    clock.skip(90_000);
    await eventually(() => heard.length === 2, 'second ping');
    clock.skip(10_000);
    const second = await registrar.register();
    expect(second.connection).not.toBe(first);
    registrar.grant(second, 600);
  });
});
