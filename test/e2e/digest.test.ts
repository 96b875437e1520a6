import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { readFixture } from '../support/fixtures.js';
import { loopbackSdp } from '../support/loopback-sdp.js';
import { BUSINESS, NUMBER_ID, pbxSdp, ScriptedBridge, USER } from '../support/scripted-bridge.js';
import { SipScriptPeer, type PeerMessage } from '../support/sip-script-peer.js';

const offer = loopbackSdp(readFixture('sdp/meta-user-initiated-offer-from-meta.sdp'));

describe('the whole bridge and a PBX that wants passwords', () => {
  let bridge: ScriptedBridge;
  let pbx: SipScriptPeer;
  afterEach(() => bridge.stop());

  /** A number on a trunk with these keys, over UDP or TCP. */
  const start = async (transport: 'udp' | 'tcp', keys: string): Promise<void> => {
    pbx = await SipScriptPeer[transport]();
    bridge = await ScriptedBridge.start({
      pbx,
      trunks: () => `
trunks:
  - name: pbx
    servers: [{ hostname: 127.0.0.1, port: ${pbx.port}, transport: ${transport} }]
    accept_from: [127.0.0.1/32]
    ${keys}
numbers: [{ id: "${NUMBER_ID}", number: "+${BUSINESS}", name: sales, trunk: pbx }]
`,
    });
  };

  const userCalls = async (id: string): Promise<PeerMessage> => {
    await bridge.deliver(bridge.userConnect(id, offer));
    return pbx.request('INVITE');
  };
  const ask = (invite: PeerMessage, challenges: readonly string[]): void => {
    const headers = challenges.map((challenge) => `WWW-Authenticate: Digest ${challenge}`);
    pbx.reply(invite, 401, 'Unauthorized', { toTag: 'c', headers });
  };
  const invites = (): PeerMessage[] => pbx.received.filter(({ method }) => method === 'INVITE');
  const shown = (invite: PeerMessage): string => (invite.has('Authorization') ? invite.get('Authorization') : 'none');

  it.each(['udp', 'tcp'] as const)(
    'shows the password by SHA-256, then by MD5 to one that knows no better (%s)',
    async (transport) => {
      await start(transport, 'auth: { username: u, password: p }');
      const sha = 'realm="pbx", nonce="n1", qop="auth", algorithm=SHA-256';
      ask(await userCalls('wacid.1'), ['realm="pbx", nonce="n1", qop="auth", algorithm=MD5', sha]);
      const again = await pbx.request('INVITE');
      expect(shown(again)).toMatch(/response="[0-9a-f]{64}", algorithm=SHA-256/);
      pbx.reply(again, 486, 'Busy Here', { toTag: 'b' });
      expect(await bridge.record(0)).toMatchObject({ code: 'busy', sipStatus: 486, waCallId: 'wacid.1' });
      ask(await userCalls('wacid.2'), ['realm="pbx", nonce="n2"']);
      const old = await pbx.request('INVITE');
      expect(shown(old)).toMatch(/nonce="n2".*response="[0-9a-f]{32}"$/);
      pbx.reply(old, 486, 'Busy Here', { toTag: 'b' });
      expect(await bridge.record(1)).toMatchObject({ code: 'busy', waCallId: 'wacid.2' });
      expect(invites()).toHaveLength(4);
    },
  );

  it('ends a call whose credentials are refused, as one that is not allowed', async () => {
    await start('udp', 'auth: { username: u, password: wrong, realm: pbx }');
    const challenge = ['realm="pbx", nonce="n1", qop="auth", algorithm=SHA-256'];
    ask(await userCalls('wacid.1'), challenge);
    ask(await pbx.request('INVITE'), challenge);
    expect(await bridge.record()).toMatchObject({ code: 'not_allowed', sipStatus: 401 });
    expect(invites().map((invite) => shown(invite) !== 'none')).toEqual([false, true]);
    expect(['reject', 'terminate']).toContain(bridge.actions.at(-1));
  });

  it('shows nothing to a foreign realm', async () => {
    await start('udp', 'auth: { username: u, password: p, realm: pbx }');
    ask(await userCalls('wacid.1'), ['realm="evil", nonce="n1", qop="auth", algorithm=SHA-256']);
    expect(await bridge.record()).toMatchObject({ code: 'not_allowed', sipStatus: 401 });
    expect(pbx.count((message) => message.has('Authorization') || message.has('Proxy-Authorization'))).toBe(0);
  });

  it('asks the PBX for its password, and takes an answer once', async () => {
    await start('udp', 'accept_auth: { username: pbx, password: q }');
    const uri = `sip:+${USER}@${bridge.sip.host}:${bridge.sip.port}`;
    const call = async (cseq: number, headers: readonly string[] = []): Promise<PeerMessage> => {
      pbx.send(pbx.newRequest('INVITE', uri, { cseq, headers, body: pbxSdp(40_000) }), bridge.sip);
      return pbx.next((m) => (m.status ?? 0) >= 200 && m.cseq === cseq, `final response to ${cseq}`);
    };
    const challenge = await call(1);
    const nonce = /nonce="([^"]+)"/.exec(challenge.get('WWW-Authenticate'))?.[1] ?? '';
    const of = (...parts: string[]): string => createHash('sha256').update(parts.join(':')).digest('hex');
    const response = of(of('pbx', 'sip2wa', 'q'), nonce, '00000001', 'c', 'auth', of('INVITE', uri));
    const who = `Digest username="pbx", realm="sip2wa", nonce="${nonce}", uri="${uri}", algorithm=SHA-256`;
    const credentials = [`Authorization: ${who}, response="${response}", qop=auth, nc=00000001, cnonce="c"`];
    expect([challenge.status, bridge.actions]).toEqual([401, []]);
    const taken = call(2, credentials);
    await bridge.step('graph.connect');
    const replay = await call(3, credentials);
    expect([replay.status, replay.get('WWW-Authenticate')]).toEqual([401, expect.stringContaining('stale=true')]);
    expect(bridge.actions).toEqual(['connect']);
    await bridge.deliver(bridge.status('wacid.double-1', 'REJECTED'));
    expect((await taken).status).toBeGreaterThanOrEqual(400);
    expect(await bridge.record()).toMatchObject({ direction: 'business_initiated' });
    expect(bridge.records).toHaveLength(1);
  });
});
