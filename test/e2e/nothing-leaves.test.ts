import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { boundSocket } from '../support/bound-socket.js';
import { jsonFixture, metaFixture, metaIndex, readFixture } from '../support/fixtures.js';
import { loopbackSdp } from '../support/loopback-sdp.js';
import { OutgoingGuard } from '../support/outgoing-guard.js';
import { pbxSdp, ScriptedBridge } from '../support/scripted-bridge.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { until } from '../support/until.js';
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
    bridge.pbxCalls();
    await bridge.step('graph.connect');
    const answer = readFixture('sdp/meta-business-initiated-answer-from-meta.sdp');
    await bridge.deliver(bridge.businessConnect('wacid.double-1', answer));
    expect(await bridge.record()).toMatchObject({ endedBy: 'b' });
    expect(bridge.actions).toEqual(['connect', 'terminate']);
    expect(guard.strayed).toEqual([]);
  });

  it('when the PBX wants its audio sent to an address that is not the trunk’s', async () => {
    const sdp = pbxSdp(40_000).replace('c=IN IP4 127.0.0.1', 'c=IN IP4 192.0.2.7');
    bridge.pbxCalls({ body: sdp });
    const refusal = await bridge.pbx.response(488, 'INVITE');
    expect(refusal.get('Reason')).toContain('cause=88');
    expect(bridge.actions).toEqual([]);
    expect(guard.strayed).toEqual([]);
  });

  it('during a call with audio', async () => {
    const phone = new WrtcPeer();
    const rtp = await boundSocket();
    await bridge.deliver(bridge.userConnect('wacid.1', await phone.offer()));
    const invite = await bridge.pbx.request('INVITE');
    await bridge.pbxPicksUp(invite, { body: pbxSdp(rtp.address().port) });
    const answer = bridge.session();
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
  let logger: RecordingLogger;
  const trunks = (): string => `
trunks: [{ name: pbx, servers: [{ hostname: 127.0.0.1 }], accept_from: [127.0.0.1/32] }]
numbers:
  - { id: "106540352242922", number: "+16315553601", name: sample, trunk: pbx }
  - { id: "105615555715855", number: "+15551112222", name: legacy, trunk: pbx }
`;
  beforeEach(async () => {
    logger = new RecordingLogger();
    bridge = await ScriptedBridge.start({ trunks, logger });
  });
  afterEach(() => bridge.stop());

  const SAMPLE = '106540352242922';
  const LEGACY = '105615555715855';
  /** Kind and result of each; calls of which nothing is known here wait for one that claims them. */
  const expected: Record<string, readonly [kind: string, result: string, numberId: string, waCallId?: string]> = {
    'business-connect-event.json': ['business_connect', 'parked', SAMPLE, 'wacid.ABGGFjFVU2AfAgo6V-Hc5eCgK5Gh'],
    'business-connect-legacy-connection-event.json': ['business_connect', 'parked', LEGACY],
    'status-ringing-event.json': ['call_status', 'parked', SAMPLE],
    'status-accepted-event.json': ['call_status', 'parked', SAMPLE],
    'status-rejected-event.json': ['call_status', 'parked', SAMPLE],
    'terminate-completed-event.json': ['call_terminate', 'parked', SAMPLE, 'wacid.ABGGFjFVU2AfAgo6V-Hc5eCgK5Gh'],
    'terminate-failed-event.json': ['call_terminate', 'parked', SAMPLE, 'wacid.ABGGFjFVU2AfAgo6V-Hc5eCgK5Gh'],
    'permission-reply-user-event.json': ['permission_reply', 'handled', SAMPLE],
    'permission-reply-automatic-event.json': ['permission_reply', 'handled', SAMPLE],
  };
  const lines = (): Record<string, unknown>[] =>
    logger.lines.filter(({ message }) => message === 'webhook event').map(({ fields }) => fields);
  const line = async (index: number): Promise<Record<string, unknown>> => {
    await until(() => lines().length > index, `line ${index + 1} about a webhook event`);
    return lines()[index]!;
  };

  it('has an expectation for each', () => {
    const events = metaIndex().filter(({ kind }) => kind === 'event');
    expect(Object.keys(expected).sort()).toEqual(events.map(({ file }) => file).sort());
  });

  it.each(Object.entries(expected))('%s is understood once, and disturbs nothing', async (file, event) => {
    const [kind, result, numberId, waCallId] = event;
    const body = JSON.parse(onLoopback(JSON.stringify(metaFixture(file)))) as unknown;
    expect(await bridge.deliver(body)).toBe(200);
    expect(await line(0)).toMatchObject({ kind, result, numberId, ...(waCallId && { waCallId }) });
    expect(await bridge.deliver(body)).toBe(200);
    expect(await line(1)).toMatchObject({ kind, result: 'duplicate', numberId });
    expect(lines()).toHaveLength(2);
    expect(logger.lines.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([]);
    expect(bridge.daemon.calls()).toBe(0);
    expect(bridge.actions).toEqual([]);
  });

  it('the webhook sample with the older connection beside the session', async () => {
    const sample = jsonFixture('webhooks/business-initiated-connect-with-legacy-connection.json');
    expect(await bridge.deliver(JSON.parse(onLoopback(JSON.stringify(sample))))).toBe(200);
    expect(await line(0)).toMatchObject({ kind: 'business_connect', result: 'parked' });
  });

  it('and one of a number that nobody configured is dropped aloud', async () => {
    const strange = JSON.stringify(metaFixture('status-ringing-event.json')).replaceAll(SAMPLE, '999');
    expect(await bridge.deliver(JSON.parse(strange))).toBe(200);
    expect(await line(0)).toMatchObject({ kind: 'call_status', result: 'foreign_number', numberId: '999' });
    expect(logger.lines).toContainEqual(
      expect.objectContaining({ level: 'warn', message: 'webhook of a number that is not configured' }),
    );
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
