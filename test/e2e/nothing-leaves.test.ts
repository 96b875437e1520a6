import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { jsonFixture, metaFixture, metaIndex, readFixture } from '../support/fixtures.js';
import { loopbackSdp } from '../support/loopback-sdp.js';
import { OutgoingGuard } from '../support/outgoing-guard.js';
import { pbxSdp, ScriptedBridge, USER } from '../support/scripted-bridge.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

describe('nothing leaves the machine', () => {
  let guard: OutgoingGuard;
  let bridge: ScriptedBridge;

  beforeEach(async () => {
    guard = new OutgoingGuard();
    bridge = await ScriptedBridge.start();
  });
  afterEach(async () => {
    await bridge.stop();
    guard.stop();
  });

  it('when Meta’s own offer, public addresses and all, comes while only loopback is configured', async () => {
    await bridge.deliver(bridge.userConnect('wacid.1', readFixture('sdp/meta-user-initiated-offer-from-meta.sdp')));
    expect(await bridge.record()).toMatchObject({ endedBy: 'a', result: expect.any(String) as string });
    expect(bridge.actions).toEqual(['reject']);
    expect(guard.strayed).toEqual([]);
  });

  it('when Meta’s own answer names public addresses', async () => {
    const uri = `sip:+${USER}@${bridge.sip.host}:${bridge.sip.port}`;
    bridge.pbx.send(bridge.pbx.newRequest('INVITE', uri, { body: pbxSdp(40_000) }), bridge.sip);
    await bridge.step('graph.connect');
    const answer = readFixture('sdp/meta-business-initiated-answer-from-meta.sdp');
    await bridge.deliver(bridge.businessConnect('wacid.double-1', answer));
    expect(await bridge.record()).toMatchObject({ endedBy: 'b' });
    expect(bridge.actions).toEqual(['connect', 'terminate']);
    expect(guard.strayed).toEqual([]);
  });

  it('when the PBX wants its audio sent to an address that is not the trunk’s', async () => {
    const sdp = pbxSdp(40_000).replace('c=IN IP4 127.0.0.1', 'c=IN IP4 192.0.2.7');
    const uri = `sip:+${USER}@${bridge.sip.host}:${bridge.sip.port}`;
    bridge.pbx.send(bridge.pbx.newRequest('INVITE', uri, { body: sdp }), bridge.sip);
    const refusal = await bridge.pbx.response(488, 'INVITE');
    expect(refusal.get('Reason')).toContain('cause=88');
    expect(bridge.actions).toEqual([]);
    expect(guard.strayed).toEqual([]);
  });

  it('during a call with audio', async () => {
    const phone = new WrtcPeer();
    const rtp = createSocket('udp4');
    await new Promise<void>((resolve) => rtp.bind(0, '127.0.0.1', resolve));
    await bridge.deliver(bridge.userConnect('wacid.1', await phone.offer()));
    const invite = await bridge.pbx.request('INVITE');
    bridge.pbx.reply(invite, 200, 'OK', { toTag: 'p1', body: pbxSdp(rtp.address().port) });
    await bridge.pbx.request('ACK');
    await bridge.step('call.state', (detail) => detail['to'] === 'connected');
    const answer = bridge.graph.seen[0]?.body['session'] as { sdp: string };
    await phone.accept(answer.sdp);
    await phone.reaches('connected');
    await new Promise<void>((resolve) => rtp.once('message', () => resolve()));
    phone.close();
    rtp.close();
    expect(guard.datagrams).toBeGreaterThan(10);
    expect(guard.strayed).toEqual([]);
  });

  it('is really watched: a datagram and a connection to a documentation address are seen and kept back', async () => {
    const socket = createSocket('udp4');
    socket.send('x', 9, '192.0.2.1');
    await new Promise<void>((resolve) => socket.close(() => resolve()));
    const connection = connect(9, '192.0.2.1');
    await new Promise<void>((resolve) => connection.once('error', () => resolve()));
    expect(guard.strayed).toEqual(['udp 192.0.2.1', 'tcp 192.0.2.1']);
  });
});

describe('each event of Meta’s reference, delivered to the running daemon', () => {
  let bridge: ScriptedBridge;
  const trunks = (): string => `
trunks: [{ name: pbx, servers: [{ hostname: 127.0.0.1 }], accept_from: [127.0.0.1/32] }]
numbers:
  - { id: "106540352242922", number: "+16315553601", name: sample, trunk: pbx }
  - { id: "105615555715855", number: "+15551112222", name: legacy, trunk: pbx }
`;
  beforeEach(async () => {
    bridge = await ScriptedBridge.start({ trunks });
  });
  afterEach(() => bridge.stop());

  const events = metaIndex().filter(({ kind }) => kind === 'event');

  it.each(events.map(({ file }) => [file]))('%s gets 200 and disturbs nothing', async (file) => {
    const body = JSON.parse(onLoopback(JSON.stringify(metaFixture(file)))) as unknown;
    expect(await bridge.deliver(body)).toBe(200);
    expect(await bridge.deliver(body)).toBe(200);
    expect(bridge.daemon.calls()).toBe(0);
    expect(bridge.actions).toEqual([]);
  });

  it('the webhook sample with the older connection beside the session', async () => {
    const sample = jsonFixture('webhooks/business-initiated-connect-with-legacy-connection.json');
    expect(await bridge.deliver(JSON.parse(onLoopback(JSON.stringify(sample))))).toBe(200);
  });
});

/** Candidates inside JSON: the SDP's line ends are escaped, once or twice. */
function onLoopback(json: string): string {
  const rewritten = json.replace(/"sdp":"((?:[^"\\]|\\.)*)"/g, (_, text: string) => {
    const sdp = JSON.parse(`"${text}"`) as string;
    return `"sdp":${JSON.stringify(sdp.startsWith('{') ? sdp : loopbackSdp(sdp))}`;
  });
  return rewritten.replace(/31\.13\.\d+\.\d+/g, '127.0.0.1').replace(/2a03:2880:[0-9a-f:]+/g, '::1');
}
