import { afterEach, describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import { eventually } from '../../support/eventually.js';
import { pbxSdp } from '../../support/scripted-bridge.js';
import { SipScriptPeer, type PeerMessage } from '../../support/sip-script-peer.js';
import { sceneAuth, SipScene, stopClean, type SceneOptions } from '../../support/sip-scene.js';

let scene: SipScene;
let pbx: SipScriptPeer;

const setUp = async (options: SceneOptions = {}): Promise<void> => {
  scene = await SipScene.start(options);
  pbx = await SipScriptPeer.udp();
};

const dialled = () => {
  const outbound = scene.outbound(scene.ownTarget(pbx));
  outbound.leg.dial();
  return outbound;
};

describe('an INVITE that is given up', () => {
  afterEach(() => stopClean(scene, pbx));

  const challenge = ['Proxy-Authenticate: Digest realm="pbx.example",nonce="abc",algorithm=MD5,qop="auth"'];
  const isRetry = (message: PeerMessage): boolean => message.method === 'INVITE' && message.has('Proxy-Authorization');

  it('before it is challenged is not repeated with credentials', async () => {
    await setUp({ trunk: { auth: sceneAuth } });
    const { leg, log } = dialled();
    const invite = await pbx.request('INVITE');
    leg.hangup(endReason('cancelled'));
    pbx.reply(invite, 407, 'Proxy Authentication Required', { toTag: 'x', headers: challenge });
    await pbx.request('ACK');
    await log.saw('terminated');
    expect(log.types).toEqual(['terminated']);
    expect(pbx.count(isRetry)).toBe(0);
  });

  it('after it was repeated with credentials is cancelled as what it is now', async () => {
    await setUp({ trunk: { auth: sceneAuth } });
    const { leg, log } = dialled();
    pbx.reply(await pbx.request('INVITE'), 407, 'Auth', { toTag: 'x', headers: challenge });
    const retry = await pbx.next(isRetry, 'INVITE with credentials');
    leg.hangup(endReason('cancelled'));
    pbx.reply(retry, 180, 'Ringing', { toTag: 'y' });
    const cancel = await pbx.request('CANCEL');
    expect([cancel.branch, cancel.cseq]).toEqual([retry.branch, retry.cseq]);
    pbx.reply(cancel, 200, 'OK', { noContact: true });
    pbx.reply(retry, 487, 'Request Terminated', { toTag: 'y', noContact: true });
    await log.saw('terminated');
  });

  it('is over at the silence limit when the PBX says nothing at all, and a late 200 is hung up', async () => {
    await setUp({ timeouts: { probeMs: 100, silenceMs: 300 } });
    const { leg, log } = dialled();
    const invite = await pbx.request('INVITE');
    leg.hangup(endReason('cancelled'));
    await pbx.request('OPTIONS');
    await log.saw('terminated');
    expect(log.types).toEqual(['terminated']);
    pbx.reply(invite, 200, 'OK', { toTag: 'late', body: pbxSdp(30_000) });
    await pbx.request('ACK');
    pbx.reply(await pbx.request('BYE'), 200, 'OK', { noContact: true });
    await eventually(() => scene.journal.entries().at(-1)?.event === 'dialog_ended', 'the late dialog ended');
  });

  it('is not sent at all when the journal takes too long', async () => {
    await setUp({ timeouts: { journalMs: 50 } });
    scene.journal.append = () => new Promise(() => undefined);
    const { log } = dialled();
    expect(await log.saw('failed')).toMatchObject({ reason: { code: 'internal', text: 'journal not written' } });
    await log.saw('terminated');
    expect(pbx.received).toEqual([]);
  });
});
