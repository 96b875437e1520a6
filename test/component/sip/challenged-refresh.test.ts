import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import type { OriginatingLeg } from '../../../src/call/leg.js';
import { LegLog } from '../../support/leg-log.js';
import { PeerMessage, SipScriptPeer } from '../../support/sip-script-peer.js';
import { sceneAuth, SipScene } from '../../support/sip-scene.js';
import { pbxAudio } from '../../support/standing-call.js';

let scene: SipScene;
let pbx: SipScriptPeer;

/** Our refresh comes after 1 s; without one the session ends after 1.3 s. */
const SESSION_S = 2;
const WE_REFRESH = [`Session-Expires: ${SESSION_S};refresher=uac`, 'Require: timer'];

const setUp = async (realm?: string, hostname = '127.0.0.1'): Promise<void> => {
  pbx = await SipScriptPeer.udp();
  const place = { hostname, port: pbx.port, transport: 'udp', priority: 1, weight: 1 } as const;
  const servers = [{ ...place, requestUriUserParams: {} }];
  const session = { expiresS: SESSION_S, minS: 1 };
  scene = await SipScene.start({ trunk: { servers, auth: { ...sceneAuth, realm } }, session });
};

afterEach(async () => {
  await scene.stop();
  await pbx.stop();
  expect(scene.agent.legs).toBe(0);
  expect(scene.logger.text()).not.toContain(sceneAuth.password);
});

interface Challenge {
  readonly status?: 401 | 407;
  readonly algorithm?: 'MD5' | 'SHA-256';
  readonly realm?: string;
  readonly nonce?: string;
  readonly stale?: boolean;
}

function challenge(request: PeerMessage, options: Challenge = {}): void {
  const { status = 407, algorithm = 'MD5', realm = 'pbx.example', nonce = 'n1', stale = false } = options;
  const name = status === 407 ? 'Proxy-Authenticate' : 'WWW-Authenticate';
  const more = stale ? ',stale=true' : '';
  const value = `Digest realm="${realm}",nonce="${nonce}",algorithm=${algorithm},qop="auth"${more}`;
  pbx.reply(request, status, 'Who are you', { toTag: 'x', headers: [`${name}: ${value}`] });
}

const credentialsOf = (message: PeerMessage): string =>
  message.has('Authorization') ? message.get('Authorization') : message.get('Proxy-Authorization');
const field = (message: PeerMessage, name: string): string =>
  new RegExp(`\\b${name}="?([^",]*)`).exec(credentialsOf(message))?.[1] ?? '';
const isProven = (message: PeerMessage): boolean => message.has('Authorization') || message.has('Proxy-Authorization');

/** The response that the password of the scene makes of these credentials. */
function expected(message: PeerMessage, hash: 'md5' | 'sha256'): string {
  const of = (...parts: string[]): string => createHash(hash).update(parts.join(':')).digest('hex');
  const secret = of(sceneAuth.username, field(message, 'realm'), sceneAuth.password);
  const request = of(message.method ?? '', message.uri);
  return of(secret, field(message, 'nonce'), field(message, 'nc'), field(message, 'cnonce'), 'auth', request);
}

/** A call of ours that stands, which we have to refresh. */
async function dialled(allow: readonly string[] = ['Allow: INVITE, ACK, BYE, CANCEL, UPDATE']) {
  const { leg, log } = scene.outbound(scene.target(pbx));
  leg.dial();
  const invite = await pbx.request('INVITE');
  pbx.reply(invite, 200, 'OK', { toTag: 'pbx1', body: pbxAudio(), headers: [...WE_REFRESH, ...allow] });
  await pbx.request('ACK');
  await log.saw('answered');
  return { leg, log };
}

/** A call of the PBX's that stands, which we have to refresh. */
async function arrived(): Promise<{ leg: OriginatingLeg; log: LegLog }> {
  const headers = [
    'Supported: timer',
    `Session-Expires: ${SESSION_S};refresher=uas`,
    'Allow: INVITE, ACK, BYE, UPDATE',
  ];
  const text = pbx.newRequest('INVITE', scene.uri(), { body: pbxAudio(), headers });
  pbx.send(text, scene.address);
  const { leg } = await scene.call();
  const log = new LegLog(leg);
  leg.answer();
  const ok = await pbx.response(200, 'INVITE');
  pbx.send(pbx.inDialog('ACK', new PeerMessage(text, pbx, undefined, 0), ok, { cseq: 1 }), scene.address);
  await log.saw('confirmed');
  return { leg, log };
}

const answer = (refresh: PeerMessage): void => pbx.reply(refresh, 200, 'OK', { headers: WE_REFRESH });

/** The PBX takes our BYE. */
async function hangUp({ leg, log }: { leg: { hangup(reason: ReturnType<typeof endReason>): void }; log: LegLog }) {
  leg.hangup(endReason('hangup'));
  pbx.reply(await pbx.request('BYE'), 200, 'OK', { noContact: true });
  await log.saw('terminated');
}

/** The session ran out: the SIP server says BYE, and the leg knows why. */
async function ranOut(log: LegLog): Promise<void> {
  const bye = await pbx.request('BYE');
  expect(bye.get('Reason')).toContain('Session timer expired');
  pbx.reply(bye, 200, 'OK', { noContact: true });
  expect((await log.saw('ended')).reason.text).toBe('Session timer expired');
  await log.saw('terminated');
}

describe('a session refresh that the PBX challenges', () => {
  it.each([
    [401, 'MD5', 'md5', dialled],
    [407, 'SHA-256', 'sha256', dialled],
    [401, 'SHA-256', 'sha256', arrived],
    [407, 'MD5', 'md5', arrived],
  ] as const)('by %i and %s gets the trunk’s credentials every time: the call outlives the timer', async (...row) => {
    const [status, algorithm, hash, call] = row;
    await setUp('pbx.example');
    const standing = await call();
    const startMs = performance.now();
    for (const round of [1, 2]) {
      const refresh = await pbx.request('UPDATE');
      expect(isProven(refresh)).toBe(false);
      challenge(refresh, { status, algorithm, nonce: `n${round}` });
      const again = await pbx.request('UPDATE');
      expect(again.cseq).toBe(refresh.cseq + 1);
      expect(again.has('Authorization')).toBe(status === 401);
      expect(field(again, 'nonce')).toBe(`n${round}`);
      expect(field(again, 'response')).toBe(expected(again, hash));
      answer(again);
    }
    expect(performance.now() - startMs).toBeGreaterThan(1_500);
    expect(standing.log.types).not.toContain('ended');
    await hangUp(standing);
    expect(pbx.requestsOf('BYE')).toBe(1);
  });

  it('by INVITE carries them in the ACK as well, and the description of before', async () => {
    await setUp('pbx.example');
    const standing = await dialled([]);
    const refresh = await pbx.request('INVITE');
    challenge(refresh);
    await pbx.next(({ method, cseq }) => method === 'ACK' && cseq === refresh.cseq, 'ACK to the 407');
    const again = await pbx.next(({ method, cseq }) => method === 'INVITE' && cseq > refresh.cseq, 'INVITE again');
    expect(field(again, 'response')).toBe(expected(again, 'md5'));
    expect(again.body).toBe(refresh.body);
    pbx.reply(again, 200, 'OK', { body: pbxAudio(), headers: WE_REFRESH });
    const ack = await pbx.next(({ method, cseq }) => method === 'ACK' && cseq === again.cseq, 'ACK to the 200');
    expect(credentialsOf(ack)).toBe(credentialsOf(again));
    await hangUp(standing);
  });

  it('is repeated a second time only where the nonce was stale, and never a third', async () => {
    await setUp('pbx.example');
    const { log } = await dialled();
    challenge(await pbx.request('UPDATE'));
    challenge(await pbx.request('UPDATE'), { nonce: 'n2', stale: true });
    const third = await pbx.request('UPDATE');
    expect(field(third, 'nonce')).toBe('n2');
    challenge(third, { nonce: 'n3', stale: true });
    await ranOut(log);
    expect(pbx.count(({ method }) => method === 'UPDATE')).toBe(3);
  });

  it.each<[string, () => Promise<void>, () => Promise<{ log: LegLog }>]>([
    ['in a foreign realm', () => setUp('other.example'), dialled],
    ['before any realm is known', () => setUp(), arrived],
    ['from no server of the trunk', () => setUp('pbx.example', '192.0.2.7'), arrived],
  ])('%s sees no credentials: the session ends with its timer', async (_what, prepare, call) => {
    await prepare();
    const { log } = await call();
    challenge(await pbx.request('UPDATE'));
    await ranOut(log);
    expect(pbx.count(isProven)).toBe(0);
  });
});
