import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import { LegLog } from '../../support/leg-log.js';
import { PeerMessage, SipScriptPeer } from '../../support/sip-script-peer.js';
import { sceneAuth, SipScene } from '../../support/sip-scene.js';
import { pbxAudio } from '../../support/standing-call.js';

let scene: SipScene;
let pbx: SipScriptPeer;

/** The trunk's server is the scripted PBX, or an address it does not have. */
const setUp = async (realm?: string, hostname = '127.0.0.1'): Promise<void> => {
  pbx = await SipScriptPeer.udp();
  const server = {
    hostname,
    port: pbx.port,
    transport: 'udp',
    priority: 1,
    weight: 1,
    requestUriUserParams: {},
  } as const;
  scene = await SipScene.start({ trunk: { servers: [server], auth: { ...sceneAuth, realm } } });
};

afterEach(async () => {
  await scene.stop();
  await pbx.stop();
  expect(scene.agent.legs).toBe(0);
});

const challenge = (request: PeerMessage, realm: string, nonce: string): void =>
  pbx.reply(request, 407, 'Who are you', {
    toTag: 'x',
    headers: [`Proxy-Authenticate: Digest realm="${realm}",nonce="${nonce}",algorithm=MD5,qop="auth"`],
  });

const dialled = async (challengedIn?: string) => {
  const { leg, log } = scene.outbound(scene.target(pbx));
  leg.dial();
  let invite = await pbx.request('INVITE');
  if (challengedIn !== undefined) {
    challenge(invite, challengedIn, 'of-invite');
    const refused = invite.cseq;
    invite = await pbx.next(({ method, cseq }) => method === 'INVITE' && cseq > refused, 'INVITE with credentials');
  }
  pbx.reply(invite, 200, 'OK', { toTag: 'pbx1', body: pbxAudio() });
  await pbx.next(({ method, cseq }) => method === 'ACK' && cseq === invite.cseq, 'ACK');
  await log.saw('answered');
  return { leg, log };
};

const arrived = async () => {
  const text = pbx.newRequest('INVITE', scene.uri(), { body: pbxAudio() });
  const sent = new PeerMessage(text, pbx, undefined, 0);
  pbx.send(text, scene.address);
  const { leg } = await scene.call();
  const log = new LegLog(leg);
  leg.answer();
  const ok = await pbx.response(200, 'INVITE');
  pbx.send(pbx.inDialog('ACK', sent, ok, { cseq: 1 }), scene.address);
  await log.saw('confirmed');
  return { leg, log };
};

const field = (message: PeerMessage, name: string): string =>
  new RegExp(`\\b${name}="?([^",]*)`).exec(message.get('Proxy-Authorization'))?.[1] ?? '';

/** The response that the password of the scene makes of these credentials. */
function expected(message: PeerMessage): string {
  const of = (...parts: string[]): string => createHash('md5').update(parts.join(':')).digest('hex');
  const secret = of(sceneAuth.username, field(message, 'realm'), sceneAuth.password);
  const request = of('BYE', message.uri);
  return of(secret, field(message, 'nonce'), field(message, 'nc'), field(message, 'cnonce'), 'auth', request);
}

/** Has us hang up and the PBX challenge the BYE in a realm; resolves with all BYEs once the leg is over. */
async function challengedBye(
  { leg, log }: { leg: { hangup(reason: ReturnType<typeof endReason>): void }; log: LegLog },
  realm: string,
) {
  leg.hangup(endReason('hangup'));
  const bye = await pbx.request('BYE');
  challenge(bye, realm, 'of-bye');
  const again = await Promise.race([
    pbx.request('BYE', 3_000).catch(() => undefined),
    log.saw('terminated').then(() => undefined),
  ]);
  return { bye, again };
}

describe('a BYE that is challenged', () => {
  it('in the realm of the trunk is sent again with credentials, and counts as ended', async () => {
    await setUp();
    const call = await dialled('pbx.example');
    const { bye, again } = await challengedBye(call, 'pbx.example');
    expect(again?.cseq).toBe(bye.cseq + 1);
    expect(again?.get('Reason')).toBe(bye.get('Reason'));
    expect(field(again!, 'response')).toBe(expected(again!));
    pbx.reply(again!, 200, 'OK', { noContact: true });
    await call.log.saw('terminated');
    expect(scene.journal.entries().at(-1)).toMatchObject({ event: 'dialog_ended' });
  });

  it('in a call of the PBX’s is answered in the configured realm', async () => {
    await setUp('pbx.example');
    const call = await arrived();
    const { again } = await challengedBye(call, 'pbx.example');
    expect(field(again!, 'response')).toBe(expected(again!));
    // Whoever refuses the credentials is not asked a third time.
    challenge(again!, 'pbx.example', 'another');
    await call.log.saw('terminated');
    expect(pbx.requestsOf('BYE')).toBe(2);
    expect(scene.journal.entries().at(-1)).toMatchObject({ event: 'bye_unconfirmed' });
  });

  it.each<[string, () => Promise<void>, string | undefined]>([
    ['in a foreign realm', () => setUp('pbx.example'), undefined],
    ['in another realm than the server named for the INVITE', () => setUp(), 'pbx.example'],
    ['before any realm is known', () => setUp(), undefined],
    ['from no server of the trunk', () => setUp('evil.example', '192.0.2.7'), undefined],
  ])('%s sees no credentials', async (_what, prepare, challengedIn) => {
    await prepare();
    const call = challengedIn === undefined ? await arrived() : await dialled(challengedIn);
    const { again } = await challengedBye(call, 'evil.example');
    expect(again).toBeUndefined();
    expect(pbx.count((m) => m.method === 'BYE' && m.has('Proxy-Authorization'))).toBe(0);
    await call.log.saw('terminated');
  });
});
