import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import type { TrunkAuth } from '../../../src/routing/types.js';
import { drachtioBinary } from '../../support/drachtio-server.js';
import { pbxSdp } from '../../support/scripted-bridge.js';
import { SipScriptPeer, type PeerMessage } from '../../support/sip-script-peer.js';
import { sceneAuth, SipScene, stopClean } from '../../support/sip-scene.js';

let scene: SipScene;
let pbx: SipScriptPeer;
let onDrachtio = false;

const setUp = async (auth: Partial<TrunkAuth> = {}, transport: 'udp' | 'tcp' = 'udp'): Promise<void> => {
  scene = await SipScene.start({ trunk: { auth: { ...sceneAuth, ...auth } }, transport, onDrachtio });
  pbx = await SipScriptPeer[transport]();
};

const dialled = (uriParams: Record<string, string> = {}) => {
  const outbound = scene.outbound(scene.ownTarget(pbx, { requestUriUserParams: uriParams }));
  outbound.leg.dial();
  return outbound;
};

const isInvite = ({ method }: PeerMessage): boolean => method === 'INVITE';
/** The next INVITE in sequence: not one that was sent again before it was answered. */
const inviteAfter = ({ cseq: last }: PeerMessage): Promise<PeerMessage> =>
  pbx.next(({ method, cseq }) => method === 'INVITE' && cseq > last, `INVITE after ${last}`);

interface Challenge {
  readonly status?: 401 | 407;
  readonly realm?: string;
  readonly nonce?: string;
  readonly algorithms?: readonly string[];
  readonly more?: string;
}

/** Challenges an INVITE, one header line an algorithm. */
function challenge(invite: PeerMessage, options: Challenge = {}): void {
  const { status = 407, realm = 'pbx.example', nonce = 'abc', algorithms = ['MD5'], more = '' } = options;
  const name = status === 407 ? 'Proxy-Authenticate' : 'WWW-Authenticate';
  const headers = algorithms.map(
    (algorithm) => `${name}: Digest realm="${realm}",nonce="${nonce}",algorithm=${algorithm},qop="auth"${more}`,
  );
  pbx.reply(invite, status, 'Who are you', { toTag: 'x', headers });
}

type CredentialsName = 'Authorization' | 'Proxy-Authorization';
const nameIn = (message: PeerMessage): CredentialsName =>
  message.has('Authorization') ? 'Authorization' : 'Proxy-Authorization';

/** The credentials of a request, read by a reader of the test's own. */
function shown(message: PeerMessage, name = nameIn(message)): Record<string, string> {
  const value = message.get(name);
  return Object.fromEntries([...value.matchAll(/(\w+)="?([^",]*)"?/g)].map(([, name = '', text = '']) => [name, text]));
}

/** The response that the password of the scene makes of these credentials. */
function expected(message: PeerMessage, hash: 'md5' | 'sha256', uri = message.uri, name = nameIn(message)): string {
  const of = (...parts: string[]): string => createHash(hash).update(parts.join(':')).digest('hex');
  const { username = '', realm = '', nonce = '', nc = '', cnonce = '' } = shown(message, name);
  const secret = of(username, realm, sceneAuth.password);
  return of(secret, nonce, nc, cnonce, 'auth', of('INVITE', uri));
}

/** The first letter of each nonce that is shown. */
const nonces = (message: PeerMessage): (string | undefined)[] =>
  (['Proxy-Authorization', 'Authorization'] as const).map((name) => shown(message, name)['nonce']?.charAt(0));

const NO_ROOM = 'INVITE is larger than a drachtio-server takes';
/** Frames that were made, and never sent, since a drachtio-server would choke on them. */
const tooLarge = (): unknown[] =>
  scene.logger.lines.filter(({ message }) => message.startsWith('frame for the SIP server is too large'));

/** Requests with credentials; the ACK to a 200 carries its INVITE's (RFC 3261 §13.2.2.4). */
const credentialsSeen = (): number =>
  pbx.count((m) => m.method !== 'ACK' && (m.has('Authorization') || m.has('Proxy-Authorization')));

describe.each(drachtioBinary === undefined ? [false] : [false, true])(
  'on a drachtio-server: %s, a challenge',
  (isOn) => {
    beforeEach(() => {
      onDrachtio = isOn;
    });
    afterEach(async () => {
      await stopClean(scene, pbx);
      expect(scene.logger.text()).not.toContain(sceneAuth.password);
    });

    it.each([
      ['udp', 407, 'Proxy-Authorization'],
      ['tcp', 407, 'Proxy-Authorization'],
      ['udp', 401, 'Authorization'],
      ['tcp', 401, 'Authorization'],
    ] as const)('over %s by %i is answered by %s, SHA-256 rather than MD5', async (transport, status, name) => {
      await setUp({}, transport);
      const { leg, log } = dialled();
      const first = await pbx.request('INVITE');
      challenge(first, { status, algorithms: ['MD5', 'SHA-256', 'SHA-999'], more: ',opaque="o p"' });
      await pbx.request('ACK');
      const second = await pbx.next(isInvite, 'INVITE with credentials');
      expect(second.all(name)).toHaveLength(1);
      expect(shown(second)).toMatchObject({
        ...{ username: 'bridge', realm: 'pbx.example', nonce: 'abc', opaque: 'o p', algorithm: 'SHA-256' },
        ...{ uri: second.uri, qop: 'auth', nc: '00000001', response: expected(second, 'sha256') },
      });
      // RFC 3261 §8.1.3.5: the same Call-ID, From and To, the CSeq one higher; a transaction of its own.
      for (const header of ['Call-ID', 'From', 'To', 'X-CID', 'Content-Type'] as const) {
        expect(second.all(header)).toEqual(first.all(header));
      }
      expect(second.all('CSeq')).toEqual([`${first.cseq + 1} INVITE`]);
      expect(second.body).toBe(first.body);
      expect(second.branch).not.toBe(first.branch);
      pbx.reply(second, 200, 'OK', { toTag: 'x', body: pbxSdp(30_000) });
      await log.saw('answered');
      const ack = await pbx.request('ACK');
      expect(ack.cseq).toBe(second.cseq);
      // A drachtio-server's ACK has none (against RFC 3261 §13.2.2.4), and srf gives it none to send.
      if (!onDrachtio) expect(ack.get(name)).toBe(second.get(name));
      leg.hangup(endReason('hangup'));
      pbx.reply(await pbx.request('BYE'), 200, 'OK', { noContact: true });
      await log.saw('terminated');
    });

    it('of MD5 alone is answered, inside the dialog none of another realm', async () => {
      await setUp();
      const { leg, log } = dialled();
      challenge(await pbx.request('INVITE'));
      const second = await pbx.next(isInvite, 'INVITE with credentials');
      expect(shown(second)['response']).toBe(expected(second, 'md5'));
      pbx.reply(second, 200, 'OK', { toTag: 'x', body: pbxSdp(30_000) });
      await log.saw('answered');
      leg.hangup(endReason('hangup'));
      const bye = await pbx.request('BYE');
      const headers = ['WWW-Authenticate: Digest realm="other.example",nonce="z",qop="auth"'];
      pbx.reply(bye, 401, 'Unauthorized', { noContact: true, headers });
      await log.saw('terminated');
      expect(pbx.requestsOf('BYE')).toBe(1);
      expect(credentialsSeen()).toBe(1);
    });

    it('that says stale is answered once more with the new nonce, and then no more', async () => {
      await setUp();
      const { log } = dialled();
      challenge(await pbx.request('INVITE'), { nonce: 'n1' });
      const second = await pbx.next(isInvite, 'INVITE with the first nonce');
      challenge(second, { nonce: 'n2', more: ',stale=true' });
      const third = await pbx.next(isInvite, 'INVITE with the second nonce');
      expect([shown(second)['nonce'], shown(third)['nonce']]).toEqual(['n1', 'n2']);
      expect(third.cseq).toBe(second.cseq + 1);
      expect(third.all('Proxy-Authorization')).toHaveLength(1);
      challenge(third, { nonce: 'n3', more: ',stale=true' });
      expect(await log.saw('failed')).toMatchObject({ reason: { code: 'not_allowed' }, retry: false });
      await log.saw('terminated');
      expect(credentialsSeen()).toBe(2);
    });

    it.each([
      [401, 407],
      [407, 401],
    ] as const)('by %i and then by %i, server and proxy, is answered once each, with both', async (...statuses) => {
      await setUp();
      const { leg, log } = dialled();
      const first = await pbx.request('INVITE');
      challenge(first, { status: statuses[0], nonce: 'n1' });
      const second = await inviteAfter(first);
      challenge(second, { status: statuses[1], nonce: 'n2', algorithms: ['SHA-256'] });
      const third = await inviteAfter(second);
      expect(third.cseq).toBe(second.cseq + 1);
      const names = statuses.map((status) => (status === 401 ? 'Authorization' : 'Proxy-Authorization'));
      const [of1, of2] = names.map((name) => shown(third, name));
      // The first nonce is used a second time, and says so (RFC 7616 §3.4); a server that counts would refuse it otherwise.
      expect(of1).toMatchObject({ nonce: 'n1', nc: '00000002', response: expected(third, 'md5', third.uri, names[0]) });
      expect(of2).toMatchObject({
        nonce: 'n2',
        nc: '00000001',
        response: expected(third, 'sha256', third.uri, names[1]),
      });
      expect(names.map((name) => third.all(name).length)).toEqual([1, 1]);
      pbx.reply(third, 200, 'OK', { toTag: 'x', body: pbxSdp(30_000) });
      await log.saw('answered');
      const ack = await pbx.next(({ method, cseq }) => method === 'ACK' && cseq === third.cseq, 'ACK to the 200');
      if (!onDrachtio) expect(names.map((name) => ack.get(name))).toEqual(names.map((name) => third.get(name)));
      leg.hangup(endReason('hangup'));
      // In the dialog too, each kind once.
      const byeAfter = (last: number): Promise<PeerMessage> =>
        pbx.next(({ method, cseq }) => method === 'BYE' && cseq > last, 'BYE');
      const bare = await byeAfter(0);
      challenge(bare, { status: 407, nonce: 'n3' });
      const proven = await byeAfter(bare.cseq);
      challenge(proven, { status: 401, nonce: 'n4' });
      const bye = await byeAfter(proven.cseq);
      expect([shown(bye, 'Proxy-Authorization'), shown(bye, 'Authorization')]).toMatchObject([
        { nonce: 'n3', nc: '00000002' },
        { nonce: 'n4', nc: '00000001' },
      ]);
      pbx.reply(bye, 200, 'OK', { noContact: true });
      await log.saw('terminated');
    });

    it('by both, each as long as one may be, is answered with both in a frame that a drachtio-server takes', async () => {
      await setUp();
      const { leg, log } = dialled();
      const [realm, more] = ['r'.repeat(256), `,opaque="${'o'.repeat(256)}"`];
      const first = await pbx.request('INVITE');
      challenge(first, { status: 407, realm, more, nonce: `1${'n'.repeat(255)}`, algorithms: ['SHA-256'] });
      const second = await inviteAfter(first);
      challenge(second, { status: 401, realm, more, nonce: `2${'n'.repeat(255)}`, algorithms: ['SHA-256'] });
      const third = await inviteAfter(second);
      expect(nonces(third)).toEqual(['1', '2']);
      pbx.reply(third, 200, 'OK', { toTag: 'x', body: pbxSdp(30_000) });
      await log.saw('answered');
      leg.hangup(endReason('hangup'));
      const bare = await pbx.request('BYE');
      challenge(bare, { status: 407, realm, more, nonce: `3${'n'.repeat(255)}`, algorithms: ['SHA-256'] });
      const proven = await pbx.next(({ method, cseq }) => method === 'BYE' && cseq > bare.cseq, 'BYE with credentials');
      challenge(proven, { status: 401, realm, more, nonce: `4${'n'.repeat(255)}`, algorithms: ['SHA-256'] });
      const bye = await pbx.next(({ method, cseq }) => method === 'BYE' && cseq > proven.cseq, 'BYE with both');
      expect(nonces(bye)).toEqual(['3', '4']);
      pbx.reply(bye, 200, 'OK', { noContact: true });
      await log.saw('terminated');
      expect(tooLarge()).toEqual([]);
    });

    it('by both, when there is no room for what both want, is a refusal that says so', async () => {
      await setUp({ username: 'ü'.repeat(500) });
      const { log } = dialled();
      const [realm, more] = ['r'.repeat(256), `,opaque="${'o'.repeat(256)}"`];
      const first = await pbx.request('INVITE');
      challenge(first, { status: 407, realm, more, nonce: `1${'n'.repeat(255)}`, algorithms: ['SHA-256'] });
      challenge(await inviteAfter(first), {
        status: 401,
        realm,
        more,
        nonce: 'n'.repeat(256),
        algorithms: ['SHA-256'],
      });
      expect(await log.saw('failed')).toMatchObject({ reason: { code: 'not_allowed' }, retry: false });
      await log.saw('terminated');
      expect(credentialsSeen()).toBe(1);
      const said = scene.logger.lines.find(({ message }) => message === 'INVITE not repeated with credentials');
      expect([said?.level, String(said?.fields?.['err'])]).toEqual(['warn', expect.stringContaining(NO_ROOM)]);
      expect(String(said?.fields?.['err'])).toMatch(/: \d+ bytes are (Proxy-)?Authorization$/);
      expect(tooLarge()).toEqual([]);
    });

    it('by both in turn, for ever, is answered twice each at most', async () => {
      await setUp();
      const { log } = dialled();
      let invite = await pbx.request('INVITE');
      for (let round = 0; round < 4; round++) {
        const stale = round < 2 ? '' : ',stale=true';
        challenge(invite, { status: round % 2 === 0 ? 407 : 401, nonce: `n${round}`, more: stale });
        invite = await inviteAfter(invite);
      }
      challenge(invite, { nonce: 'n9', more: ',stale=true' });
      expect(await log.saw('failed')).toMatchObject({ reason: { code: 'not_allowed' }, retry: false });
      await log.saw('terminated');
      const proven = pbx.received.filter(
        (m) => isInvite(m) && (m.has('Authorization') || m.has('Proxy-Authorization')),
      );
      expect(new Set(proven.map(({ cseq }) => cseq)).size).toBe(4);
    });

    it.each([
      ['with another nonce', { nonce: 'n2' }],
      ['that calls the same nonce stale', { nonce: 'n1', more: ',stale=true' }],
      ['by the other status in another realm', { status: 401, nonce: 'n2', realm: 'evil.example' }],
    ] as const)('that comes again, %s, is a refusal', async (_what, again) => {
      await setUp();
      const { log } = dialled();
      challenge(await pbx.request('INVITE'), { nonce: 'n1' });
      challenge(await pbx.next(isInvite, 'INVITE with credentials'), again);
      expect(await log.saw('failed')).toMatchObject({ reason: { code: 'not_allowed' }, retry: false });
      await log.saw('terminated');
      expect(credentialsSeen()).toBe(1);
    });

    it.each<[string, Partial<TrunkAuth>, Challenge, number]>([
      ['of another realm than is configured', { realm: 'pbx.example' }, { realm: 'evil.example' }, 0],
      ['of the realm that is configured', { realm: 'pbx.example' }, {}, 1],
      ['of MD5 where that is not allowed', { algorithms: ['SHA-256'] }, {}, 0],
      ['of an algorithm nobody knows', {}, { algorithms: ['SHA-999'] }, 0],
      ['of auth-int alone', {}, { more: '-int"' }, 0],
      ['of as much as is given back', {}, { nonce: 'n'.repeat(757) }, 1],
      ['of more than that', {}, { nonce: 'n'.repeat(758) }, 0],
    ])('%s', async (_what, auth, options, answered) => {
      await setUp(auth);
      const { log } = dialled();
      const invite = await pbx.request('INVITE');
      if (options.more === '-int"') {
        const headers = ['Proxy-Authenticate: Digest realm="pbx.example",nonce="a",qop="auth-int"'];
        pbx.reply(invite, 407, 'Who are you', { toTag: 'x', headers });
      } else challenge(invite, options);
      if (answered > 0)
        pbx.reply(await pbx.next((m) => isInvite(m) && m.cseq > invite.cseq, 'it again'), 403, 'Forbidden');
      expect(await log.saw('failed')).toMatchObject({ reason: { code: 'not_allowed' }, retry: false });
      await log.saw('terminated');
      expect(credentialsSeen()).toBe(answered);
    });

    it('of a realm that the server did not name first sees no credentials', async () => {
      await setUp();
      const known = dialled();
      const opening = await pbx.request('INVITE');
      challenge(opening);
      pbx.reply(await pbx.next(isInvite, 'credentials'), 486, 'Busy Here', { toTag: 'x' });
      await known.log.saw('terminated');
      const { log } = dialled();
      challenge(await pbx.next(isInvite, 'INVITE'), { realm: 'evil.example' });
      expect(await log.saw('failed')).toMatchObject({ reason: { code: 'not_allowed' }, retry: false });
      await log.saw('terminated');
      expect(credentialsSeen()).toBe(1);
    });

    it('of two realms at once is answered in the known one alone', async () => {
      await setUp();
      const two = (invite: PeerMessage): void => {
        const realms = ['evil.example', 'pbx.example'];
        const headers = realms.map((realm) => `WWW-Authenticate: Digest realm="${realm}",nonce="${realm}",qop="auth"`);
        pbx.reply(invite, 401, 'Who are you', { toTag: 'x', headers });
      };
      const puzzled = dialled();
      two(await pbx.request('INVITE'));
      await puzzled.log.saw('terminated');
      expect(credentialsSeen()).toBe(0);
      const known = dialled();
      challenge(await pbx.next(isInvite, 'INVITE'));
      pbx.reply(await pbx.next(isInvite, 'credentials'), 486, 'Busy Here', { toTag: 'x' });
      await known.log.saw('terminated');
      const { log } = dialled();
      two(await pbx.next(isInvite, 'INVITE'));
      const again = await pbx.next(isInvite, 'credentials');
      expect(shown(again)).toMatchObject({ realm: 'pbx.example', nonce: 'pbx.example' });
      pbx.reply(again, 486, 'Busy Here', { toTag: 'x' });
      await log.saw('terminated');
    });

    it('from another address than was dialled sees no credentials', async () => {
      await setUp();
      const stranger = await SipScriptPeer.udp('127.0.0.2');
      const { log } = dialled();
      const invite = await pbx.request('INVITE');
      const headers = ['Proxy-Authenticate: Digest realm="r",nonce="abc",qop="auth"'];
      stranger.send(pbx.responseText(invite, 407, 'Auth', { toTag: 'x', headers }), scene.address);
      expect(await log.saw('failed')).toMatchObject({ reason: { code: 'not_allowed' }, retry: false });
      await log.saw('terminated');
      expect(credentialsSeen()).toBe(0);
      expect(stranger.count((m) => m.has('Proxy-Authorization'))).toBe(0);
      await stranger.stop();
    });

    // A drachtio-server refuses parameters of the user part (`check` says so).
    it('is answered for the Request-URI without its user where the trunk says so', async () => {
      await setUp({ uri: 'host' }, 'tcp');
      const { log } = dialled(onDrachtio ? {} : { tgrp: 'wa' });
      challenge(await pbx.request('INVITE'));
      const second = await pbx.next(isInvite, 'INVITE with credentials');
      expect(second.uri).toBe(`sip:+15551112222${onDrachtio ? '' : ';tgrp=wa'}@${pbx.place};transport=tcp`);
      const uri = `sip:${pbx.place}`;
      expect(shown(second)).toMatchObject({ uri, response: expected(second, 'md5', uri) });
      pbx.reply(second, 486, 'Busy Here', { toTag: 'x' });
      await log.saw('terminated');
    });

    it('whose answer is lost is over when the server stays silent', async () => {
      scene = await SipScene.start({
        onDrachtio,
        trunk: { auth: sceneAuth },
        timeouts: { probeMs: 100, silenceMs: 300 },
      });
      pbx = await SipScriptPeer.udp();
      const { log } = dialled();
      challenge(await pbx.request('INVITE'));
      await pbx.request('OPTIONS');
      expect(await log.saw('failed')).toMatchObject({ reason: { code: 'trunk_down' }, retry: true });
      await log.saw('terminated');
    });
  },
);
