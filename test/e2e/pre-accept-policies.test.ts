import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pace } from '../support/pace.js';
import { RtpPeer } from '../support/rtp-peer.js';
import { ScriptedBridge } from '../support/scripted-bridge.js';
import type { PeerMessage } from '../support/sip-script-peer.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

type Policy = 'immediate' | 'on_progress' | 'never';

describe('calls.pre_accept, from the file to what Meta is asked', () => {
  let bridge: ScriptedBridge;
  let phone: WrtcPeer;
  let rtp: RtpPeer;

  beforeEach(async () => {
    phone = new WrtcPeer();
    rtp = await RtpPeer.open();
  });
  afterEach(async () => {
    await bridge.stop();
    phone.close();
    rtp.close();
  });

  /** A user calls under this policy; the INVITE at the PBX. */
  const call = async (policy: Policy): Promise<PeerMessage> => {
    bridge = await ScriptedBridge.start({ more: `calls: { pre_accept: ${policy} }` });
    await bridge.deliver(bridge.userConnect('wacid.1', await phone.offer()));
    return bridge.pbx.request('INVITE');
  };
  /** An INVITE that nobody answers is repeated after half a second: whatever was due at once has gone out by then. */
  const nothingDueIsLeft = (invite: PeerMessage): Promise<PeerMessage> => bridge.pbx.copyOf(invite);
  const reply = (invite: PeerMessage, status: number, phrase: string, body?: string): void =>
    bridge.pbx.reply(invite, status, phrase, { toTag: 'p1', ...(body !== undefined && { body }) });
  const pickUp = async (invite: PeerMessage): Promise<void> => {
    reply(invite, 200, 'OK', rtp.sdp());
    await bridge.pbx.request('ACK');
    await bridge.step('call.state', (detail) => detail['to'] === 'connected');
  };
  const hangUp = async (invite: PeerMessage): Promise<void> => {
    bridge.pbx.send(bridge.pbx.fromCallee('BYE', invite, 'p1', 1), bridge.sip);
    await bridge.pbx.response(200, 'BYE');
    await bridge.record();
  };
  const answerSdp = (index: number): string => (bridge.graph.seen[index]?.body['session'] as { sdp: string }).sdp;
  const portOf = (sdp: string): number => Number(/^m=audio (\d+)/m.exec(sdp)?.[1]);
  /** Half a second of the PBX speaking, at its own pace. */
  const speak = (port: number, from: number): Promise<void> =>
    pace(25, 20, (i) => {
      const sequence = from + i;
      rtp.send(port, { payloadType: 8, sequence, timestamp: sequence * 160, payload: Buffer.alloc(160, sequence) });
    });
  const packetsHeard = async (): Promise<number> => {
    const streams = await phone.stats('inbound-rtp');
    return streams.reduce((sum, stream) => sum + Number(stream['packetsReceived'] ?? 0), 0);
  };

  it('immediate: before the PBX has said a word; accept has the same answer', async () => {
    const invite = await call('immediate');
    await bridge.step('graph.pre_accept');
    expect(bridge.pbx.count(({ method }) => method === 'ACK')).toBe(0);
    await pickUp(invite);
    expect(bridge.actions).toEqual(['pre_accept', 'accept']);
    expect(answerSdp(1)).toBe(answerSdp(0));
    await hangUp(invite);
    expect(bridge.actions).toEqual(['pre_accept', 'accept', 'terminate']);
  });

  it('never: the PBX rings and has early media, and Meta hears of it with accept only', async () => {
    const invite = await call('never');
    await nothingDueIsLeft(invite);
    reply(invite, 180, 'Ringing');
    await bridge.step('sip.ringing');
    reply(invite, 183, 'Session Progress', rtp.sdp());
    await bridge.step('sip.progress');
    await speak(portOf(invite.body), 0);
    expect(bridge.actions).toEqual([]);
    await pickUp(invite);
    expect(bridge.actions).toEqual(['accept']);
    await phone.accept(answerSdp(0));
    await phone.reaches('connected');
    await hangUp(invite);
    expect(bridge.actions).toEqual(['accept', 'terminate']);
  });

  it('never: a refusal is rejected, however long it rang', async () => {
    const invite = await call('never');
    reply(invite, 180, 'Ringing');
    await bridge.step('sip.ringing');
    reply(invite, 486, 'Busy Here');
    expect(await bridge.record()).toMatchObject({ code: 'busy' });
    expect(bridge.actions).toEqual(['reject']);
  });

  it('on_progress: nothing while the PBX is silent, and a refusal is rejected', async () => {
    const invite = await call('on_progress');
    await nothingDueIsLeft(invite);
    reply(invite, 486, 'Busy Here');
    expect(await bridge.record()).toMatchObject({ code: 'busy' });
    expect(bridge.actions).toEqual(['reject']);
  });

  it('on_progress: ringing pre-accepts, and a refusal after it is terminated', async () => {
    const invite = await call('on_progress');
    await nothingDueIsLeft(invite);
    expect(bridge.actions).toEqual([]);
    reply(invite, 180, 'Ringing');
    await bridge.step('graph.pre_accept');
    reply(invite, 603, 'Decline');
    expect(await bridge.record()).toMatchObject({ code: 'declined' });
    expect(bridge.actions).toEqual(['pre_accept', 'terminate']);
  });

  it('on_progress: early media pre-accepts, ICE and DTLS come up, and no RTP reaches Meta before accept', async () => {
    const invite = await call('on_progress');
    await nothingDueIsLeft(invite);
    expect(bridge.actions).toEqual([]);
    reply(invite, 183, 'Session Progress', rtp.sdp());
    await bridge.step('graph.pre_accept');
    await phone.accept(answerSdp(0));
    await phone.reaches('connected');
    await speak(portOf(invite.body), 0);
    expect(bridge.actions).toEqual(['pre_accept']);
    expect(await packetsHeard()).toBe(0);
    await pickUp(invite);
    await speak(portOf(invite.body), 25);
    await expect.poll(packetsHeard, { timeout: 5_000 }).toBeGreaterThan(0);
    expect(bridge.actions).toEqual(['pre_accept', 'accept']);
    await hangUp(invite);
  });

  it('posts terminate all the same when Meta’s media said goodbye before the PBX did', async () => {
    const invite = await call('immediate');
    await bridge.step('graph.pre_accept');
    await phone.accept(answerSdp(0));
    await phone.reaches('connected');
    await pickUp(invite);
    phone.close();
    bridge.pbx.reply(await bridge.pbx.request('BYE', 20_000), 200, 'OK');
    expect(await bridge.record()).toMatchObject({ endedBy: 'a' });
    expect(bridge.actions).toEqual(['pre_accept', 'accept', 'terminate']);
  });
});
