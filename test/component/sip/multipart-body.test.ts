import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import { drachtioBinary } from '../../support/drachtio-server.js';
import { LegLog } from '../../support/leg-log.js';
import { PeerMessage, SipScriptPeer } from '../../support/sip-script-peer.js';
import { SipScene, stopClean } from '../../support/sip-scene.js';
import { pbxAudio } from '../../support/standing-call.js';

let scene: SipScene;
let pbx: SipScriptPeer;
let isOnDrachtio = false;

/** What every message that says it says (RFC 3261 §20.1). */
const ACCEPTED = 'application/sdp, multipart/mixed';

/** An initial address message (ITU-T Q.763) as a carrier encapsulates it: bytes that are no text. */
const IAM = Buffer.from('01106001 0a000206 0d039047 98850a07 03130909 95141000'.replaceAll(' ', ''), 'hex');

/** A message with a description in it, as one with ISUP and a location beside it. */
function withIsup(text: string, handling = 'optional'): Buffer {
  // A drachtio-server answers 400 by itself to a message with a zero byte in it.
  const isup = isOnDrachtio ? Buffer.from(IAM.toString('hex')) : IAM;
  const [head, sdp] = splitAt(text, '\r\n\r\n');
  const lines = (...list: string[]): Buffer => Buffer.from(list.join('\r\n'));
  const body = Buffer.concat([
    lines('--isup-1', 'Content-Type: application/isup;version=itu-t92+;base=itu-t92+', ''),
    lines(`Content-Disposition: signal;handling=${handling}`, '', ''),
    isup,
    lines('', '--isup-1', 'Content-Type: application/pidf+xml', 'Content-ID: <alice@pbx>', '', '<presence/>', ''),
    lines('--isup-1', 'Content-Type: application/sdp', 'Content-Disposition: session', '', `${sdp}--isup-1--`, ''),
  ]);
  const typed = head.replace(/Content-Type: .*/, 'Content-Type: multipart/mixed;boundary="isup-1"');
  return Buffer.concat([
    Buffer.from(typed.replace(/Content-Length: .*/, `Content-Length: ${body.length}\r\n\r\n`)),
    body,
  ]);
}

function splitAt(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return [text.slice(0, at), text.slice(at + mark.length)];
}

describe.each(drachtioBinary === undefined ? [false] : [false, true])('on a drachtio-server: %s,', (onDrachtio) => {
  beforeEach(async () => {
    isOnDrachtio = onDrachtio;
    scene = await SipScene.start({ onDrachtio });
    pbx = await SipScriptPeer.udp();
  });
  afterEach(() => stopClean(scene, pbx));

  it('offers among other parts are taken, in the INVITE, in mid-call and in an ACK', async () => {
    const text = pbx.newRequest('INVITE', scene.uri(), { body: pbxAudio() });
    const invite = new PeerMessage(text, pbx, undefined, 0);
    pbx.send(withIsup(text), scene.address);
    const { leg } = await scene.call();
    const log = new LegLog(leg);
    leg.answer();
    const ok = await pbx.response(200, 'INVITE');
    expect([ok.get('Content-Type'), ok.get('Accept')]).toEqual(['application/sdp', ACCEPTED]);
    pbx.send(pbx.inDialog('ACK', invite, ok, { cseq: 1 }), scene.address);
    await log.saw('confirmed');
    const hold = pbx.inDialog('INVITE', invite, ok, { cseq: 2, body: pbxAudio({ attribute: 'sendonly' }) });
    pbx.send(withIsup(hold), scene.address);
    const held = await pbx.response(200, 'INVITE');
    pbx.send(pbx.inDialog('ACK', invite, held, { cseq: 2 }), scene.address);
    await log.saw('held');
    // A late offer: ours is in the 200, the answer in the ACK.
    pbx.send(pbx.inDialog('INVITE', invite, ok, { cseq: 3 }), scene.address);
    const offered = await pbx.response(200, 'INVITE');
    pbx.send(withIsup(pbx.inDialog('ACK', invite, offered, { cseq: 3, body: pbxAudio() })), scene.address);
    await log.saw('resumed');
    expect(scene.media.endpoints[0]?.log).toEqual(['answer', 'answer', 'offer', 'accept']);
    pbx.send(pbx.inDialog('BYE', invite, ok, { cseq: 4 }), scene.address);
    await pbx.response(200, 'BYE');
    await log.saw('terminated');
  });

  it('answers among other parts are taken, in the 183 and in the 200', async () => {
    const { leg, log } = scene.outbound(scene.target(pbx));
    leg.dial();
    const invite = await pbx.request('INVITE');
    expect(invite.get('Accept')).toBe(ACCEPTED);
    const answers = (status: number): Buffer =>
      withIsup(pbx.responseText(invite, status, 'Fine', { toTag: 'a', body: pbxAudio() }), 'required');
    pbx.send(answers(183), scene.address);
    await log.saw('earlyMedia');
    pbx.send(answers(200), scene.address);
    await pbx.request('ACK');
    await log.saw('answered');
    expect(scene.media.endpoints[0]?.log).toEqual(['offer', 'accept']);
    leg.hangup(endReason('hangup'));
    pbx.reply(await pbx.request('BYE'), 200, 'OK', { noContact: true });
    await log.saw('terminated');
  });

  it('a part that is called indispensable and that we know nothing of is refused, and the types we take are named', async () => {
    pbx.send(withIsup(pbx.newRequest('INVITE', scene.uri(), { body: pbxAudio() }), 'required'), scene.address);
    const refusal = await pbx.response(415, 'INVITE');
    expect(refusal.get('Accept')).toBe(ACCEPTED);
    expect(scene.calls).toHaveLength(0);
  });
});
