import { afterEach, beforeEach, beforeAll, describe, expect, it } from 'vitest';
import { requireIpv6 } from '../support/require-ipv6.js';
import { RtpPeer } from '../support/rtp-peer.js';
import { BUSINESS, NUMBER_ID, ScriptedBridge, USER } from '../support/scripted-bridge.js';
import { PeerMessage, SipScriptPeer } from '../support/sip-script-peer.js';
import { expectTonesBothWays } from '../support/two-tones.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

const OUT = 'wacid.double-1';
const phoneHz = 440;

const trunks = (pbx: SipScriptPeer): string => `
trunks:
  - name: pbx
    servers: [{ hostname: "::1", port: ${pbx.port} }]
    accept_from: ["::1/128"]
    qualify: 0s
numbers:
  - { id: "${NUMBER_ID}", number: "+${BUSINESS}", name: sales, trunk: pbx }
`;

beforeAll(requireIpv6);

describe.each(['::1', '::'])('a call with nothing but IPv6 on both legs, media.listen_ip %s', (listenIp) => {
  let bridge: ScriptedBridge;
  let phone: WrtcPeer;
  let rtp: RtpPeer;

  beforeEach(async () => {
    phone = new WrtcPeer(phoneHz, ['::1']);
    rtp = await RtpPeer.open('::1');
    bridge = await ScriptedBridge.start({
      pbx: await SipScriptPeer.udp('::1'),
      sip: 'sip: { listen: ["udp://[::1]:0"] }',
      media: `listen_ip: "${listenIp}", remote_networks: ["::1/128"]`,
      trunks,
    });
  });
  afterEach(async () => {
    phone.close();
    rtp.close();
    await bridge.stop();
  });

  /** What our description says of where its audio is; no brackets, and one version only. */
  const portOf = (sdp: string): number => {
    expect(sdp).toMatch(/^o=- \d+ \d+ IN IP6 ::1\r$/m);
    expect(sdp).toMatch(/^c=IN IP6 ::1\r$/m);
    expect(sdp).not.toMatch(/\[|IP4/);
    return Number(/^m=audio (\d+)/m.exec(sdp)?.[1]);
  };

  it('carries audio both ways when a user calls', async () => {
    expect(await bridge.deliver(bridge.userConnect('wacid.6', await phone.offer()))).toBe(200);
    const invite = await bridge.pbx.request('INVITE');
    expect(invite.uri).toContain(`@[::1]:${bridge.pbx.port}`);
    await bridge.pbxPicksUp(invite, { body: rtp.sdp() });
    const session = bridge.session();
    await phone.accept(session.sdp);
    await expectTonesBothWays(phone, phoneHz, rtp, portOf(invite.body));
    bridge.pbx.send(bridge.pbx.fromCallee('BYE', invite, 'p1', 1), bridge.sip);
    await bridge.pbx.response(200, 'BYE');
    expect(await bridge.record()).toMatchObject({ code: 'hangup', endedBy: 'b' });
  }, 20_000);

  it('carries audio both ways when the PBX calls', async () => {
    const text = bridge.pbx.newRequest('INVITE', `sip:+${USER}@[::1]:${bridge.sip.port}`, { body: rtp.sdp() });
    bridge.pbx.send(text, bridge.sip);
    await bridge.step('graph.connect');
    const session = bridge.session();
    await bridge.deliver(bridge.businessConnect(OUT, await phone.answer(session.sdp)));
    await bridge.deliver(bridge.status(OUT, 'ACCEPTED'));
    const ok = await bridge.pbx.response(200, 'INVITE');
    const invite = new PeerMessage(text, bridge.pbx, undefined, 0);
    await bridge.pbxAcknowledges(invite, ok);
    await expectTonesBothWays(phone, phoneHz, rtp, portOf(ok.body));
    bridge.pbx.send(bridge.pbx.inDialog('BYE', invite, ok, { cseq: 2 }), bridge.sip);
    await bridge.pbx.response(200, 'BYE');
    expect(await bridge.record()).toMatchObject({ direction: 'business_initiated', code: 'hangup', endedBy: 'a' });
  }, 20_000);
});
