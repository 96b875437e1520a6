import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import { drachtioBinary } from '../../support/drachtio-server.js';
import { LegLog } from '../../support/leg-log.js';
import { PeerMessage, SipScriptPeer } from '../../support/sip-script-peer.js';
import { SipScene, stopClean } from '../../support/sip-scene.js';
import { pbxAudio } from '../../support/standing-call.js';

let scene: SipScene;
let pbx: SipScriptPeer;

describe.each(drachtioBinary === undefined ? [false] : [false, true])('on a drachtio-server: %s,', (onDrachtio) => {
  beforeEach(async () => {
    scene = await SipScene.start({ onDrachtio });
    pbx = await SipScriptPeer.udp();
  });
  afterEach(() => stopClean(scene, pbx));

  /** Sends a request of the dialled PBX's in the dialog of this tag. */
  const ask = (invite: PeerMessage, method: string, tag: string, cseq: number, body = ''): void =>
    pbx.send(pbx.fromCallee(method, invite, tag, cseq, [`Contact: ${pbx.contact}`], body), scene.address);

  describe('before the PBX has answered', () => {
    const dialled = async () => {
      const outbound = scene.outbound(scene.target(pbx));
      outbound.leg.dial();
      return { ...outbound, invite: await pbx.request('INVITE') };
    };

    /** A 183 with SDP that asks for PRACK, and gets it. */
    const reliably = async (invite: PeerMessage, toTag: string, rseq: number, body = ''): Promise<void> => {
      pbx.reply(invite, 183, 'Session Progress', { toTag, body, headers: ['Require: 100rel', `RSeq: ${rseq}`] });
      const prack = await pbx.request('PRACK');
      expect(prack.get('RAck')).toBe(`${rseq} ${invite.cseq} INVITE`);
      pbx.reply(prack, 200, 'OK');
    };

    const hangUp = async ({ leg, log }: Awaited<ReturnType<typeof dialled>>): Promise<void> => {
      leg.hangup(endReason('hangup'));
      pbx.reply(await pbx.request('BYE'), 200, 'OK', { noContact: true });
      await log.saw('terminated');
    };

    it('reliable responses are offered, acknowledged in turn, and their answer holds for a 200 without SDP', async () => {
      const call = await dialled();
      const { invite, log } = call;
      expect(invite.get('Supported')).toMatch(/\b100rel\b/);
      await reliably(invite, 'a', 7, pbxAudio());
      await log.saw('earlyMedia');
      await reliably(invite, 'a', 8);
      pbx.reply(invite, 200, 'OK', { toTag: 'a' });
      await pbx.request('ACK');
      await log.saw('answered');
      expect(scene.media.endpoints[0]?.log).toEqual(['offer', 'accept']);
      await hangUp(call);
    });

    it('an UPDATE that offers is told to wait, one that only refreshes is not', async () => {
      const call = await dialled();
      const { invite, log } = call;
      pbx.reply(invite, 183, 'Session Progress', { toTag: 'a', body: pbxAudio() });
      await log.saw('earlyMedia');
      ask(invite, 'UPDATE', 'a', 1, pbxAudio({ port: 30_002 }));
      await pbx.response(491, 'UPDATE');
      ask(invite, 'UPDATE', 'a', 2);
      expect((await pbx.response(200, 'UPDATE')).body).toBe('');
      pbx.reply(invite, 200, 'OK', { toTag: 'a', body: pbxAudio() });
      await pbx.request('ACK');
      await log.saw('answered');
      await hangUp(call);
    });

    it('an UPDATE after a reliable answer changes what is agreed on', async () => {
      const call = await dialled();
      const { invite, log } = call;
      await reliably(invite, 'a', 1, pbxAudio());
      ask(invite, 'UPDATE', 'a', 1, pbxAudio({ port: 30_002 }));
      expect((await pbx.response(200, 'UPDATE')).body).toContain('m=audio 40000 RTP/AVP 8');
      ask(invite, 'UPDATE', 'a', 2, pbxAudio({ formats: '18' }));
      await pbx.response(488, 'UPDATE');
      ask(invite, 'UPDATE', 'a', 3, pbxAudio({ port: 30_004 }));
      await pbx.response(200, 'UPDATE');
      // RFC 3261 §13.2.1: a description in the 200 counts for nothing now.
      pbx.reply(invite, 200, 'OK', { toTag: 'a', body: pbxAudio() });
      await pbx.request('ACK');
      await log.saw('answered');
      expect(scene.media.endpoints[0]?.log).toEqual(['offer', 'accept', 'answer', 'answer failed', 'answer']);
      await hangUp(call);
    });

    // A drachtio-server ends the second branch itself, its own way.
    it.skipIf(onDrachtio)(
      'ringing may change its mind as often as it likes, and branches answer for themselves',
      async () => {
        const call = await dialled();
        const { invite, log } = call;
        pbx.reply(invite, 180, 'Ringing', { toTag: 'a' });
        pbx.reply(invite, 183, 'Session Progress', { toTag: 'a', body: pbxAudio() });
        pbx.reply(invite, 183, 'Session Progress', { toTag: 'b', body: pbxAudio({ formats: '18' }) });
        pbx.reply(invite, 180, 'Ringing', { toTag: 'c', body: pbxAudio({ formats: '18' }) });
        pbx.reply(invite, 181, 'Call Is Being Forwarded', { toTag: 'c' });
        // Branch a picks up, and has told its answer before.
        pbx.reply(invite, 200, 'OK', { toTag: 'a' });
        expect((await pbx.request('ACK')).tag('To')).toBe('a');
        await log.saw('answered');
        expect(scene.media.endpoints[0]?.log).toEqual(['offer', 'accept']);
        // Branch b picks up as well: taken and ended.
        pbx.reply(invite, 200, 'OK', { toTag: 'b', body: pbxAudio() });
        expect((await pbx.request('ACK')).tag('To')).toBe('b');
        const bye = await pbx.request('BYE');
        expect(bye.tag('To')).toBe('b');
        pbx.reply(bye, 200, 'OK', { noContact: true });
        await hangUp(call);
      },
    );

    it('a 200 without SDP of a branch that has told none is of no use', async () => {
      const { invite, log } = await dialled();
      pbx.reply(invite, 183, 'Session Progress', { toTag: 'a', body: pbxAudio() });
      pbx.reply(invite, 200, 'OK', { toTag: 'b' });
      await pbx.request('ACK');
      const bye = await pbx.request('BYE');
      expect(bye.get('Reason')).toContain('SIP;cause=488');
      pbx.reply(bye, 200, 'OK', { noContact: true });
      expect((await log.saw('failed')).reason.code).toBe('no_codec');
      await log.saw('terminated');
    });
  });

  describe('before we have answered the PBX', () => {
    it('an UPDATE that offers is told to wait, one that only refreshes is not', async () => {
      const text = pbx.newRequest('INVITE', scene.uri(), { body: pbxAudio() });
      pbx.send(text, scene.address);
      const { leg } = await scene.call();
      const log = new LegLog(leg);
      leg.ring();
      const ringing = await pbx.response(180, 'INVITE');
      const invite = new PeerMessage(text, pbx, undefined, 0);
      const update = (cseq: number, body = '', headers: string[] = []): void => {
        // A drachtio-server's 180 has no Contact.
        const target = new PeerMessage(
          ringing.raw.replace(/(?:Contact: .*\r\n)?Content-Length/i, `Contact: <${scene.uri()}>\r\nContent-Length`),
          pbx,
          undefined,
          0,
        );
        pbx.send(pbx.inDialog('UPDATE', invite, target, { cseq, body, headers }), scene.address);
      };
      update(2, pbxAudio({ port: 30_002 }));
      const refused = await pbx.response(500, 'UPDATE');
      expect(Number(refused.get('Retry-After'))).toBeLessThanOrEqual(10);
      update(3);
      const refreshed = await pbx.response(200, 'UPDATE');
      // A drachtio-server leaves Contact out here.
      if (!onDrachtio) expect(refreshed.all('Contact')).toHaveLength(1);
      update(4, '', ['Require: foo']);
      expect((await pbx.response(420, 'UPDATE')).get('Unsupported')).toBe('foo');
      leg.answer();
      const ok = await pbx.response(200, 'INVITE');
      pbx.send(pbx.inDialog('ACK', invite, ok, { cseq: 1 }), scene.address);
      await log.saw('confirmed');
      pbx.send(pbx.inDialog('BYE', invite, ok, { cseq: 5 }), scene.address);
      await pbx.response(200, 'BYE');
      await log.saw('terminated');
    });
  });
});
