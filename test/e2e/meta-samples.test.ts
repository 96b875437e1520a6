import type { Socket } from 'node:dgram';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { boundSocket } from '../support/bound-socket.js';
import { readFixture } from '../support/fixtures.js';
import { loopbackSdp } from '../support/loopback-sdp.js';
import { OutgoingGuard } from '../support/outgoing-guard.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { pbxSdp, ScriptedBridge } from '../support/scripted-bridge.js';

const sample = (name: string): string => loopbackSdp(readFixture(`sdp/meta-${name}-from-meta.sdp`));
const linesOf = (sdp: string, start: string): string[] => sdp.split('\r\n').filter((line) => line.startsWith(start));

/** What Meta demands of every description that a business sends. */
function expectForMeta(sdp: string, setup: 'active' | 'actpass'): void {
  expect(sdp.endsWith('\r\n')).toBe(true);
  expect(sdp.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
  const [media, ...others] = linesOf(sdp, 'm=');
  expect(others).toEqual([]);
  expect(media).toMatch(/^m=audio \d+ UDP\/TLS\/RTP\/SAVPF 111 126$/);
  expect(linesOf(sdp, 'a=setup:')).toEqual([`a=setup:${setup}`]);
  expect(linesOf(sdp, 'a=fingerprint:')).toHaveLength(1);
  expect(sdp).toMatch(/^a=fingerprint:sha-256 (?:[0-9A-F]{2}:){31}[0-9A-F]{2}\r$/m);
  expect(linesOf(sdp, 'a=rtpmap:')).toEqual(['a=rtpmap:111 opus/48000/2', 'a=rtpmap:126 telephone-event/8000']);
  expect(linesOf(sdp, 'a=ptime:')).toEqual(['a=ptime:20']);
  expect(sdp.match(/^a=(?:sendrecv|sendonly|recvonly|inactive)\r$/gm)).toEqual(['a=sendrecv\r']);
  // Meta's relay learns our address from our checks: no candidate is wanted.
  expect(linesOf(sdp, 'a=candidate:')).toEqual([]);
  expect(linesOf(sdp, 'a=rtcp-mux')).toHaveLength(1);
  expect(linesOf(sdp, 'a=ice-ufrag:')).toHaveLength(1);
  expect(linesOf(sdp, 'a=ice-pwd:')).toHaveLength(1);
}

describe('Meta’s own descriptions, candidates on loopback, through the whole daemon', () => {
  let bridge: ScriptedBridge;
  let logger: RecordingLogger;
  let guard: OutgoingGuard;
  let rtp: Socket;

  beforeEach(async () => {
    guard = new OutgoingGuard();
    logger = new RecordingLogger();
    rtp = await boundSocket();
    bridge = await ScriptedBridge.start({ logger });
  });
  afterEach(async () => {
    await bridge.stop();
    rtp.close();
    guard.stop();
    expect(guard.strayed).toEqual([]);
  });

  const sessionOf = (index: number): { sdp: string; sdp_type: string } => bridge.session(index);
  /** Lines that speak of Meta's call: all have to name ours. */
  const callsNamed = (): Set<unknown> => {
    const about = ['graph request done', 'webhook event'];
    return new Set(logger.lines.filter(({ message }) => about.includes(message)).map(({ fields }) => fields['call']));
  };

  it('the offer of a user’s call is pre-accepted and accepted with an answer of the form Meta demands', async () => {
    await bridge.deliver(bridge.userConnect('wacid.1', sample('user-initiated-offer')));
    const invite = await bridge.pbx.request('INVITE');
    await bridge.pbxPicksUp(invite, { body: pbxSdp(rtp.address().port) });
    expect(bridge.actions).toEqual(['pre_accept', 'accept']);
    expect(sessionOf(0).sdp_type).toBe('answer');
    expect(sessionOf(1)).toEqual(sessionOf(0));
    expectForMeta(sessionOf(0).sdp, 'active');
    expect(linesOf(sessionOf(0).sdp, 'a=mid:')).toEqual(['a=mid:audio']);
    // Nobody is behind Meta's address: the PBX hangs up before ICE is given up.
    bridge.pbx.send(bridge.pbx.fromCallee('BYE', invite, 'p1', 1), bridge.sip);
    await bridge.pbx.response(200, 'BYE');
    const record = await bridge.record();
    expect(record).toMatchObject({ code: 'hangup', endedBy: 'b', waCallId: 'wacid.1' });
    expect(bridge.actions).toEqual(['pre_accept', 'accept', 'terminate']);
    expect(callsNamed()).toEqual(new Set([record.call]));
  });

  it('the answer to a business’s call makes it ring, and ACCEPTED answers it', async () => {
    const invite = bridge.pbxCalls({ body: pbxSdp(rtp.address().port) });
    await bridge.step('graph.connect');
    expect(sessionOf(0).sdp_type).toBe('offer');
    expectForMeta(sessionOf(0).sdp, 'actpass');
    const id = 'wacid.double-1';
    await bridge.deliver(bridge.businessConnect(id, sample('business-initiated-answer')));
    await bridge.deliver(bridge.status(id, 'RINGING'));
    await bridge.pbx.response(180, 'INVITE');
    await bridge.deliver(bridge.status(id, 'ACCEPTED'));
    const ok = await bridge.pbx.response(200, 'INVITE');
    expect(ok.body).toMatch(/m=audio \d+ RTP\/AVP 8 101/);
    await bridge.pbxAcknowledges(invite, ok);
    bridge.pbx.send(bridge.pbx.inDialog('BYE', invite, ok, { cseq: 2 }), bridge.sip);
    await bridge.pbx.response(200, 'BYE');
    const record = await bridge.record();
    expect(record).toMatchObject({ code: 'hangup', endedBy: 'a', waCallId: id });
    expect(bridge.actions).toEqual(['connect', 'terminate']);
    expect(callsNamed()).toEqual(new Set([record.call]));
  });
});
