import { createSocket, type Socket } from 'node:dgram';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pbxSdp, ScriptedBridge } from '../support/scripted-bridge.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

describe('a user calls, libwebrtc to a scripted PBX', () => {
  let bridge: ScriptedBridge;
  let phone: WrtcPeer;
  let rtp: Socket;

  beforeEach(async () => {
    bridge = await ScriptedBridge.start();
    phone = new WrtcPeer();
    rtp = createSocket('udp4');
    await new Promise<void>((resolve) => rtp.bind(0, '127.0.0.1', resolve));
  });
  afterEach(async () => {
    phone.close();
    rtp.close();
    await bridge.stop();
  });

  const answerOf = (index: number): string => {
    const session = bridge.graph.seen[index]?.body['session'] as { sdp: string; sdp_type: string };
    expect(session.sdp_type).toBe('answer');
    return session.sdp;
  };

  it('rings, is answered, carries audio and ends with the PBX hanging up', async () => {
    expect(await bridge.deliver(bridge.userConnect('wacid.1', await phone.offer()))).toBe(200);
    const invite = await bridge.pbx.request('INVITE');
    expect(invite.uri).toBe(`sip:+15551112222@127.0.0.1:${bridge.pbx.port}`);
    expect(invite.get('X-WA-User')).toBe('+14085551234');
    bridge.pbx.reply(invite, 180, 'Ringing', { toTag: 'p1' });
    bridge.pbx.reply(invite, 200, 'OK', { toTag: 'p1', body: pbxSdp(rtp.address().port) });
    await bridge.pbx.request('ACK');
    const firstRtp = new Promise<Buffer>((resolve) => rtp.once('message', resolve));
    const accepted = await bridge.graph.seen.length;
    expect(accepted).toBeGreaterThan(0);
    phone.play();
    await phone.accept(answerOf(0));
    await phone.reaches('connected');
    expect((await firstRtp)[1]! & 0x7f).toBe(8);
    expect(bridge.actions.slice(0, 2)).toEqual(['pre_accept', 'accept']);
    expect(answerOf(1)).toBe(answerOf(0));
    bridge.pbx.send(bridge.pbx.fromCallee('BYE', invite, 'p1', 1), bridge.sip);
    await bridge.pbx.response(200, 'BYE');
    const record = await bridge.record();
    expect(record).toMatchObject({ direction: 'user_initiated', code: 'hangup', endedBy: 'b', waCallId: 'wacid.1' });
    expect(bridge.actions).toEqual(['pre_accept', 'accept', 'terminate']);
  });
});
