import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endReason } from '../../../../src/call/end-reason.js';
import { eventually } from '../../../support/eventually.js';
import { endsOnce } from '../../../support/sip-scene.js';
import { PeerMessage, SipScriptPeer } from '../../../support/sip-script-peer.js';
import { sdp, TransferScene } from './transfer-scene.js';

let at: TransferScene;
beforeEach(async () => {
  at = await TransferScene.start();
});
afterEach(async () => {
  await at.stop();
  expect(endsOnce(at.log.events)).toBe(true);
  expect(at.scene.agent.legs).toBe(0);
  expect(at.scene.media.open).toBe(0);
});

/** Calls us with this Replaces; the default names the dialog that stands. */
const takeOver = (value = ours(), body = sdp(32_000)): PeerMessage => {
  const text = at.other.newRequest('INVITE', `sip:${at.scene.address.host}:${at.scene.address.port}`, {
    headers: [`Replaces: ${value}`, 'Require: replaces'],
    body,
  });
  at.other.send(text, at.scene.address);
  return new PeerMessage(text, at.scene.address, undefined, 0);
};
/** As we see it: the To tag of what is sent to us is our own (RFC 3891 §3). */
const ours = (more = ''): string => `${at.invite.get('Call-ID')};to-tag=${at.invite.tag('From')};from-tag=pbx1${more}`;

describe('an INVITE with Replaces', () => {
  it('takes over the call that it names; the old dialog gets BYE', async () => {
    const { other, pbx, log, leg, scene } = at;
    const before = leg.mediaId;
    const request = takeOver();
    const ok = await other.response(200, 'INVITE');
    expect(ok.body).toContain('m=audio');
    expect(log.types).toEqual(['answered']);
    other.send(other.inDialog('ACK', request, ok, { cseq: 1 }), scene.address);
    await log.saw('mediaMoved');
    expect(leg.mediaId).not.toBe(before);
    expect(scene.calls).toEqual([]);
    const bye = await pbx.request('BYE');
    expect(bye.get('Call-ID')).toBe(at.invite.get('Call-ID'));
    pbx.reply(bye, 200, 'OK', { noContact: true });
    await eventually(() => scene.agent.legs === 1, 'old leg over');
    other.send(other.inDialog('BYE', request, ok, { cseq: 2 }), scene.address);
    expect((await log.saw('ended')).reason.code).toBe('hangup');
  });

  it('leaves the call as it is when its offer is of no use', async () => {
    const { other, log, scene } = at;
    takeOver(ours(), sdp(32_000).replace('AVP 8', 'AVP 98'));
    await other.response(488, 'INVITE');
    await eventually(() => scene.agent.legs === 1, 'new leg over');
    expect(log.types).toEqual(['answered']);
  });

  it('leaves the call as it is when its caller gives up', async () => {
    const { other, log, scene } = at;
    let open = (): void => undefined;
    scene.media.gate = new Promise((resolve) => (open = resolve));
    const request = takeOver();
    await eventually(() => scene.agent.legs === 2, 'leg made');
    const cancel = request.raw
      .replace(/^INVITE/, 'CANCEL')
      .replace('1 INVITE', '1 CANCEL')
      .replace(/Content-Type[^]*$/, 'Content-Length: 0\r\n\r\n');
    other.send(cancel, scene.address);
    await other.response(487, 'INVITE');
    await eventually(() => scene.steps.includes('sip.cancel'), 'cancel known');
    open();
    await eventually(() => scene.agent.legs === 1, 'new leg over');
    expect(log.types).toEqual(['answered']);
  });

  it.each([
    ['no dialog', 481, (): string => 'nobody;to-tag=a;from-tag=b'],
    [
      'tags the wrong way round',
      481,
      (): string => `${at.invite.get('Call-ID')};to-tag=pbx1;from-tag=${at.invite.tag('From')}`,
    ],
    ['a dialog that stands, wanting an early one', 486, (): string => ours(';early-only')],
    ['nothing that can be read', 400, (): string => 'abc'],
    ['two dialogs', 400, (): string => `${ours()}, ${ours()}`],
  ])('is refused when it names %s', async (_what, status, value) => {
    takeOver(value());
    await at.other.response(status, 'INVITE');
    await eventually(() => at.scene.agent.legs === 1, 'nothing new');
    expect(at.log.types).toEqual(['answered']);
  });

  it('is refused when the call is ending', async () => {
    const { pbx, leg, log } = at;
    leg.hangup(endReason('hangup'));
    const bye = await pbx.request('BYE');
    takeOver();
    await at.other.response(603, 'INVITE');
    pbx.reply(bye, 200, 'OK', { noContact: true });
    await log.saw('terminated');
  });
});

it('an INVITE with Replaces takes over no call of another trunk', async () => {
  await at.stop();
  at = await TransferScene.start({ otherTrunk: { acceptFrom: ['127.0.0.2/32'] } });
  const stranger = await SipScriptPeer.udp('127.0.0.2');
  const { host, port } = at.scene.address;
  const headers = [`Replaces: ${ours()}`, 'Require: replaces'];
  stranger.send(stranger.newRequest('INVITE', `sip:${host}:${port}`, { headers, body: sdp(32_000) }), at.scene.address);
  const refusal = await stranger.response(481, 'INVITE');
  expect(refusal.status).toBe(481);
  expect(at.log.types).toEqual(['answered']);
  await stranger.stop();
});
