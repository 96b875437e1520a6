import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endReason } from '../../../../src/call/end-reason.js';
import { drachtioBinary } from '../../../support/drachtio-server.js';
import { eventually } from '../../../support/eventually.js';
import { SipScene } from '../../../support/sip-scene.js';
import { SipScriptPeer, type PeerMessage } from '../../../support/sip-script-peer.js';
import { sdp } from './transfer-scene.js';

let scene: SipScene;
let pbx: SipScriptPeer;
let other: SipScriptPeer;

describe.each(drachtioBinary === undefined ? [false] : [false, true])('on a drachtio-server: %s,', (onDrachtio) => {
  beforeEach(async () => {
    scene = await SipScene.start({ onDrachtio });
    [pbx, other] = [await SipScriptPeer.udp(), await SipScriptPeer.udp()];
  });
  afterEach(async () => {
    await scene.stop();
    await Promise.all([pbx.stop(), other.stop()]);
    expect(scene.media.open).toBe(0);
  });

  const dial = () => {
    const outbound = scene.outbound(scene.target(pbx));
    outbound.leg.dial();
    return outbound;
  };

  /** Takes the next INVITE and sends its caller elsewhere. */
  const redirect = async (peer: SipScriptPeer, contacts: string, status = 302): Promise<PeerMessage> => {
    const invite = await peer.request('INVITE');
    peer.reply(invite, status, 'Moved', { toTag: 'r', noContact: true, headers: [`Contact: ${contacts}`] });
    await peer.request('ACK');
    return invite;
  };

  const refuse = async (peer: SipScriptPeer, status: number): Promise<PeerMessage> => {
    const invite = await peer.request('INVITE');
    peer.reply(invite, status, 'No', { toTag: 'n' });
    await peer.request('ACK');
    return invite;
  };

  describe('an INVITE of ours that is redirected', () => {
    it('goes to another user of the same server, as the same call', async () => {
      const { leg, log } = dial();
      const first = await redirect(pbx, `<sip:611@${pbx.place}>`);
      const second = await pbx.request('INVITE');
      expect(second.uri).toBe(`sip:611@${pbx.place}`);
      expect(['Call-ID', 'From', 'To'].map((name) => second.get(name))).toEqual(
        ['Call-ID', 'From', 'To'].map((name) => first.get(name)),
      );
      expect(second.cseq).toBe(first.cseq + 1);
      pbx.reply(second, 200, 'OK', { toTag: 'x', body: sdp(30_000) });
      await pbx.request('ACK');
      await log.saw('answered');
      leg.hangup(endReason('hangup'));
      pbx.reply(await pbx.request('BYE'), 200, 'OK', { noContact: true });
      await log.saw('terminated');
      expect(scene.steps).toContain('sip.redirect');
    });

    it('names us, and means an extension of the PBX', async () => {
      const { log } = dial();
      await redirect(pbx, `<sip:611@${scene.address.host}:${scene.address.port}>`);
      expect((await refuse(pbx, 486)).uri).toBe(`sip:611@${pbx.place}`);
      await log.saw('terminated');
    });

    it('tries the Contacts in the order of q, those of a further 302 first, and reports the last failure', async () => {
      const { log } = dial();
      await redirect(
        pbx,
        `<sip:c@${pbx.place}>;q=0.1, "B, b" <sip:b@${pbx.place};x=1>;q=0.5, <sip:a@${other.place}>;q=0.9`,
        300,
      );
      const seen = [(await redirect(other, `<sip:d@${other.place}>`, 301)).uri];
      seen.push((await refuse(other, 486)).uri, (await refuse(pbx, 404)).uri, (await refuse(pbx, 486)).uri);
      expect(seen.map((uri) => /sip:(\w)@/.exec(uri)?.[1])).toEqual(['a', 'd', 'b', 'c']);
      expect((await log.saw('failed')).reason).toMatchObject({ code: 'busy', sipStatus: 486 });
      await log.saw('terminated');
      expect(log.types).toEqual(['failed', 'terminated']);
    });

    it('is told the truth when a 6xx comes: nobody else is tried', async () => {
      const { log } = dial();
      await redirect(pbx, `<sip:a@${pbx.place}>, <sip:b@${pbx.place}>`);
      await refuse(pbx, 603);
      expect((await log.saw('failed')).reason.code).toBe('declined');
      expect(pbx.requestsOf('INVITE')).toBe(2);
    });

    it.each([
      ['a place that is not of the trunk', '<sip:611@198.51.100.1>'],
      ['where it came from', 'same'],
      ['sips', '<sips:611@127.0.0.1>'],
      ['another scheme', '<mailto:a@b>'],
      ['nobody', '<sip:127.0.0.1>'],
    ])('does not go to %s', async (_what, contacts) => {
      const { log, leg } = dial();
      await redirect(pbx, contacts === 'same' ? `<sip:+15551112222@${pbx.place}>` : contacts);
      expect((await log.saw('failed')).reason.code).toBe('unavailable');
      await log.saw('terminated');
      expect([pbx, other].map((peer) => peer.requestsOf('INVITE'))).toEqual([1, 0]);
      expect(leg.facts['sipCallId']).toBeDefined();
    });

    it('follows five at most', async () => {
      const { log } = dial();
      for (let i = 0; i <= 5; i++) await redirect(pbx, `<sip:${i}@${pbx.place}>`);
      expect((await log.saw('failed')).reason.code).toBe('unavailable');
      expect(pbx.requestsOf('INVITE')).toBe(6);
    });

    it('is cancelled where it has got to', async () => {
      const { leg, log } = dial();
      await redirect(pbx, `<sip:611@${other.place}>`);
      const invite = await other.request('INVITE');
      other.reply(invite, 180, 'Ringing', { toTag: 'x' });
      await log.saw('progress');
      leg.hangup(endReason('cancelled'));
      const cancel = await other.request('CANCEL');
      expect(cancel.branch).toBe(invite.branch);
      other.reply(cancel, 200, 'OK', { noContact: true });
      other.reply(invite, 487, 'Request Terminated', { toTag: 'x' });
      await log.saw('terminated');
      await eventually(() => scene.agent.legs === 0, 'over');
      expect(pbx.count(({ method }) => method === 'CANCEL')).toBe(0);
    });

    it('may have its media at whatever server of the trunk it is sent to', async () => {
      const server = { ...scene.target(other).server, hostname: '127.0.0.2' };
      const cluster = await SipScene.start({ trunk: { servers: [server], acceptFrom: [] } });
      const { leg, log } = cluster.outbound(cluster.target(pbx));
      leg.dial();
      await refuse(pbx, 486);
      await log.saw('terminated');
      await cluster.stop();
      expect(cluster.media.endpoints[0]?.options.remoteNetworks).toEqual(['127.0.0.1/32', '127.0.0.2/32']);
    });
  });
});
