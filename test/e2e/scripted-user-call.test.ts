import type { Socket } from 'node:dgram';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { boundSocket } from '../support/bound-socket.js';
import { metaError } from '../support/graph-double.js';
import { freePort } from '../support/ports.js';
import { pbxSdp, ScriptedBridge, type BridgeOptions } from '../support/scripted-bridge.js';
import type { PeerMessage } from '../support/sip-script-peer.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

describe('a user calls, libwebrtc to a scripted PBX', () => {
  let bridge: ScriptedBridge;
  let phone: WrtcPeer;
  let rtp: Socket;

  const start = async (options: BridgeOptions = {}): Promise<void> => {
    bridge = await ScriptedBridge.start(options);
  };
  beforeEach(async () => {
    phone = new WrtcPeer();
    rtp = await boundSocket();
  });
  afterEach(async () => {
    phone.close();
    rtp.close();
    await bridge.stop();
  });

  const call = async (id = 'wacid.1'): Promise<PeerMessage> => {
    expect(await bridge.deliver(bridge.userConnect(id, await phone.offer()))).toBe(200);
    return bridge.pbx.request('INVITE');
  };
  const pickUp = async (invite: PeerMessage): Promise<void> => {
    bridge.pbx.reply(invite, 200, 'OK', { toTag: 'p1', body: pbxSdp(rtp.address().port) });
    await bridge.pbx.request('ACK');
  };
  /** A call that the PBX has picked up, and that is up. */
  const answered = async (): Promise<void> => bridge.pbxPicksUp(await call(), { body: pbxSdp(rtp.address().port) });
  const answer = (index: number): string => {
    const session = bridge.session(index);
    expect(session.sdp_type).toBe('answer');
    return session.sdp;
  };

  it('rings, is answered, carries audio and ends with the PBX hanging up', async () => {
    await start();
    const invite = await call();
    expect(invite.uri).toBe(`sip:+15551112222@127.0.0.1:${bridge.pbx.port}`);
    expect(invite.get('X-WA-User')).toBe('+14085551234');
    expect(invite.get('X-WA-Direction')).toBe('user_initiated');
    expect(invite.get('From')).toContain('Anna');
    bridge.pbx.reply(invite, 180, 'Ringing', { toTag: 'p1' });
    const firstRtp = new Promise<Buffer>((resolve) => rtp.once('message', resolve));
    await pickUp(invite);
    await bridge.connected();
    expect(bridge.actions).toEqual(['pre_accept', 'accept']);
    expect(answer(1)).toBe(answer(0));
    phone.play();
    await phone.accept(answer(0));
    await phone.reaches('connected');
    expect((await firstRtp)[1]! & 0x7f).toBe(8);
    bridge.pbx.send(bridge.pbx.fromCallee('BYE', invite, 'p1', 1), bridge.sip);
    await bridge.pbx.response(200, 'BYE');
    expect(await bridge.record()).toMatchObject({
      ...{ direction: 'user_initiated', code: 'hangup', endedBy: 'b', q850: 16 },
      ...{ number: 'sales', trunk: 'pbx', user: '+14085551234', waCallId: 'wacid.1' },
      codec: 'PCMA',
      quality: {
        whatsapp: { codec: 'opus', received: { lost: 0, mosMin: expect.closeTo(4.4, 0) as number } },
        pbx: { codec: 'PCMA', received: { packets: 0 }, sent: { packets: expect.any(Number) as number } },
      },
    });
    expect(bridge.actions).toEqual(['pre_accept', 'accept', 'terminate']);
  });

  it('ends the PBX leg when the user hangs up, without a terminate of ours', async () => {
    await start();
    await answered();
    await bridge.deliver(bridge.terminate('wacid.1', 'USER_INITIATED', { duration: 3 }));
    const bye = await bridge.pbx.request('BYE');
    expect(bye.get('Reason')).toContain('cause=16');
    bridge.pbx.reply(bye, 200, 'OK');
    expect(await bridge.record()).toMatchObject({ code: 'hangup', endedBy: 'a' });
    expect(bridge.actions).toEqual(['pre_accept', 'accept']);
  });

  it.each([
    [486, 'Busy Here', { code: 'busy', sipStatus: 486 }],
    [603, 'Decline', { code: 'declined' }],
    [404, 'Not Found', { code: 'not_found' }],
  ])('terminates at Meta when the PBX says %i, since it was pre-accepted', async (status, phrase, record) => {
    await start();
    const invite = await call();
    await bridge.step('graph.pre_accept');
    bridge.pbx.reply(invite, status, phrase, { toTag: 'p1' });
    await bridge.pbx.request('ACK');
    expect(await bridge.record()).toMatchObject({ ...record, endedBy: 'b' });
    expect(bridge.actions).toEqual(['pre_accept', 'terminate']);
  });

  it('rejects at Meta when there is nothing to pre-accept with', async () => {
    await start();
    const offer = (await phone.offer()).replace(/opus/gi, 'speex');
    await bridge.deliver(bridge.userConnect('wacid.1', offer));
    expect(await bridge.record()).toMatchObject({ endedBy: 'a' });
    expect(bridge.actions).toEqual(['reject']);
  });

  it('keeps a call that was just answered when Meta asks to slow down', async () => {
    await start();
    bridge.graph.replies({ status: 200, json: { success: true } }, metaError(400, 130429, 'Rate limit hit'));
    await answered();
    expect(bridge.actions).toEqual(['pre_accept', 'accept', 'accept']);
    expect(answer(2)).toBe(answer(1));
  });

  it('gives up when the PBX does not answer in time: CANCEL and terminate', async () => {
    await start({ more: 'calls: { answer_timeout: 1s }' });
    const invite = await call();
    bridge.pbx.reply(invite, 180, 'Ringing', { toTag: 'p1' });
    const cancel = await bridge.pbx.request('CANCEL');
    bridge.pbx.reply(cancel, 200, 'OK');
    bridge.pbx.reply(invite, 487, 'Request Terminated', { toTag: 'p1' });
    await bridge.pbx.request('ACK');
    expect(await bridge.record()).toMatchObject({ code: 'no_answer', endedBy: 'bridge' });
    expect(bridge.actions).toEqual(['pre_accept', 'terminate']);
  });

  it('cancels the PBX when the user gives up while it rings', async () => {
    await start();
    const invite = await call();
    bridge.pbx.reply(invite, 180, 'Ringing', { toTag: 'p1' });
    await bridge.step('sip.ringing');
    await bridge.deliver(bridge.terminate('wacid.1', 'USER_INITIATED'));
    const cancel = await bridge.pbx.request('CANCEL');
    expect(cancel.branch).toBe(invite.branch);
    bridge.pbx.reply(cancel, 200, 'OK');
    bridge.pbx.reply(invite, 487, 'Request Terminated', { toTag: 'p1' });
    await bridge.pbx.request('ACK');
    expect(await bridge.record()).toMatchObject({ code: 'cancelled', endedBy: 'a' });
    expect(bridge.actions).toEqual(['pre_accept']);
  });

  it('acknowledges and hangs up a 200 that crosses the CANCEL', async () => {
    await start();
    const invite = await call();
    bridge.pbx.reply(invite, 180, 'Ringing', { toTag: 'p1' });
    await bridge.step('sip.ringing');
    await bridge.deliver(bridge.terminate('wacid.1', 'USER_INITIATED'));
    const cancel = await bridge.pbx.request('CANCEL');
    bridge.pbx.reply(invite, 200, 'OK', { toTag: 'p1', body: pbxSdp(rtp.address().port) });
    bridge.pbx.reply(cancel, 200, 'OK');
    await bridge.pbx.request('ACK');
    const bye = await bridge.pbx.request('BYE');
    expect(bye.tag('To')).toBe('p1');
    bridge.pbx.reply(bye, 200, 'OK');
    expect(await bridge.record()).toMatchObject({ code: 'cancelled' });
    expect(bridge.actions).not.toContain('accept');
  });

  it('acknowledges and hangs up an answer it cannot use', async () => {
    await start();
    const invite = await call();
    const video = [
      'v=0',
      'o=- 1 1 IN IP4 127.0.0.1',
      's=-',
      'c=IN IP4 127.0.0.1',
      't=0 0',
      'm=audio 4000 RTP/AVP 18',
      '',
    ];
    bridge.pbx.reply(invite, 200, 'OK', { toTag: 'p1', body: video.join('\r\n') });
    await bridge.pbx.request('ACK');
    const bye = await bridge.pbx.request('BYE');
    expect(bye.get('Reason')).toContain('488');
    bridge.pbx.reply(bye, 200, 'OK');
    expect(await bridge.record()).toMatchObject({ code: 'no_codec' });
    expect(bridge.actions).toEqual(['pre_accept', 'terminate']);
  });

  it('tries the next server of the trunk when the first is not there', async () => {
    const dead = await freePort();
    await start({
      trunks: (pbx) => `
trunks:
  - name: pbx
    servers:
      - { hostname: 127.0.0.1, port: ${dead}, priority: 1 }
      - { hostname: 127.0.0.1, port: ${pbx.port}, priority: 2 }
    accept_from: [127.0.0.1/32]
numbers: [{ id: "105615555715855", number: "+15551112222", name: sales, trunk: pbx }]
`,
    });
    await answered();
    expect(bridge.actions).toEqual(['pre_accept', 'accept']);
  });

  it.each([
    ['a wrong signature', 'sha256=' + '0'.repeat(64)],
    ['no signature', ''],
  ])('changes nothing for %s', async (_what, signature) => {
    await start();
    expect(await bridge.deliver(bridge.userConnect('wacid.1', await phone.offer()), signature)).toBe(401);
    await call('wacid.2');
    expect(bridge.pbx.requestsOf('INVITE')).toBe(1);
    expect(bridge.daemon.calls()).toBe(1);
  });

  it('rings once however often the webhook comes', async () => {
    await start();
    const event = bridge.userConnect('wacid.1', await phone.offer());
    const statuses = await Promise.all(Array.from({ length: 10 }, () => bridge.deliver(event)));
    expect(new Set(statuses)).toEqual(new Set([200]));
    await pickUp(await bridge.pbx.request('INVITE'));
    await bridge.connected();
    expect(bridge.pbx.requestsOf('INVITE')).toBe(1);
    expect(bridge.actions).toEqual(['pre_accept', 'accept']);
  });

  it('writes the record of a call whose PBX never answers the BYE, and stops once however often it is told', async () => {
    await start({ stopCallsMs: 300 });
    await answered();
    const { host, port } = bridge.daemon.addresses.admin;
    const [first, second] = [bridge.daemon.stop(), bridge.daemon.stop()];
    expect(second).toBe(first);
    expect((await fetch(`http://${host}:${port}/readyz`)).status).toBe(503);
    expect(await bridge.record()).toMatchObject({ code: 'shutdown', endedBy: 'bridge' });
    await first;
    expect(bridge.daemon.calls()).toBe(0);
    expect(bridge.actions).toEqual(['pre_accept', 'accept', 'terminate']);
  });

  it('ends both sides of a live call when it stops', async () => {
    await start();
    await answered();
    const stopped = bridge.daemon.stop();
    bridge.pbx.reply(await bridge.pbx.request('BYE'), 200, 'OK');
    await stopped;
    expect(bridge.records).toMatchObject([{ code: 'shutdown', endedBy: 'bridge' }]);
    expect(bridge.actions).toEqual(['pre_accept', 'accept', 'terminate']);
  });
});
