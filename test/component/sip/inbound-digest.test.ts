import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import type { TrunkAcceptAuth } from '../../../src/routing/types.js';
import { pbxSdp } from '../../support/scripted-bridge.js';
import { SipScriptPeer, type PeerAddress, type PeerMessage } from '../../support/sip-script-peer.js';
import { SipScene } from '../../support/sip-scene.js';

const acceptAuth: TrunkAcceptAuth = {
  username: 'pbx',
  password: 'tell-nobody',
  realm: 'sip2wa',
  algorithms: ['SHA-256', 'MD5'],
};

let scene: SipScene;
let pbx: SipScriptPeer;
let place: PeerAddress | Socket;

const setUp = async (auth: Partial<TrunkAcceptAuth> = {}, transport: 'udp' | 'tcp' = 'udp'): Promise<void> => {
  scene = await SipScene.start({ trunk: { acceptAuth: { ...acceptAuth, ...auth } }, transport });
  pbx = await SipScriptPeer[transport]();
  place = transport === 'udp' ? scene.address : await pbx.dial(scene.address);
};

interface Try {
  readonly cseq: number;
  readonly authorization?: string;
}

/** The INVITE of one call, as it is repeated: Call-ID and From tag stay, the sequence grows (RFC 3261 §8.1.3.5). */
const inviteText = ({ cseq, authorization }: Try): string => {
  const headers = authorization === undefined ? [] : [`Authorization: ${authorization}`];
  const text = pbx.newRequest('INVITE', scene.uri(), { cseq, headers, body: pbxSdp(30_000) });
  return text.replace(/(?<=Call-ID: ).*/, 'call-1').replace(/(?<=From: .*tag=).*/, 'from-1');
};

/** Sends it, and waits for what comes of it after the 100. */
const invite = async (attempt: Try): Promise<PeerMessage> => {
  pbx.send(inviteText(attempt), place);
  const { cseq } = attempt;
  return pbx.next((m) => m.status !== undefined && m.status !== 100 && m.cseq === cseq, `answer to INVITE ${cseq}`);
};

/** The first parameters of a challenge. */
const asked = (response: PeerMessage): Record<string, string> =>
  Object.fromEntries(
    [...response.get('WWW-Authenticate').matchAll(/(\w+)="?([^",]*)"?/g)].map(([, n = '', v = '']) => [n, v]),
  );

interface Proof {
  readonly nonce: string;
  readonly hash?: 'sha256' | 'md5';
  readonly password?: string;
  readonly nc?: string;
  readonly uri?: string;
  readonly change?: (header: string) => string;
}

/** Credentials, computed by the test itself. */
const proof = ({
  nonce,
  hash = 'sha256',
  password = acceptAuth.password,
  nc = '00000001',
  uri = scene.uri(),
  change = (h) => h,
}: Proof): string => {
  const of = (...parts: string[]): string => createHash(hash).update(parts.join(':')).digest('hex');
  const response = of(of('pbx', 'sip2wa', password), nonce, nc, 'c1', 'auth', of('INVITE', uri));
  const algorithm = hash === 'md5' ? 'MD5' : 'SHA-256';
  return change(
    `Digest username="pbx", realm="sip2wa", nonce="${nonce}", uri="${uri}", response="${response}", algorithm=${algorithm}, cnonce="c1", qop=auth, nc=${nc}`,
  );
};

describe('a call on a trunk with accept_auth', () => {
  afterEach(async () => {
    await scene.stop();
    await pbx.stop();
    expect(scene.agent.legs).toBe(0);
    expect(scene.logger.text()).not.toContain(acceptAuth.password);
  });

  it.each(['udp', 'tcp'] as const)(
    'over %s is asked who it is, SHA-256 first, and taken with an answer',
    async (transport) => {
      await setUp({}, transport);
      const first = await invite({ cseq: 1 });
      expect(first.status).toBe(401);
      const lines = first.all('WWW-Authenticate');
      expect(lines.map((line) => line.replace(/nonce="[^"]+"/, 'nonce=N'))).toEqual([
        'Digest realm="sip2wa", nonce=N, algorithm=SHA-256, qop="auth"',
        'Digest realm="sip2wa", nonce=N, algorithm=MD5, qop="auth"',
      ]);
      expect(scene.calls).toEqual([]);
      const answer = invite({ cseq: 2, authorization: proof({ nonce: asked(first)['nonce']! }) });
      (await scene.call()).leg.reject(endReason('busy'));
      expect((await answer).status).toBe(486);
    },
  );

  it('is taken with MD5 from a PBX that knows no better, not where MD5 is not allowed', async () => {
    await setUp();
    const nonce = asked(await invite({ cseq: 1 }))['nonce']!;
    const answer = invite({ cseq: 2, authorization: proof({ nonce, hash: 'md5' }) });
    (await scene.call()).leg.reject(endReason('busy'));
    expect((await answer).status).toBe(486);
    await scene.stop();
    await pbx.stop();
    await setUp({ algorithms: ['SHA-256'] });
    const other = await invite({ cseq: 1 });
    expect(other.all('WWW-Authenticate')).toHaveLength(1);
    const again = await invite({ cseq: 2, authorization: proof({ nonce: asked(other)['nonce']!, hash: 'md5' }) });
    expect([again.status, asked(again)['stale']]).toEqual([401, undefined]);
  });

  it('that repeats a nonce with its count is refused as stale, with a higher count it is taken', async () => {
    await setUp();
    const nonce = asked(await invite({ cseq: 1 }))['nonce']!;
    const call = invite({ cseq: 2, authorization: proof({ nonce }) });
    (await scene.call()).leg.reject(endReason('busy'));
    expect((await call).status).toBe(486);
    const replay = await invite({ cseq: 3, authorization: proof({ nonce }) });
    expect([replay.status, asked(replay)['stale']]).toEqual([401, 'true']);
    expect(asked(replay)['nonce']).not.toBe(nonce);
    expect(scene.calls).toHaveLength(1);
    scene.calls.length = 0;
    const second = invite({ cseq: 4, authorization: proof({ nonce, nc: '00000002' }) });
    (await scene.call()).leg.reject(endReason('busy'));
    expect((await second).status).toBe(486);
  });

  it.each<[string, Partial<Proof>]>([
    ['with the wrong password', { password: 'guess' }],
    ['with another user', { change: (h) => h.replace('"pbx"', '"root"') }],
    ['with another realm', { change: (h) => h.replace('"sip2wa"', '"else"') }],
    ['with a response cut short', { change: (h) => h.replace(/response="../, 'response="') }],
    ['without qop', { change: (h) => h.replace(', qop=auth', '') }],
    ['with auth-int', { change: (h) => h.replace('qop=auth', 'qop=auth-int') }],
    ['with a count that is none', { nc: 'x' }],
    ['proven for another number', { uri: 'sip:+1900@127.0.0.1' }],
    ['by another scheme', { change: (h) => h.replace('Digest', 'Basic') }],
    ['with its parameters twice', { change: (h) => `${h}, nc=00000002` }],
  ])('%s is refused, and not told that its nonce is stale', async (_what, wrong) => {
    await setUp();
    const nonce = asked(await invite({ cseq: 1 }))['nonce']!;
    const answer = await invite({ cseq: 2, authorization: proof({ nonce, ...wrong }) });
    expect([answer.status, asked(answer)['stale']]).toEqual([401, undefined]);
    expect(scene.calls).toEqual([]);
  });

  it('with a nonce we never made, but the right password, is told that it is stale', async () => {
    await setUp();
    const answer = await invite({ cseq: 1, authorization: proof({ nonce: 'made-up' }) });
    expect([answer.status, asked(answer)['stale']]).toEqual([401, 'true']);
  });

  it('is proven by a digest-uri without the user too', async () => {
    await setUp();
    const nonce = asked(await invite({ cseq: 1 }))['nonce']!;
    const answer = invite({ cseq: 2, authorization: proof({ nonce, uri: 'sip:bridge.example' }) });
    (await scene.call()).leg.reject(endReason('busy'));
    expect((await answer).status).toBe(486);
  });

  it('from an address that is not on the list gets 403, whatever it proves; OPTIONS is not asked', async () => {
    await setUp();
    const nonce = asked(await invite({ cseq: 1 }))['nonce']!;
    const stranger = await SipScriptPeer.udp('127.0.0.2');
    const headers = [`Authorization: ${proof({ nonce })}`];
    stranger.send(
      stranger.newRequest('INVITE', scene.uri(), { cseq: 2, headers, body: pbxSdp(30_000) }),
      scene.address,
    );
    expect((await stranger.response(403, 'INVITE')).all('WWW-Authenticate')).toEqual([]);
    pbx.send(pbx.newRequest('OPTIONS', scene.uri()), place);
    await pbx.response(200, 'OPTIONS');
    await stranger.stop();
  });
});
