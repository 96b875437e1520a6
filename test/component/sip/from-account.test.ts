import { afterEach, describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import { drachtioBinary } from '../../support/drachtio-server.js';
import { SipScriptPeer, type PeerMessage } from '../../support/sip-script-peer.js';
import { sceneAuth, SipScene } from '../../support/sip-scene.js';
import { pbxAudio } from '../../support/standing-call.js';

const servers = [false, ...(drachtioBinary === undefined ? [] : [true])];

/** A drachtio-server puts its own address for the host of a From that has the word anywhere. */
const withLocalhost: [string, string, string][] = [
  ['bridge@localhost.example', 'Anna', '"Anna" <sip:bridge@localhost.example>'],
  ['localhost@carrier.example', 'localhost', '"localhost" <sip:localhost@carrier.example>'],
];

describe.each(servers)('a call in the name of the trunk’s account (on a drachtio-server: %s)', (onDrachtio) => {
  let scene: SipScene;
  let pbx: SipScriptPeer;

  afterEach(async () => {
    await scene.stop();
    await pbx.stop();
    expect(scene.agent.legs).toBe(0);
  });

  const dialled = async (username: string, name = 'Anna') => {
    pbx = await SipScriptPeer.udp();
    const place = { hostname: pbx.host, port: pbx.port, transport: pbx.transport, priority: 1, weight: 1 };
    const at = [{ ...place, requestUriUserParams: {} }];
    const trunk = { servers: at, auth: { ...sceneAuth, username }, from: 'account' } as const;
    scene = await SipScene.start({ onDrachtio, trunk });
    const outbound = scene.outbound(scene.target(pbx), { caller: { user: '+4915112345678', name } });
    outbound.leg.dial();
    return { ...outbound, invite: await pbx.request('INVITE') };
  };

  const challenge = (request: PeerMessage): void =>
    pbx.reply(request, 407, 'Who are you', {
      toTag: 'x',
      headers: ['Proxy-Authenticate: Digest realm="pbx.example",nonce="n",algorithm=MD5,qop="auth"'],
    });

  it.each<[string, string, string]>([
    ['bridge', 'Anna', '"Anna" <sip:bridge@127.0.0.1>'],
    ['bridge@carrier.example', 'Anna', '"Anna" <sip:bridge@carrier.example>'],
    ['bridge@[2001:db8::1]', 'Anna', '"Anna" <sip:bridge@[2001:db8::1]>'],
    ...(onDrachtio ? [] : withLocalhost),
  ])('%j of %s has the From %s through to its BYE', async (username, name, from) => {
    const { leg, log, invite } = await dialled(username, name);
    expect(invite.get('From')).toBe(`${from};tag=${invite.tag('From')}`);
    const { host, port } = scene.address;
    expect(invite.get('P-Asserted-Identity')).toBe(`"${name}" <sip:+4915112345678@${host}:${port}>`);
    expect(invite.get('X-WA-User')).toBe('+4915112345678');
    challenge(invite);
    const again = await pbx.next(({ method, cseq }) => method === 'INVITE' && cseq > invite.cseq, 'INVITE again');
    expect(again.get('From')).toBe(invite.get('From'));
    // The digest's user name is as it was written.
    expect(again.get('Proxy-Authorization')).toContain(`username="${username}"`);
    pbx.reply(again, 200, 'OK', { toTag: 'pbx1', body: pbxAudio() });
    await log.saw('answered');
    leg.hangup(endReason('hangup'));
    const bye = await pbx.request('BYE');
    expect(bye.get('From')).toBe(invite.get('From'));
    pbx.reply(bye, 200, 'OK', { noContact: true });
    await log.saw('terminated');
  });
});
