import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { readFixture } from '../support/fixtures.js';
import { loopbackSdp } from '../support/loopback-sdp.js';
import { BUSINESS, NUMBER_ID, pbxSdp, ScriptedBridge } from '../support/scripted-bridge.js';
import { SipScriptPeer, type PeerMessage } from '../support/sip-script-peer.js';
import { SkippableClock } from '../support/skippable-clock.js';

const offer = loopbackSdp(readFixture('sdp/meta-user-initiated-offer-from-meta.sdp'));
const terms = ['Session-Expires: 600;refresher=uac', 'Require: timer', 'Allow: INVITE, ACK, BYE, CANCEL, UPDATE'];

const field = (value: string, name: string): string => new RegExp(`\\b${name}="?([^",]*)`).exec(value)?.[1] ?? '';

/** The response that the password of the trunk makes of these credentials. */
function expected(message: PeerMessage, value: string): string {
  const of = (...parts: string[]): string => createHash('md5').update(parts.join(':')).digest('hex');
  const [nonce = '', nc = '', cnonce = ''] = ['nonce', 'nc', 'cnonce'].map((name) => field(value, name));
  return of(of('u', 'pbx', 'p'), nonce, nc, cnonce, 'auth', of('UPDATE', message.uri));
}

// A drachtio-server refreshes by itself and has no credentials (decision 0280).
describe.skipIf(process.env['SIP2WA_TEST_DRACHTIO'])(
  'the whole bridge and a PBX that challenges session refreshes',
  () => {
    let bridge: ScriptedBridge;
    afterEach(() => bridge.stop());

    it('answers for the embedded server, proxy and server, and the call outlives its session timer', async () => {
      const pbx = await SipScriptPeer.udp();
      const clock = new SkippableClock();
      bridge = await ScriptedBridge.start({
        pbx,
        sipServerClock: clock,
        trunks: () => `
trunks:
  - name: pbx
    servers: [{ hostname: 127.0.0.1, port: ${pbx.port}, transport: udp }]
    accept_from: [127.0.0.1/32]
    auth: { username: u, password: p, realm: pbx }
numbers: [{ id: "${NUMBER_ID}", number: "+${BUSINESS}", name: sales, trunk: pbx }]
`,
      });
      await bridge.deliver(bridge.userConnect('wacid.1', offer));
      const invite = await pbx.request('INVITE');
      pbx.reply(invite, 200, 'OK', { toTag: 'p1', body: pbxSdp(30_000), headers: terms });
      await pbx.request('ACK');
      await bridge.step('sip.ack');
      for (const round of [1, 2]) {
        // The session ends after 568 s; refreshed it is at half of the 600 s.
        await eventually(() => clock.isArmedWithin(500_000, 600_000), 'the session is agreed on anew');
        clock.skip(300_000);
        const bare = await pbx.request('UPDATE');
        expect(bare.has('Authorization') || bare.has('Proxy-Authorization')).toBe(false);
        const ask = (request: PeerMessage, status: 401 | 407, nonce: string): void =>
          pbx.reply(request, status, 'Who are you', {
            headers: [
              `${status === 401 ? 'WWW' : 'Proxy'}-Authenticate: Digest realm="pbx",nonce="${nonce}",qop="auth"`,
            ],
          });
        ask(bare, 407, `a${round}`);
        const second = await pbx.request('UPDATE');
        ask(second, 401, `b${round}`);
        const third = await pbx.request('UPDATE');
        const shown = [third.get('Proxy-Authorization'), third.get('Authorization')];
        expect(shown.map((value) => field(value, 'nonce'))).toEqual([`a${round}`, `b${round}`]);
        expect(shown.map((value) => field(value, 'response'))).toEqual(shown.map((value) => expected(third, value)));
        expect([second.cseq - bare.cseq, third.cseq - second.cseq]).toEqual([1, 1]);
        pbx.reply(third, 200, 'OK', { headers: terms });
      }
      expect(pbx.count(({ method }) => method === 'BYE')).toBe(0);
      pbx.send(pbx.fromCallee('BYE', invite, 'p1', 1), bridge.sip);
      await pbx.response(200, 'BYE');
      expect(await bridge.record()).toMatchObject({ waCallId: 'wacid.1', trunk: 'pbx' });
    });
  },
);
