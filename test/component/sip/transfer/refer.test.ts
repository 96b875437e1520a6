import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endReason } from '../../../../src/call/end-reason.js';
import { eventually } from '../../../support/eventually.js';
import { endsOnce, type SceneOptions } from '../../../support/sip-scene.js';
import { TransferScene } from './transfer-scene.js';

let at: TransferScene;
const setUp = async (options: SceneOptions = {}): Promise<void> => {
  at = await TransferScene.start(options);
};

afterEach(async () => {
  await at.stop();
  expect(endsOnce(at.log.events)).toBe(true);
  expect(at.scene.agent.legs).toBe(0);
  expect(at.scene.media.open).toBe(0);
  expect(at.scene.logger.lines.filter(({ level }) => level === 'error')).toEqual([]);
});

describe('a PBX that refers a call of ours', () => {
  beforeEach(() => setUp());

  it('is told of every step; whom it names gets the call, and the old dialog is left to the PBX to hang up', async () => {
    const { pbx, other, log, leg, scene } = at;
    at.refer();
    expect((await pbx.response(202, 'REFER')).all('Contact')).toHaveLength(1);
    expect(await at.notice()).toBe('refer: SIP/2.0 100 Trying (active)');
    expect(pbx.received.find(({ method }) => method === 'NOTIFY')?.all('Contact')).toHaveLength(1);
    const invite = await at.called();
    expect(invite.uri).toBe(`sip:610@${other.place}`);
    expect(invite.get('Referred-By')).toBe('<sip:agent@pbx.example>');
    expect(invite.get('X-WA-User')).toBe('+4915112345678');
    expect(invite.get('Call-ID')).not.toBe(at.invite.get('Call-ID'));
    other.reply(invite, 180, 'Ringing', { toTag: 'other1' });
    expect(await at.notice()).toBe('refer: SIP/2.0 180 Ringing (active)');
    expect(log.types).toEqual(['answered']);
    const before = leg.mediaId;
    await at.answered(invite);
    expect(await at.notice()).toBe('refer: SIP/2.0 200 OK (terminated)');
    await log.saw('mediaMoved');
    expect(leg.mediaId).not.toBe(before);
    expect(leg.facts).toMatchObject({ sipCallId: invite.get('Call-ID'), server: other.place });
    at.fromPbx('BYE');
    await pbx.response(200, 'BYE');
    await eventually(() => scene.agent.legs === 1, 'old leg over');
    expect(log.types).toEqual(['answered', 'mediaMoved']);
    expect(scene.media.endpoints.map(({ closed }) => closed)).toEqual([true, false]);
    expect(pbx.count(({ method }) => method === 'BYE')).toBe(0);
    other.send(other.fromCallee('BYE', invite, 'other1', 1), scene.address);
    expect((await log.saw('ended')).reason.code).toBe('hangup');
  });

  it('had SRTP, and whom it names has none: records do not say that the call was secured', async () => {
    const { scene, log, leg } = at;
    const suite = 'AES_CM_128_HMAC_SHA1_80';
    scene.media.endpoints[0]!.say({ type: 'secured', suite });
    at.refer();
    const invite = await at.called();
    expect(leg.facts['srtp']).toBe(suite);
    await at.answered(invite);
    await log.saw('mediaMoved');
    expect(leg.facts['srtp']).toBeUndefined();
    scene.media.endpoints[1]!.say({ type: 'secured', suite });
    expect(leg.facts['srtp']).toBe(suite);
  });

  it('is hung up if it does not hang up itself', async () => {
    const { pbx, log } = at;
    at.refer();
    await at.answered(await at.called());
    await at.notice();
    await log.saw('mediaMoved');
    const bye = await pbx.request('BYE', 4000);
    pbx.reply(bye, 200, 'OK', { noContact: true });
    expect(bye.get('Call-ID')).toBe(at.invite.get('Call-ID'));
    expect(bye.get('Reason')).toContain('transferred');
  });

  it('keeps the call when whom it names is busy, and may refer it again', async () => {
    const { pbx, other, log, leg, scene } = at;
    const before = leg.mediaId;
    at.refer();
    await at.notice();
    const first = await at.called();
    other.reply(first, 486, 'Busy Here', { toTag: 'other1' });
    await other.request('ACK');
    expect(await at.notice()).toBe('refer: SIP/2.0 486 Busy Here (terminated)');
    await eventually(() => scene.agent.legs === 1, 'successor over');
    expect([leg.mediaId, log.types]).toEqual([before, ['answered']]);
    const cseq = at.refer();
    expect(await at.notice()).toBe(`refer;id=${cseq}: SIP/2.0 100 Trying (active)`);
    await at.answered(await at.called());
    expect(await at.notice()).toBe(`refer;id=${cseq}: SIP/2.0 200 OK (terminated)`);
    await log.saw('mediaMoved');
    expect(pbx.count(({ status }) => status === 202)).toBe(2);
  });

  it('may hang up before the other answers: the call waits without media', async () => {
    const { pbx, log, leg } = at;
    at.refer();
    await at.notice();
    const invite = await at.called();
    at.fromPbx('BYE');
    await pbx.response(200, 'BYE');
    await log.saw('mediaMoved');
    expect(leg.mediaId).toBeUndefined();
    await at.answered(invite);
    await eventually(() => log.types.length === 3, 'moved again');
    expect(log.types).toEqual(['answered', 'mediaMoved', 'mediaMoved']);
    expect(leg.mediaId).toBeDefined();
    expect(pbx.count(({ method }) => method === 'NOTIFY')).toBe(1);
  });

  it('ends the call when it has hung up and the other refuses', async () => {
    const { pbx, other, log } = at;
    at.refer();
    await at.notice();
    const invite = await at.called();
    at.fromPbx('BYE');
    await pbx.response(200, 'BYE');
    other.reply(invite, 486, 'Busy Here', { toTag: 'other1' });
    await other.request('ACK');
    expect((await log.saw('ended')).reason).toMatchObject({ code: 'busy', sipStatus: 486 });
    await log.saw('terminated');
  });

  it('loses both dialogs when WhatsApp hangs up during the transfer', async () => {
    const { pbx, other, log, leg } = at;
    at.refer();
    await at.notice();
    const invite = await at.called();
    other.reply(invite, 180, 'Ringing', { toTag: 'other1' });
    await at.notice();
    leg.hangup(endReason('hangup'));
    const [bye, cancel] = [await pbx.request('BYE'), await other.request('CANCEL')];
    pbx.reply(bye, 200, 'OK', { noContact: true });
    other.reply(cancel, 200, 'OK', { noContact: true });
    other.reply(invite, 487, 'Request Terminated', { toTag: 'other1' });
    await log.saw('terminated');
    expect(log.types).toEqual(['answered', 'terminated']);
  });

  it('is refused a second transfer while one runs', async () => {
    const { pbx } = at;
    at.refer();
    await at.called();
    at.refer(at.to('611'));
    await pbx.response(491, 'REFER');
  });

  it('may ask for 32 transfers in one call, refused ones included', async () => {
    at.refer();
    await at.pbx.response(202, 'REFER');
    for (let i = 1; i < 32; i++) {
      at.refer();
      await at.pbx.response(491, 'REFER');
    }
    at.refer();
    await at.pbx.response(603, 'REFER');
  });

  it('wants no NOTIFY and gets none', async () => {
    const { pbx, log } = at;
    at.refer(at.to('610'), ['Refer-Sub: false', 'Require: norefersub']);
    const accepted = await pbx.response(202, 'REFER');
    expect(accepted.get('Refer-Sub')).toBe('false');
    await at.answered(await at.called());
    await log.saw('mediaMoved');
    expect(pbx.count(({ method }) => method === 'NOTIFY')).toBe(0);
  });

  it('hears no more after it has refused a NOTIFY; the transfer goes on', async () => {
    const { pbx, log } = at;
    at.refer();
    await at.notice(481);
    await at.answered(await at.called());
    await log.saw('mediaMoved');
    expect(pbx.count(({ method }) => method === 'NOTIFY')).toBe(1);
  });

  it('names a dialog to be replaced: an attended transfer', async () => {
    const { log } = at;
    at.refer(at.to('620', 'Replaces=abc%40pbx%3Bto-tag%3Dt1%3Bfrom-tag%3Df1&Require=replaces&X-Evil=1'));
    const invite = await at.called();
    expect(invite.get('Replaces')).toBe('abc@pbx;to-tag=t1;from-tag=f1');
    expect(invite.get('Require')).toContain('replaces');
    expect(invite.has('X-Evil')).toBe(false);
    await at.answered(invite);
    await log.saw('mediaMoved');
  });

  it.each([
    ['a place that is not of its trunk', '<sip:610@198.51.100.7>', 403],
    ['a foreign name', '<sip:610@evil.example>', 403],
    ['another scheme', '<https://example.com/>', 416],
    ['sips', '<sips:610@127.0.0.1>', 416],
    ['no user', '<sip:127.0.0.1>', 400],
    ['two addresses', '<sip:1@127.0.0.1>, <sip:2@127.0.0.1>', 400],
    ['another method', '<sip:610@127.0.0.1;method=BYE>', 603],
    ['a broken Replaces', '<sip:610@127.0.0.1?Replaces=abc>', 400],
    [
      'Replaces twice',
      '<sip:6@127.0.0.1?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2&Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2>',
      400,
    ],
  ])('may not name %s', async (_what, to, status) => {
    at.refer(to);
    await at.pbx.response(status, 'REFER');
    expect(at.scene.agent.legs).toBe(1);
    expect(at.log.types).toEqual(['answered']);
  });

  it('cannot join two calls of ours', async () => {
    const { scene, pbx } = at;
    const second = scene.outbound(scene.target(at.other));
    second.leg.dial();
    const consult = await at.called();
    await at.answered(consult);
    const callId = consult.get('Call-ID');
    at.refer(`<sip:x@${scene.address.host}:${scene.address.port}?Replaces=${callId}%3Bto-tag%3Da%3Bfrom-tag%3Db>`);
    await pbx.response(603, 'REFER');
    second.leg.hangup(endReason('hangup'));
    at.other.reply(await at.other.request('BYE'), 200, 'OK', { noContact: true });
    await second.log.saw('terminated');
  });

  it('cannot refer from a dialog that the call has left', async () => {
    const { pbx, log } = at;
    at.refer();
    await at.notice();
    await at.answered(await at.called());
    await at.notice();
    await log.saw('mediaMoved');
    at.refer(at.to('611'));
    await pbx.response(603, 'REFER');
    expect(at.other.requestsOf('INVITE')).toBe(1);
  });

  it('is told that an extension is unknown', async () => {
    at.refer(at.to('610'), ['Require: tdialog']);
    expect((await at.pbx.response(420, 'REFER')).get('Unsupported')).toBe('tdialog');
  });

  it('names us, and means an extension of its own', async () => {
    const { scene, pbx } = at;
    at.refer(`<sip:610@${scene.address.host}:${scene.address.port}>`);
    await at.notice();
    const invite = await pbx.request('INVITE');
    expect(invite.uri).toBe(`sip:610@${pbx.place}`);
    pbx.reply(invite, 404, 'Not Found', { toTag: 'x' });
    await pbx.request('ACK');
    expect(await at.notice()).toBe('refer: SIP/2.0 404 Not Found (terminated)');
  });
});

describe('limits of a transfer', () => {
  it('nobody answers: it is given up, and the call goes on', async () => {
    await setUp({ timeouts: { transferMs: 300 } });
    const { other, log } = at;
    at.refer();
    expect(await at.notice()).toContain('100 Trying');
    const invite = await at.called();
    expect(await at.notice()).toMatch(/^refer: SIP\/2\.0 4\d\d .*\(terminated\)$/);
    other.reply(await other.request('CANCEL'), 200, 'OK', { noContact: true });
    other.reply(invite, 487, 'Request Terminated', { toTag: 'other1' });
    await other.request('ACK');
    expect(log.types).toEqual(['answered']);
  });

  it('a trunk that is full places no further call', async () => {
    await setUp({ trunk: { maxCalls: 1 } });
    at.refer();
    await at.pbx.response(202, 'REFER');
    expect(await at.notice()).toContain('100 Trying');
    expect(await at.notice()).toMatch(/\(terminated\)$/);
    expect(at.other.received).toEqual([]);
  });

  it('outside a dialog there is none', async () => {
    await setUp();
    const { pbx, scene } = at;
    pbx.send(pbx.newRequest('REFER', scene.uri(), { headers: ['Refer-To: <sip:610@127.0.0.1>'] }), scene.address);
    await pbx.response(405, 'REFER');
  });
});
