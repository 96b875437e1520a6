import { afterEach, describe, expect, it } from 'vitest';
import { LegLog } from '../../support/leg-log.js';
import { PEER_SDP, PeerMessage, SipScriptPeer } from '../../support/sip-script-peer.js';
import { SipScene, type SceneOptions } from '../../support/sip-scene.js';

let scene: SipScene;
let pbx: SipScriptPeer;

async function arriving(headers: string[], options: SceneOptions = {}) {
  scene = await SipScene.start(options);
  pbx = await SipScriptPeer.udp();
  const text = pbx.newRequest('INVITE', scene.uri(), { body: PEER_SDP, headers });
  pbx.send(text, scene.address);
  const { leg } = await scene.call();
  return { invite: new PeerMessage(text, pbx, undefined, 0), leg, log: new LegLog(leg) };
}

afterEach(async () => {
  await scene.stop();
  await pbx.stop();
});

describe('a leg whose PBX uses', () => {
  it('session timers ends with the timer when the PBX is gone', async () => {
    const headers = ['Require: timer', 'Session-Expires: 1;refresher=uac'];
    const { invite, leg, log } = await arriving(headers, { session: { expiresS: 600, minS: 1 } });
    leg.answer();
    const ok = await pbx.response(200, 'INVITE');
    expect(ok.get('Session-Expires')).toBe('1;refresher=uac');
    pbx.send(pbx.inDialog('ACK', invite, ok, { cseq: 1 }), scene.address);
    const bye = await pbx.request('BYE');
    expect(bye.get('Reason')).toBe('SIP ;cause=408 ;text="Session timer expired"');
    pbx.reply(bye, 200, 'OK');
    const { reason } = await log.saw('ended');
    expect(reason).toMatchObject({ code: 'unavailable', text: 'Session timer expired' });
  });

  it('100rel rings reliably and is answered after the PRACK', async () => {
    const { invite, leg, log } = await arriving(['Require: 100rel']);
    leg.ring();
    const ringing = await pbx.response(180, 'INVITE');
    expect(ringing.all('Require')).toEqual(['100rel']);
    leg.answer();
    const rack = [`RAck: ${ringing.get('RSeq')} 1 INVITE`];
    pbx.send(pbx.inDialog('PRACK', invite, ringing, { cseq: 2, headers: rack }), scene.address);
    await pbx.response(200, 'PRACK');
    const ok = await pbx.response(200, 'INVITE');
    pbx.send(pbx.inDialog('ACK', invite, ok, { cseq: 1 }), scene.address);
    await log.saw('confirmed');
    pbx.send(pbx.inDialog('BYE', invite, ok, { cseq: 3 }), scene.address);
    await pbx.response(200, 'BYE');
    expect((await log.saw('ended')).reason.code).toBe('hangup');
  });
});
