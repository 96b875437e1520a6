import { afterEach, describe, expect, it } from 'vitest';
import { WebRtcScene, type RtpHead } from '../../support/webrtc-scene.js';
import { until } from '../../support/until.js';

let scene: WebRtcScene;
afterEach(() => scene.close());

const toneAmplitude = 10_000 / 32_768;

function expectOneStream(packets: readonly RtpHead[]): void {
  expect(new Set(packets.map(({ ssrc }) => ssrc)).size).toBe(1);
  for (const [i, packet] of packets.slice(1).entries()) {
    const before = packets[i]!;
    expect((packet.sequence - before.sequence) & 0xffff).toBe(1);
    expect((packet.timestamp - before.timestamp) >>> 0).toBe(960);
  }
}

const inAllWays = (['user-initiated', 'business-initiated'] as const).flatMap((direction) =>
  (['own', 'werift'] as const).map((path) => ({ direction, path })),
);

describe.each(inAllWays)('a $direction call with libwebrtc, packets by $path', ({ direction, path }) => {
  const setUp = () => (direction === 'user-initiated' ? scene.userInitiated() : scene.businessInitiated());

  it('comes up with us controlling, ICE before DTLS', async () => {
    scene = new WebRtcScene(undefined, path);
    await setUp();
    await scene.connected();
    expect(scene.events.map(({ type }) => type)).toEqual(['ice_connected', 'dtls_connected']);
    expect(scene.endpoint.isControlling).toBe(true);
    expect(scene.endpoint.port.audio).toEqual({ codec: 'opus', payloadType: 111, clockRate: 48_000, ptimeMs: 20 });
  });

  it('carries a tone each way', async () => {
    scene = new WebRtcScene(undefined, path);
    await setUp();
    await scene.connected();
    scene.endpoint.openSending();
    scene.peer.play();
    scene.playToPeer(1000);
    const [atPeer, fromPeer] = await Promise.all([scene.levelAtPeer(1000), scene.levelFromPeer(440)]);
    expect(atPeer).toBeGreaterThan(toneAmplitude * 0.7);
    expect(atPeer).toBeLessThan(toneAmplitude * 1.3);
    expect(fromPeer).toBeGreaterThan(toneAmplitude * 0.7);
    expect(fromPeer).toBeLessThan(toneAmplitude * 1.3);
    expect(scene.saw('first_packet')).toBe(true);
    expect(await scene.endpoint.stats()).toMatchObject({ codec: 'opus', packetsLost: 0 });
  });

  it('sends no RTP before it may, then at once and without a gap', async () => {
    scene = new WebRtcScene(undefined, path);
    await setUp();
    await scene.connected();
    scene.peer.play();
    await until(() => scene.received.length >= 20, 'audio from the peer');
    scene.endpoint.port.sendAudio(Uint8Array.of(0xf8, 0xff, 0xfe), 20);
    expect(scene.rtpSent).toEqual([]);
    expect(scene.rtcpSent).toEqual([]);
    const openedAtMs = performance.now();
    scene.endpoint.openSending();
    expect(scene.rtpSent).toHaveLength(1);
    expect(scene.rtpSent[0]).toMatchObject({ payloadType: 111, marker: true });
    await until(() => scene.rtpSent.length >= 100, '100 packets');
    const elapsedMs = performance.now() - openedAtMs;
    expect(elapsedMs).toBeGreaterThan(99 * 20 - 20);
    expect(elapsedMs).toBeLessThan(99 * 20 + 400);
    expectOneStream(scene.rtpSent);
  });

  it('keeps one stream, at the usual rate, when audio comes and goes', async () => {
    scene = new WebRtcScene(undefined, path);
    await setUp();
    await scene.connected();
    const openedAtMs = performance.now();
    scene.endpoint.openSending();
    await until(() => scene.rtpSent.length >= 25, 'half a second of silence');
    scene.playToPeer(1000);
    await until(() => scene.rtpSent.length >= 75, 'a second of tone');
    scene.stopPlaying();
    await until(() => scene.rtpSent.length >= 125, 'a second of silence');
    expectOneStream(scene.rtpSent);
    const expected = (performance.now() - openedAtMs) / 20;
    expect(scene.rtpSent.length).toBeLessThan(expected + 6);
    expect(scene.rtpSent.length).toBeGreaterThan(expected - 6);
  });

  it('sends to the candidate of the SDP and nowhere else', async () => {
    scene = new WebRtcScene(undefined, path);
    scene.relayRule = () => 1;
    await setUp();
    await scene.connected();
    scene.endpoint.openSending();
    await until(() => scene.rtpSent.length >= 20, 'some packets');
    const targets = new Set(scene.sent.map(({ address, port }) => `${address}:${port}`));
    expect([...targets]).toEqual([`127.0.0.1:${scene.relay!.port}`]);
  });

  it('reports by RTCP at once and says goodbye', async () => {
    scene = new WebRtcScene(undefined, path);
    await setUp();
    await scene.connected();
    scene.endpoint.openSending();
    await until(() => scene.rtpSent.length >= 10, 'some packets');
    expect(scene.rtcpSent).toEqual([200]);
    const before = scene.sent.length;
    await scene.endpoint.close();
    expect(scene.rtcpSent).toEqual([200, 200]);
    expect(scene.sent.length).toBe(before + 1);
    expect((await scene.endpoint.stats()).packetsSent).toBe(scene.rtpSent.length);
  });
});
