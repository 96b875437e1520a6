import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import { drachtioBinary } from '../../support/drachtio-server.js';
import { SipScriptPeer, type PeerMessage } from '../../support/sip-script-peer.js';
import { sceneAuth, SipScene } from '../../support/sip-scene.js';
import { pbxAudio } from '../../support/standing-call.js';

let scene: SipScene;
let pbx: SipScriptPeer;

const setUp = async (onDrachtio: boolean, hostname = '127.0.0.1'): Promise<void> => {
  pbx = await SipScriptPeer.udp();
  const place = { hostname, port: pbx.port, transport: 'udp', priority: 1, weight: 1 } as const;
  const servers = [{ ...place, requestUriUserParams: {} }];
  scene = await SipScene.start({ onDrachtio, trunk: { servers, auth: { ...sceneAuth, realm: 'pbx.example' } } });
};

const challenge = (request: PeerMessage, status: 401 | 407, nonce: string, realm = 'pbx.example'): void =>
  pbx.reply(request, status, 'Who are you', {
    noContact: true,
    headers: [`${status === 407 ? 'Proxy' : 'WWW'}-Authenticate: Digest realm="${realm}",nonce="${nonce}",qop="auth"`],
  });

const field = (value: string, name: string): string => new RegExp(`\\b${name}="?([^",]*)`).exec(value)?.[1] ?? '';

/** The response that the password of the scene makes of these credentials. */
function expected(message: PeerMessage, value: string): string {
  const of = (...parts: string[]): string => createHash('md5').update(parts.join(':')).digest('hex');
  const [nonce, nc, cnonce] = ['nonce', 'nc', 'cnonce'].map((name) => field(value, name)) as [string, string, string];
  const secret = of(sceneAuth.username, field(value, 'realm'), sceneAuth.password);
  return of(secret, nonce, nc, cnonce, 'auth', of('PRACK', message.uri));
}

/** A call of ours that rings reliably, and our PRACK. */
async function ringing() {
  const outbound = scene.outbound(scene.target(pbx));
  outbound.leg.dial();
  const invite = await pbx.request('INVITE');
  pbx.reply(invite, 183, 'Session Progress', { toTag: 'a', body: pbxAudio(), headers: ['Require: 100rel', 'RSeq: 7'] });
  return { ...outbound, invite, prack: await pbx.request('PRACK') };
}

describe.each(drachtioBinary === undefined ? [false] : [false, true])('on a drachtio-server: %s,', (onDrachtio) => {
  afterEach(async () => {
    await scene.stop();
    await pbx.stop();
    expect(scene.agent.legs).toBe(0);
    expect(scene.logger.text()).not.toContain(sceneAuth.password);
  });

  const pickUp = async ({ leg, log, invite }: Awaited<ReturnType<typeof ringing>>): Promise<void> => {
    pbx.reply(invite, 200, 'OK', { toTag: 'a' });
    await pbx.request('ACK');
    await log.saw('answered');
    leg.hangup(endReason('hangup'));
    pbx.reply(await pbx.request('BYE'), 200, 'OK', { noContact: true });
    await log.saw('terminated');
  };

  it('a PRACK that is challenged by proxy and server is sent again for each, with the trunk’s credentials', async () => {
    await setUp(onDrachtio);
    const call = await ringing();
    const { invite, prack } = call;
    challenge(prack, 407, 'n1');
    const second = await pbx.request('PRACK');
    expect(second.cseq).toBe(prack.cseq + 1);
    expect(second.get('RAck')).toBe(`7 ${invite.cseq} INVITE`);
    const ofProxy = second.get('Proxy-Authorization');
    expect(field(ofProxy, 'response')).toBe(expected(second, ofProxy));
    challenge(second, 401, 'n2');
    const third = await pbx.request('PRACK');
    const both = [third.get('Proxy-Authorization'), third.get('Authorization')];
    expect(both.map((value) => [field(value, 'nonce'), field(value, 'nc')])).toEqual([
      ['n1', '00000002'],
      ['n2', '00000001'],
    ]);
    expect(both.map((value) => field(value, 'response'))).toEqual(both.map((value) => expected(third, value)));
    pbx.reply(third, 200, 'OK', { noContact: true });
    await pickUp(call);
  });

  it('a PRACK that is challenged in a foreign realm is not, and the call goes on', async () => {
    await setUp(onDrachtio);
    const call = await ringing();
    challenge(call.prack, 407, 'n1', 'evil.example');
    await pickUp(call);
    // Repeated, if the challenge took its time, but not with a number of its own.
    expect(new Set(pbx.received.filter(({ method }) => method === 'PRACK').map(({ cseq }) => cseq)).size).toBe(1);
  });

  it('an UPDATE that overtakes the answer to our PRACK is answered as any', async () => {
    await setUp(onDrachtio);
    const call = await ringing();
    pbx.send(
      pbx.fromCallee('UPDATE', call.invite, 'a', 1, [`Contact: ${pbx.contact}`], pbxAudio({ port: 30_002 })),
      scene.address,
    );
    expect((await pbx.response(200, 'UPDATE')).body).toContain('m=audio');
    pbx.reply(call.prack, 200, 'OK', { noContact: true });
    await pickUp(call);
  });
});
