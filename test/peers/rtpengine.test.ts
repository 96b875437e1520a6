import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { address } from '../support/peers/addresses.js';
import { Bridge } from '../support/peers/bridge.js';
import { expectTone } from '../support/peers/hearing.js';
import { user } from '../support/peers/meta.js';
import { MediaPeer, sdpText } from '../support/peers/media-peer.js';
import { RtpEngine } from '../support/peers/rtpengine.js';
import { Scene } from '../support/peers/scene.js';
import { Sipp } from '../support/peers/sipp.js';
import { sine } from '../support/peers/sound.js';
import { listenFor } from '../support/peers/until.js';
import { userToneHz } from '../support/peers/whatsapp-call.js';

// rtpengine where Meta's relay stands: its SDP, its ICE-lite agent, its DTLS (OpenSSL), with the user's sound behind it.
describe('rtpengine', () => {
  let scene: Scene;
  let bridge: Bridge;
  let relay: RtpEngine;
  let behind: MediaPeer;

  beforeEach(async () => {
    scene = new Scene();
    bridge = await Bridge.start(scene, { pbx: address.sipp });
    relay = scene.add(await RtpEngine.start(address.rtpengine));
    behind = await MediaPeer.start(scene, {
      address: address.relayBehind,
      role: 'plain',
      play: sine(userToneHz, 1_000, 48_000),
    });
  });
  afterEach(() => scene.close());

  const replace = ['origin', 'session-connection'];
  const plain = { 'transport-protocol': 'RTP/AVP', ICE: 'remove', 'rtcp-mux': ['demux'], replace };
  const behindSdp = (): string =>
    sdpText([
      'v=0',
      `o=- 1 1 IN IP4 ${address.relayBehind}`,
      's=-',
      `c=IN IP4 ${address.relayBehind}`,
      't=0 0',
      `m=audio ${behind.port} RTP/AVP ${behind.payloadType}`,
      `a=rtpmap:${behind.payloadType} opus/48000/2`,
      'a=sendrecv',
    ]);

  const sendThrough = (sdp: string): void => {
    behind.sendTo(address.rtpengine, Number(/m=audio (\d+)/.exec(sdp)?.[1]));
    behind.play();
  };

  const expectEcho = async (): Promise<void> => {
    const { heard, stats } = await behind.report();
    expectTone(heard, userToneHz, 1_500);
    expect(stats).toMatchObject({ rtpBeforeMark: 0, lost: 0, sequenceJumps: 0, timestampJumps: 0, ssrcs: 1 });
    expect(relay.log).not.toMatch(/SRTP.*(?:fail|discard)|DTLS.*(?:error|fail)|fingerprint mismatch/i);
  };

  it('carries a user-initiated call', async () => {
    const pbx = await Sipp.start(scene, { scenario: 'uas-answer', address: address.sipp });
    const offer = await relay.rewrite('offer', behindSdp(), {
      'transport-protocol': 'UDP/TLS/RTP/SAVPF',
      ICE: 'force',
      'ICE-lite': 'forward',
      SDES: ['off'],
      'rtcp-mux': ['offer', 'require'],
      replace,
    });
    expect(offer).toContain('a=ice-lite');
    expect(offer).toContain('a=setup:actpass');
    bridge.meta.before('accept', () => behind.mark());
    await bridge.meta.userCalls(offer);
    const { session } = await bridge.meta.request('pre_accept');
    sendThrough(await relay.rewrite('answer', session?.sdp ?? '', plain));
    await bridge.meta.request('accept');
    await behind.firstRtp(5_000);
    await listenFor(2_000);
    await bridge.meta.userHangsUp('USER_INITIATED');
    await pbx.finished(10_000);
    await bridge.idle(5_000);
    await expectEcho();
  });

  it('carries a business-initiated call', async () => {
    const pbx = await Sipp.start(scene, {
      scenario: 'uac-call',
      address: address.sipp,
      target: `${address.bridge}:5060`,
      service: `+${user}`,
      talkMs: 2_500,
    });
    const { session } = await bridge.meta.request('connect');
    const towardsUser = await relay.rewrite('offer', session?.sdp ?? '', { ...plain, 'ICE-lite': 'backward' });
    const answer = await relay.rewrite('answer', behindSdp(), { ICE: 'force', 'ICE-lite': 'backward', replace });
    expect(answer).toContain('a=ice-lite');
    await bridge.meta.status('RINGING');
    await bridge.meta.answers(answer);
    behind.mark();
    await bridge.meta.status('ACCEPTED');
    sendThrough(towardsUser);
    await behind.firstRtp(5_000);
    await bridge.meta.request('terminate');
    await pbx.finished(10_000);
    await bridge.idle(5_000);
    await expectEcho();
  });
});
