import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OpenCalls } from '../../../../src/journal/open-calls.js';
import { endReason } from '../../../../src/call/end-reason.js';
import { eventually } from '../../../support/eventually.js';
import { LegLog } from '../../../support/leg-log.js';
import { SipScene } from '../../../support/sip-scene.js';
import { PeerMessage, SipScriptPeer } from '../../../support/sip-script-peer.js';
import { sdp, TransferScene } from './transfer-scene.js';

describe('a call from the PBX that it puts through', () => {
  let scene: SipScene;
  let pbx: SipScriptPeer;
  let other: SipScriptPeer;

  beforeEach(async () => {
    scene = await SipScene.start();
    [pbx, other] = [await SipScriptPeer.udp(), await SipScriptPeer.udp()];
  });
  afterEach(async () => {
    await scene.stop();
    await Promise.all([pbx.stop(), other.stop()]);
    expect(scene.media.open).toBe(0);
  });

  it('says who is put through; a REFER that outran the ACK waits for it', async () => {
    const text = pbx.newRequest('INVITE', scene.uri(), { body: sdp(30_000) });
    pbx.send(text, scene.address);
    const invite = new PeerMessage(text, scene.address, undefined, 0);
    const { leg } = await scene.call();
    const log = new LegLog(leg);
    leg.answer({ waUser: '+4915112345678', numberId: '105', waCallId: 'wacid.X' });
    const ok = await pbx.response(200, 'INVITE');
    const headers = [`Contact: ${pbx.contact}`, `Refer-To: <sip:610@${other.place}>`];
    pbx.send(pbx.inDialog('REFER', invite, ok, { cseq: 2, headers }), scene.address);
    // RFC 3261 §17.2.2: it is answered once it can be, and one more of them not at all before.
    pbx.send(pbx.inDialog('REFER', invite, ok, { cseq: 3, headers }), scene.address);
    await pbx.response(491, 'REFER');
    expect(other.received).toEqual([]);
    pbx.send(pbx.inDialog('ACK', invite, ok, { cseq: 1 }), scene.address);
    await pbx.response(202, 'REFER');
    const called = await other.request('INVITE');
    expect(['X-WA-User', 'X-WA-Number-Id', 'X-WA-Call-Id', 'X-WA-Direction'].map((name) => called.get(name))).toEqual([
      ...['+4915112345678', '105', 'wacid.X', 'business_initiated'],
    ]);
    expect(called.get('From')).toContain('+4915112345678');
    other.reply(called, 200, 'OK', { toTag: 'o', body: sdp(31_000) });
    await other.request('ACK');
    await log.saw('mediaMoved');
    expect(log.types).toEqual(['confirmed', 'mediaMoved']);
    leg.hangup(endReason('hangup'));
    for (const peer of [pbx, other]) peer.reply(await peer.request('BYE'), 200, 'OK', { noContact: true });
    await log.saw('terminated');
    expect(scene.agent.legs).toBe(0);
  });
});

describe('a transfer that is cut off', () => {
  const orphansOf = (at: TransferScene): string[] => {
    const open = new OpenCalls();
    for (const entry of at.scene.journal.entries()) open.apply(entry);
    return open.calls().flatMap(({ dialogs }) => dialogs.map(({ sipCallId }) => sipCallId));
  };

  it('both dialogs are in the journal, so that a restart ends them', async () => {
    const at = await TransferScene.start({ serverEndsOrphans: false });
    at.refer();
    const invite = await at.called();
    await eventually(() => orphansOf(at).length === 2, 'both on record');
    expect(orphansOf(at)).toEqual([at.invite.get('Call-ID'), invite.get('Call-ID')]);
    await at.stop();
    await eventually(() => orphansOf(at).length === 0, 'journal closed');
  });

  it('ends the leg when the link to the SIP server is lost', async () => {
    const at = await TransferScene.start();
    at.refer();
    await at.called();
    await at.scene.server.stop();
    expect((await at.log.saw('ended')).reason.code).toBe('trunk_down');
    await at.log.saw('terminated');
    expect(at.scene.agent.legs).toBe(0);
    await at.scene.agent.close();
    await Promise.all([at.pbx.stop(), at.other.stop()]);
  });
});
