import type { Socket } from 'node:dgram';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { boundSocket } from '../support/bound-socket.js';
import { eventually } from '../support/eventually.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { BUSINESS, NUMBER_ID, pbxSdp, ScriptedBridge, USER, type BridgeOptions } from '../support/scripted-bridge.js';
import { PeerMessage, SipScriptPeer } from '../support/sip-script-peer.js';
import { keyPair, testAuthority, tlsFile } from '../support/tls-fixtures.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

const TLS = `tls: { cert: ${tlsFile('bridge.pem')}, key: ${tlsFile('bridge.key')} }`;
const SIP = `sip: { listen: ["udp://127.0.0.1:0", "tls://127.0.0.1:0"], ${TLS} }`;
const CA = tlsFile('ca.pem');

/** A number on a trunk whose servers are reached by TLS, by name. */
const trunkOf =
  (...ports: number[]) =>
  (): string => {
    const servers = ports.map((port, at) => `{ hostname: localhost, port: ${port}, transport: tls, priority: ${at} }`);
    return `
trunks:
  - { name: pbx, servers: [${servers.join(', ')}], accept_from: [127.0.0.1/32], tls: { ca: ${CA} } }
numbers:
  - { id: "${NUMBER_ID}", number: "+${BUSINESS}", name: sales, trunk: pbx }
`;
  };

// A drachtio-server has its own certificates.
describe.skipIf(process.env['SIP2WA_TEST_DRACHTIO'])('a trunk over TLS', () => {
  let pbx: SipScriptPeer;
  let bridge: ScriptedBridge;
  let phone: WrtcPeer;
  let rtp: Socket;
  const stopping: SipScriptPeer[] = [];

  const start = async (options: Partial<BridgeOptions> = {}): Promise<void> => {
    bridge = await ScriptedBridge.start({ pbx, sip: SIP, trunks: trunkOf(pbx.port), ...options });
  };
  beforeEach(async () => {
    pbx = await SipScriptPeer.tls(keyPair('pbx'));
    phone = new WrtcPeer();
    rtp = await boundSocket();
  });
  afterEach(async () => {
    phone.close();
    rtp.close();
    await bridge.stop();
    for (const peer of stopping.splice(0)) await peer.stop();
  });

  it('carries a call of a user, with audio, on one connection from INVITE to BYE', async () => {
    await start();
    await bridge.deliver(bridge.userConnect('wacid.1', await phone.offer()));
    const invite = await pbx.request('INVITE');
    expect(invite.uri).toBe(`sip:+${BUSINESS}@localhost:${pbx.port};transport=tls`);
    expect(invite.get('Via')).toContain('SIP/2.0/TLS');
    expect(invite.contactUri).toMatch(/^sip:127\.0\.0\.1:\d+;transport=tls$/);
    const firstRtp = new Promise<Buffer>((resolve) => rtp.once('message', resolve));
    pbx.reply(invite, 200, 'OK', { toTag: 'p1', body: pbxSdp(rtp.address().port) });
    expect((await pbx.request('ACK')).connection).toBe(invite.connection);
    await bridge.connected();
    const session = bridge.session();
    phone.play();
    await phone.accept(session.sdp);
    expect((await firstRtp)[1]! & 0x7f).toBe(8);
    await bridge.deliver(bridge.terminate('wacid.1', 'USER_INITIATED', { duration: 3 }));
    const bye = await pbx.request('BYE');
    expect(bye.connection).toBe(invite.connection);
    pbx.reply(bye, 200, 'OK');
    expect(await bridge.record()).toMatchObject({ code: 'hangup', endedBy: 'a', trunk: 'pbx' });
  });

  it('carries a call of the PBX, on the connection that the PBX opened', async () => {
    await start();
    const sip = bridge.daemon.addresses.sip.find(({ transport }) => transport === 'tls')!;
    const line = await pbx.dial(sip, { ca: testAuthority, servername: 'bridge.test' });
    const uri = `sip:+${USER}@${sip.host}:${sip.port};transport=tls`;
    const text = pbx.newRequest('INVITE', uri, { body: pbxSdp(rtp.address().port) });
    pbx.send(text, line);
    await bridge.step('graph.connect');
    const session = bridge.session();
    await bridge.deliver(bridge.businessConnect('wacid.double-1', await phone.answer(session.sdp)));
    await bridge.deliver(bridge.status('wacid.double-1', 'ACCEPTED'));
    const ok = await pbx.response(200, 'INVITE');
    expect(ok.connection).toBe(line);
    pbx.send(pbx.inDialog('ACK', new PeerMessage(text, pbx, line, 0), ok, { cseq: 1 }), line);
    await bridge.connected();
    await bridge.deliver(bridge.terminate('wacid.double-1', 'BUSINESS_INITIATED', { duration: 3 }));
    const bye = await pbx.request('BYE');
    expect(bye.connection).toBe(line);
    pbx.reply(bye, 200, 'OK');
    expect(await bridge.record()).toMatchObject({ direction: 'business_initiated', code: 'hangup', endedBy: 'b' });
  });

  it('goes on to the next server at once when a certificate is not the right one', async () => {
    const stranger = await SipScriptPeer.tls(keyPair('stranger'));
    stopping.push(stranger);
    const logger = new RecordingLogger();
    await start({ trunks: trunkOf(stranger.port, pbx.port), logger });
    await bridge.deliver(bridge.userConnect('wacid.1', await phone.offer()));
    const invite = await pbx.request('INVITE', 3_000);
    expect(stranger.received).toEqual([]);
    const why = 'its certificate is of an authority that is not trusted';
    await eventually(() => logger.lines.some((line) => line.fields['why'] === why), 'a line in the log');
    pbx.reply(invite, 486, 'Busy Here', { toTag: 'p1' });
    await pbx.request('ACK');
    expect(await bridge.record()).toMatchObject({ code: 'busy', endedBy: 'b' });
  });
});
