import { afterEach, describe, expect, it } from 'vitest';
import { readFixture } from '../support/fixtures.js';
import { loopbackSdp } from '../support/loopback-sdp.js';
import { NUMBER_ID, pbxSdp, ScriptedBridge, USER } from '../support/scripted-bridge.js';
import { PeerMessage, SipScriptPeer } from '../support/sip-script-peer.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

const offer = loopbackSdp(readFixture('sdp/meta-user-initiated-offer-from-meta.sdp'));
const ID = 'wacid.double-1';

/** SIP over IPv6 through the whole daemon; what the SDP says is another matter. */
describe.each(['udp', 'tcp'] as const)('a PBX that speaks SIP over IPv6 and %s', (transport) => {
  let bridge: ScriptedBridge;
  let phone: WrtcPeer | undefined;

  const start = async (acceptFrom = '"::1"'): Promise<void> => {
    bridge = await ScriptedBridge.start({
      pbx: await SipScriptPeer[transport]('::1'),
      sip: `sip: { listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0", "udp://[::1]:0", "tcp://[::1]:0"] }`,
      trunks: (pbx) => `
trunks:
  - name: pbx
    servers: [{ hostname: "::1", port: ${pbx.port}, transport: ${transport} }]
    accept_from: [${acceptFrom}, 127.0.0.1/32]
numbers: [{ id: "${NUMBER_ID}", number: "+15551112222", name: sales, trunk: pbx }]
`,
    });
  };
  /** Our listener of that family. */
  const ours = (): { host: string; port: number } => {
    const found = bridge.daemon.addresses.sip.find((it) => it.transport === transport && it.host === '::1');
    if (!found) throw new Error('no such listener');
    return found;
  };
  const invitation = async (): Promise<PeerMessage> => {
    const { pbx } = bridge;
    const text = pbx.newRequest('INVITE', `sip:+${USER}@[::1]:${ours().port}`, { body: pbxSdp(40_000) });
    const to = transport === 'tcp' ? await pbx.dial(ours()) : ours();
    pbx.send(text, to);
    return new PeerMessage(
      text,
      pbx,
      transport === 'tcp' ? (to as NonNullable<PeerMessage['connection']>) : undefined,
      0,
    );
  };
  afterEach(async () => {
    phone?.close();
    phone = undefined;
    await bridge.stop();
  });

  it('takes a call of a user, and hangs up', async () => {
    await start();
    await bridge.deliver(bridge.userConnect(ID, offer));
    const { pbx } = bridge;
    const invite = await pbx.request('INVITE');
    const suffix = transport === 'tcp' ? ';transport=tcp' : '';
    const own = transport === 'udp' ? String(ours().port) : '\\d+';
    expect(invite.uri).toBe(`sip:+15551112222@[::1]:${pbx.port}${suffix}`);
    expect(invite.get('Via')).toMatch(new RegExp(`^SIP/2\\.0/${transport.toUpperCase()} \\[::1\\]:${own};`));
    expect(invite.contactUri).toMatch(/^sip:([^@]+@)?\[::1\]:\d+/);
    expect(invite.get('From')).toContain(`@[::1]:${ours().port}>`);
    pbx.reply(invite, 200, 'OK', { toTag: 'p1', body: pbxSdp(40_000) });
    await pbx.request('ACK');
    await bridge.connected();
    pbx.send(pbx.fromCallee('BYE', invite, 'p1', 1), invite.connection ?? ours());
    await pbx.response(200, 'BYE');
    expect(await bridge.record()).toMatchObject({ direction: 'user_initiated', code: 'hangup', endedBy: 'b' });
  });

  it('calls a user, who hangs up', async () => {
    await start();
    const request = await invitation();
    await bridge.step('graph.connect');
    phone = new WrtcPeer();
    const session = bridge.session();
    await bridge.deliver(bridge.businessConnect(ID, await phone.answer(session.sdp)));
    await bridge.deliver(bridge.status(ID, 'RINGING'));
    await bridge.deliver(bridge.status(ID, 'ACCEPTED'));
    const ok = await bridge.pbx.response(200, 'INVITE');
    expect(ok.get('Via')).toContain(`[::1]:${bridge.pbx.port}`);
    expect(ok.contactUri).toMatch(new RegExp(`\\[::1\\]:${ours().port}`));
    bridge.pbx.send(bridge.pbx.inDialog('ACK', request, ok, { cseq: 1 }), request.connection ?? ours());
    await bridge.connected();
    await bridge.deliver(bridge.terminate(ID, 'BUSINESS_INITIATED'));
    const bye = await bridge.pbx.request('BYE');
    bridge.pbx.reply(bye, 200, 'OK', { noContact: true });
    expect(await bridge.record()).toMatchObject({ direction: 'business_initiated', endedBy: 'b' });
  });

  it('is a stranger where accept_from does not name it', async () => {
    await start('"2001:db8::/32"');
    await invitation();
    await bridge.deliver(bridge.userConnect(ID, offer));
    await bridge.pbx.request('INVITE');
    expect(bridge.actions.filter((action) => action === 'connect')).toEqual([]);
  });
});
