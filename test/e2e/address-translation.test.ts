import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RtpPeer } from '../support/rtp-peer.js';
import { BUSINESS, NUMBER_ID, ScriptedBridge, USER } from '../support/scripted-bridge.js';
import { PeerMessage, type SipScriptPeer } from '../support/sip-script-peer.js';
import { expectTonesBothWays } from '../support/two-tones.js';
import { UdpRelay } from '../support/udp-relay.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

const phoneHz = 440;
const OUT = 'wacid.double-1';
/** What the world sees of us; nothing of the bridge is bound there. */
const publicIp = '127.0.0.50';
const publicHost = 'sip.example.com';
/** Where the bridge finds the PBX's media and the phone, which are at other addresses in truth. */
const pbxSeenAt = '127.0.0.60';
const phoneSeenAt = '127.0.0.61';
const pbxMedia = '127.0.0.70';

const trunks = (pbx: SipScriptPeer): string => `
trunks:
  - name: pbx
    servers: [{ hostname: 127.0.0.1, port: ${pbx.port} }]
    accept_from: [127.0.0.0/8]
    qualify: 0s
numbers:
  - { id: "${NUMBER_ID}", number: "+${BUSINESS}", name: sales, trunk: pbx }
`;

describe('behind 1:1 address translation on both sides', () => {
  let bridge: ScriptedBridge;
  let phone: WrtcPeer;
  let rtp: RtpPeer;
  const relays: UdpRelay[] = [];

  beforeEach(async () => {
    phone = new WrtcPeer(phoneHz);
    rtp = await RtpPeer.open(pbxMedia);
    rtp.peerHost = publicIp;
    bridge = await ScriptedBridge.start({
      sip: `sip: { listen: ["udp://127.0.0.1:0"], advertised_host: ${publicHost} }`,
      media: `listen_ip: 127.0.0.1, advertised_ip: ${publicIp}, remote_networks: [127.0.0.0/8]`,
      trunks,
    });
  });
  afterEach(async () => {
    phone.close();
    rtp.close();
    for (const relay of relays.splice(0)) relay.close();
    await bridge.stop();
  });

  /** The phone's description as it looks from behind the translation. */
  const translated = async (sdp: string): Promise<string> => {
    const candidate = /(a=candidate:\S+ 1 udp \d+ )127\.0\.0\.1 (\d+)/;
    const port = Number(candidate.exec(sdp)?.[2]);
    const nat = await UdpRelay.translating(
      { address: '127.0.0.1', port },
      { address: phoneSeenAt, port: 0 },
      { address: publicIp, port: 0 },
    );
    relays.push(nat);
    return sdp.replace(candidate, `$1${phoneSeenAt} ${nat.port}`);
  };

  /** Opens the way for the port that our SDP names, at the address that it names. */
  const openRtp = async (sdp: string): Promise<number> => {
    expect(sdp).toContain(`c=IN IP4 ${publicIp}\r\n`);
    expect(sdp).toMatch(new RegExp(`^o=- \\d+ \\d+ IN IP4 ${publicIp}\\r$`, 'm'));
    expect(sdp).not.toContain('127.0.0.1');
    const port = Number(/^m=audio (\d+)/m.exec(sdp)?.[1]);
    const [inside, outside] = [
      { address: pbxSeenAt, port: rtp.port },
      { address: publicIp, port },
    ];
    relays.push(await UdpRelay.translating({ address: pbxMedia, port: rtp.port }, inside, outside));
    return port;
  };

  it('a user calls: SIP and SDP show the public address, and both hear each other', async () => {
    expect(await bridge.deliver(bridge.userConnect('wacid.1', await translated(await phone.offer())))).toBe(200);
    const invite = await bridge.pbx.request('INVITE');
    expect(invite.get('Via')).toContain(` ${publicHost}:${bridge.sip.port};`);
    expect(invite.get('Contact')).toContain(`:${publicHost}:${bridge.sip.port}`);
    const port = await openRtp(invite.body);
    bridge.pbx.reply(invite, 200, 'OK', { toTag: 'p1', body: rtp.sdp({ address: pbxSeenAt }) });
    const ack = await bridge.pbx.request('ACK');
    expect(ack.get('Via')).toContain(publicHost);
    await bridge.connected();
    const session = bridge.session();
    expect(session.sdp).not.toContain('a=candidate');
    await phone.accept(session.sdp);
    await expectTonesBothWays(phone, phoneHz, rtp, port);
    bridge.pbx.send(bridge.pbx.fromCallee('BYE', invite, 'p1', 1), bridge.sip);
    await bridge.pbx.response(200, 'BYE');
    expect(await bridge.record()).toMatchObject({ code: 'hangup', endedBy: 'b' });
  }, 20_000);

  it('the PBX calls: SIP and SDP show the public address, and both hear each other', async () => {
    const body = rtp.sdp({ address: pbxSeenAt });
    const text = bridge.pbx.newRequest('INVITE', `sip:+${USER}@${publicHost}:${bridge.sip.port}`, { body });
    bridge.pbx.send(text, bridge.sip);
    await bridge.step('graph.connect');
    const session = bridge.session();
    await bridge.deliver(bridge.businessConnect(OUT, await translated(await phone.answer(session.sdp))));
    await bridge.deliver(bridge.status(OUT, 'ACCEPTED'));
    const ok = await bridge.pbx.response(200, 'INVITE');
    expect(ok.get('Contact')).toContain(`${publicHost}:${bridge.sip.port}`);
    const port = await openRtp(ok.body);
    const invite = new PeerMessage(text, bridge.pbx, undefined, 0);
    await bridge.pbxAcknowledges(invite, ok);
    await expectTonesBothWays(phone, phoneHz, rtp, port);
    bridge.pbx.send(bridge.pbx.inDialog('BYE', invite, ok, { cseq: 2 }), bridge.sip);
    await bridge.pbx.response(200, 'BYE');
    expect(await bridge.record()).toMatchObject({ direction: 'business_initiated', code: 'hangup', endedBy: 'a' });
  }, 20_000);
});
