import { describe, expect, it } from 'vitest';
import { eventually } from '../../../support/eventually.js';
import { PeerMessage } from '../../../support/sip-script-peer.js';
import { sdp, TransferScene } from './transfer-scene.js';

describe('transfers on a drachtio-server', () => {
  it('a blind one, the referrer hanging up', async () => {
    const at = await TransferScene.start({ onDrachtio: true });
    const { pbx, other, log, scene } = at;
    at.refer();
    // Mandatory in both (RFC 3515 §2.2, RFC 6665 §4.1.3); the server adds none of its own.
    expect((await pbx.response(202, 'REFER')).contactUri).toBe(at.invite.contactUri);
    expect(await at.notice()).toBe('refer: SIP/2.0 100 Trying (active)');
    expect(pbx.received.find(({ method }) => method === 'NOTIFY')?.contactUri).toBe(at.invite.contactUri);
    const invite = await at.called();
    expect(invite.get('Referred-By')).toBe('<sip:agent@pbx.example>');
    other.reply(invite, 180, 'Ringing', { toTag: 'other1' });
    expect(await at.notice()).toBe('refer: SIP/2.0 180 Ringing (active)');
    await at.answered(invite);
    expect(await at.notice()).toBe('refer: SIP/2.0 200 OK (terminated)');
    await log.saw('mediaMoved');
    at.fromPbx('BYE');
    await pbx.response(200, 'BYE');
    await eventually(() => scene.agent.legs === 1, 'old leg over');
    await at.stop();
    expect(log.types).toEqual(['answered', 'mediaMoved', 'terminated']);
  });

  it('an attended one that fails, then one that we end', async () => {
    const at = await TransferScene.start({ onDrachtio: true });
    const { pbx, other, log } = at;
    at.refer(at.to('620', 'Replaces=abc%40pbx%3Bto-tag%3Dt1%3Bfrom-tag%3Df1'));
    await at.notice();
    const refused = await at.called();
    expect(refused.get('Replaces')).toBe('abc@pbx;to-tag=t1;from-tag=f1');
    other.reply(refused, 603, 'Decline', { toTag: 'other1' });
    await other.request('ACK');
    expect(await at.notice()).toBe('refer: SIP/2.0 603 Decline (terminated)');
    at.refer();
    await at.notice();
    await at.answered(await at.called());
    await at.notice();
    const bye = await pbx.request('BYE', 4000);
    pbx.reply(bye, 200, 'OK', { noContact: true });
    await at.stop();
    expect(log.types).toEqual(['answered', 'mediaMoved', 'terminated']);
  });

  it('an INVITE with Replaces', async () => {
    const at = await TransferScene.start({ onDrachtio: true });
    const { pbx, other, log, scene, invite } = at;
    const replaces = `${invite.get('Call-ID')};to-tag=${invite.tag('From')};from-tag=pbx1`;
    const text = other.newRequest('INVITE', `sip:${scene.address.host}:${scene.address.port}`, {
      headers: [`Replaces: ${replaces}`, 'Require: replaces'],
      body: sdp(32_000),
    });
    other.send(text, scene.address);
    const ok = await other.response(200, 'INVITE');
    const request = new PeerMessage(text, scene.address, undefined, 0);
    other.send(other.inDialog('ACK', request, ok, { cseq: 1 }), scene.address);
    await log.saw('mediaMoved');
    pbx.reply(await pbx.request('BYE'), 200, 'OK', { noContact: true });
    await at.stop();
    expect(log.types).toEqual(['answered', 'mediaMoved', 'terminated']);
  });
});
