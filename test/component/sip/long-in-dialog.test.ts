import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import { drachtioBinary } from '../../support/drachtio-server.js';
import { LegLog } from '../../support/leg-log.js';
import { PeerMessage, SipScriptPeer } from '../../support/sip-script-peer.js';
import { sceneAuth, SipScene } from '../../support/sip-scene.js';
import { pbxAudio } from '../../support/standing-call.js';

let scene: SipScene;
let pbx: SipScriptPeer;

/** Of Call-ID and Contact, in characters. */
interface Lengths {
  readonly callId?: number;
  readonly contact?: number;
}

const inviteText = ({ callId = 20, contact = 60 }: Lengths): string =>
  pbx
    .newRequest('INVITE', scene.uri(), { body: pbxAudio() })
    .replace(/^Call-ID: .*$/m, `Call-ID: ${'c'.repeat(callId)}`)
    .replace(/^Contact: .*$/m, `Contact: ${`<sip:peer@${pbx.place};x=`.padEnd(contact - 1, 'x')}>`);

/** A call of the PBX's that stands. */
async function arrived(lengths: Lengths) {
  const text = inviteText(lengths);
  const invite = new PeerMessage(text, pbx, undefined, 0);
  pbx.send(text, scene.address);
  const { leg } = await scene.call();
  const log = new LegLog(leg);
  leg.answer();
  const ok = await pbx.response(200, 'INVITE');
  pbx.send(pbx.inDialog('ACK', invite, ok, { cseq: 1 }), scene.address);
  await log.saw('confirmed');
  return { leg, log, invite, ok };
}

const nonceOf = (status: number): string => `${status}`.padEnd(740, 'n');

function challenge(request: PeerMessage, status: 401 | 407): void {
  const name = status === 407 ? 'Proxy-Authenticate' : 'WWW-Authenticate';
  const value = `Digest realm="pbx.example",nonce="${nonceOf(status)}",opaque="o",algorithm=MD5,qop="auth"`;
  pbx.reply(request, status, 'Who are you', { headers: [`${name}: ${value}`], noContact: true });
}

/** Whether the password of the scene makes the response of these credentials, for the URI that they name. */
function isProof(value: string, nonce: string): boolean {
  const of = (...parts: string[]): string => createHash('md5').update(parts.join(':')).digest('hex');
  const field = (name: string): string => new RegExp(`\\b${name}="?([^",]*)`).exec(value)?.[1] ?? '';
  const secret = of(sceneAuth.username, 'pbx.example', sceneAuth.password);
  const request = of('BYE', field('uri'));
  const response = of(secret, nonce, field('nc'), field('cnonce'), 'auth', request);
  return field('nonce') === nonce && field('response') === response;
}

describe.each(drachtioBinary === undefined ? [false] : [false, true])('on a drachtio-server: %s', (onDrachtio) => {
  beforeEach(async () => {
    pbx = await SipScriptPeer.udp();
    const server = { hostname: pbx.host, port: pbx.port, transport: 'udp', priority: 1, weight: 1 } as const;
    const servers = [{ ...server, requestUriUserParams: {} }];
    scene = await SipScene.start({ trunk: { servers, auth: { ...sceneAuth, realm: 'pbx.example' } }, onDrachtio });
  });
  afterEach(async () => {
    await scene.stop();
    await pbx.stop();
    expect(scene.agent.legs).toBe(0);
  });

  const tooLarge = (): unknown[] => scene.logger.lines.filter(({ message }) => /too large, not sent/.test(message));

  it('a BYE for which a proxy and a server want long credentials goes out with both, however long the PBX’s names', async () => {
    const { leg, log } = await arrived({ callId: 900, contact: 1_000 });
    leg.hangup(endReason('hangup', { text: '👍'.repeat(160) }));
    const first = await pbx.request('BYE');
    expect(first.get('Reason')).toContain('👍👍');
    challenge(first, 407);
    const second = await pbx.next(({ method, cseq }) => method === 'BYE' && cseq > first.cseq, 'BYE again');
    challenge(second, 401);
    const third = await pbx.next(({ method, cseq }) => method === 'BYE' && cseq > second.cseq, 'BYE with both');
    expect(isProof(third.get('Proxy-Authorization'), nonceOf(407))).toBe(true);
    expect(isProof(third.get('Authorization'), nonceOf(401))).toBe(true);
    pbx.reply(third, 200, 'OK', { noContact: true });
    await log.saw('terminated');
    expect(scene.journal.entries().at(-1)).toMatchObject({ event: 'dialog_ended' });
    expect(tooLarge()).toEqual([]);
  });

  it.each(['OPTIONS', 'BYE'])('the answer to a %s of the PBX’s does not grow with its names', async (method) => {
    const { log, invite, ok, leg } = await arrived({});
    const asked = pbx
      .inDialog(method, invite, ok, { cseq: 2 })
      .replace(/^From: "Alice"/m, `From: "${'A'.repeat(5_000)}"`);
    pbx.send(asked, scene.address);
    const answer = await pbx.response(200, method);
    expect(answer.get('From')).toContain('AAAA');
    if (method === 'OPTIONS') {
      leg.hangup(endReason('hangup'));
      pbx.reply(await pbx.request('BYE'), 200, 'OK', { noContact: true });
    }
    await log.saw('terminated');
    expect(tooLarge()).toEqual([]);
  });

  it.each<[string, Lengths]>([
    ['Contact', { contact: 1_100 }],
    ['Call-ID', { callId: 1_025 }],
    ['Call-ID with the tag of From', { callId: 1_020 }],
  ])('an INVITE whose BYE could be too large is refused, and told why: %s', async (name, lengths) => {
    pbx.send(inviteText(lengths), scene.address);
    const refused = await pbx.response(400, 'INVITE');
    expect(refused.get('Warning')).toBe(`399 sip2wa "${name} is longer than 1024"`);
  });
});
