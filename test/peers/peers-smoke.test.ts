import { createSocket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { address } from '../support/peers/addresses.js';
import { Asterisk } from '../support/peers/asterisk.js';
import { Baresip } from '../support/peers/baresip.js';
import { requireProgram } from '../support/peers/child.js';
import { escapedPackets } from '../support/peers/escapes.js';
import { LibWebRtc } from '../support/peers/libwebrtc.js';
import { MediaPeer, sdpText } from '../support/peers/media-peer.js';
import { RtpEngine } from '../support/peers/rtpengine.js';
import { Scene } from '../support/peers/scene.js';
import { Sipp } from '../support/peers/sipp.js';
import { judgeTone, sine } from '../support/peers/sound.js';
import { listenFor, until } from '../support/peers/until.js';

// The peers among themselves, without the bridge: when these fail, the peers are broken and not the bridge.
describe('the peers', () => {
  let scene: Scene;
  beforeEach(() => {
    scene = new Scene();
  });
  afterEach(() => scene.close());

  const startBaresip = async (user: string): Promise<Baresip> =>
    scene.add(
      await Baresip.start({
        address: address.baresip,
        folder: scene.path('baresip'),
        user,
        codecs: 'pcma',
        answer: 'auto',
        play: sine(700, 30_000, 8_000),
      }),
    );

  it.each(['sipp', 'baresip', 'asterisk', 'rtpengine', 'cc'])('have %s installed', (program) => {
    expect(() => requireProgram(program)).not.toThrow();
  });

  it('see no network but loopback and the trap, which notices every packet that wants to leave', async () => {
    expect(Object.keys(networkInterfaces()).sort()).toEqual(['lo', 'trap']);
    const before = escapedPackets();
    const socket = createSocket('udp4');
    socket.send('x', 9, '203.0.113.5'); // an address for documentation; nobody has it, and nothing leads there from here
    await until('a packet in the trap', 5_000, () => escapedPackets() > before || undefined);
    socket.close();
    await expect(scene.close()).rejects.toThrow('1 packets were sent outside, to 203.0.113.5');
  });

  it('sipp calls sipp', async () => {
    const callee = await Sipp.start(scene, { scenario: 'uas-answer', address: address.sipp });
    const caller = await Sipp.start(scene, {
      scenario: 'uac-call',
      address: address.stranger,
      target: `${address.sipp}:5060`,
      talkMs: 300,
    });
    await caller.finished(20_000);
    await callee.finished(20_000);
    expect(callee.messages).toContain('a=rtpmap:8 PCMA/8000');
  });

  it('baresip hears its own tone from Asterisk, which stands on the configuration shipped for operators', async () => {
    const asterisk = scene.add(
      await Asterisk.start({ address: address.asterisk, trunk: address.baresip, folder: scene.path('asterisk') }),
    );
    const phone = await startBaresip('5551');
    await phone.command('dial', `sip:620@${address.asterisk}:5060`);
    await phone.event('CALL_ESTABLISHED', 10_000);
    await listenFor(2_000);
    await phone.command('hangup');
    await asterisk.idle(5_000);
    const echo = judgeTone(await phone.heard());
    expect(echo).toMatchObject({ hz: expect.closeTo(700, -1) as number, silentMs: 0 });
    expect(echo.activeMs).toBeGreaterThan(1_500);
    expect(echo.purity).toBeGreaterThan(0.98);
    expect(judgeTone(await asterisk.heard()).hz).toBeCloseTo(700, -1);
  });

  it('Asterisk calls baresip through its trunk and plays a tone', async () => {
    const asterisk = scene.add(
      await Asterisk.start({ address: address.asterisk, trunk: address.baresip, folder: scene.path('asterisk') }),
    );
    // The operator's trunk dials the user part as it is; baresip takes calls to it because that is its name.
    const phone = await startBaresip('+491511234567');
    await asterisk.callOut('+491511234567');
    await phone.event('CALL_ESTABLISHED', 10_000);
    await listenFor(2_000);
    await asterisk.hangupAll();
    await phone.event('CALL_CLOSED', 5_000);
    await asterisk.idle(5_000);
    expect(judgeTone(await phone.heard())).toMatchObject({ hz: expect.closeTo(1004, -1) as number, silentMs: 0 });
    expect(judgeTone(await asterisk.heard()).hz).toBeCloseTo(700, -1);
  });

  it.each([
    ['server', 'actpass'],
    ['client', 'active'],
  ] as const)('the ICE-lite media peer and libwebrtc hear each other, the peer as DTLS %s', async (role, setup) => {
    const relay = await MediaPeer.start(scene, { address: address.relay, role, play: sine(1300, 1_000, 48_000) });
    const agent = scene.add(await LibWebRtc.start(sine(500, 1_000, 48_000)));
    const answer = await agent.answer(relay.description(setup));
    await relay.iceConnected(5_000);
    const dtls = await relay.dtlsConnected(5_000);
    expect(answer).toContain(dtls.fingerprint);
    await agent.connected(5_000);
    relay.mark();
    relay.play();
    agent.speak();
    await listenFor(2_000);
    const { heard, stats } = await relay.report();
    expect(judgeTone(heard).hz).toBeCloseTo(500, -1);
    expect(judgeTone(agent.heard()).hz).toBeCloseTo(1300, -1);
    expect(stats).toMatchObject({ badChecks: 0, controlledChecks: 0, badAuth: 0, ssrcs: 1, timestampJumps: 0 });
  });

  it('rtpengine relays plain RTP to libwebrtc as an ICE-lite agent', async () => {
    const relay = scene.add(await RtpEngine.start(address.rtpengine));
    const behind = await MediaPeer.start(scene, {
      address: address.relayBehind,
      role: 'plain',
      play: sine(1300, 1_000, 48_000),
    });
    const agent = scene.add(await LibWebRtc.start(sine(500, 1_000, 48_000)));
    const call = { 'call-id': 'smoke', 'from-tag': 'a' };
    const offer = await relay.request({
      ...call,
      command: 'offer',
      sdp: sdpText([
        'v=0',
        `o=- 1 1 IN IP4 ${address.relayBehind}`,
        's=-',
        `c=IN IP4 ${address.relayBehind}`,
        't=0 0',
        `m=audio ${behind.port} RTP/AVP 111`,
        'a=rtpmap:111 opus/48000/2',
        'a=sendrecv',
      ]),
      'transport-protocol': 'UDP/TLS/RTP/SAVPF',
      ICE: 'force',
      'ICE-lite': 'forward',
      DTLS: 'passive',
      SDES: ['off'],
      'rtcp-mux': ['offer', 'require'],
      replace: ['origin', 'session-connection'],
    });
    const answer = await relay.request({
      ...call,
      command: 'answer',
      'to-tag': 'b',
      sdp: await agent.answer(textOf(offer.sdp)),
      'transport-protocol': 'RTP/AVP',
      ICE: 'remove',
      'rtcp-mux': ['demux'],
      replace: ['origin', 'session-connection'],
    });
    const port = /m=audio (\d+)/.exec(textOf(answer.sdp))?.[1];
    behind.sendTo(address.rtpengine, Number(port));
    await agent.connected(10_000);
    behind.play();
    agent.speak();
    await listenFor(2_000);
    expect(judgeTone((await behind.report()).heard).hz).toBeCloseTo(500, -1);
    expect(judgeTone(agent.heard()).hz).toBeCloseTo(1300, -1);
  });
});

/** The SDP in an answer of rtpengine. */
function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new Error('rtpengine gave no SDP');
  return value;
}
