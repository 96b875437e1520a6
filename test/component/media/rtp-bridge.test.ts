import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/lib/clock.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { standardCodecs } from '../../../src/media/codec-registry.js';
import { createOpusCodec } from '../../../src/media/opus-codec.js';
import type { UdpRtpEndpoint } from '../../../src/media/rtp-endpoint.js';
import { TranscodingBridge } from '../../../src/media/transcoding-bridge.js';
import { gaps, levelDbfs, strongestHz } from '../../../src/sandbox/audio/measure.js';
import type { Pcm } from '../../../src/sandbox/audio/pcm.js';
import { eventually } from '../../support/eventually.js';
import { loopbackEndpoint } from '../../support/loopback-endpoint.js';
import { pace } from '../../support/pace.js';
import { FakePacketPort, whatsAppAudio } from '../../support/packet-ports.js';
import { RtpPeer, type ReceivedRtp } from '../../support/rtp-peer.js';
import { fromG711, fromOpus, toG711, ToneSource } from '../../support/tones.js';

const amplitude = 8000;
const codecs = standardCodecs();
let scene: Scene | undefined;

/** A PBX on real sockets, and WhatsApp as a port that counts. */
class Scene {
  readonly #encoder = createOpusCodec().createEncoder(8000, 160);
  readonly tone = new ToneSource(1000, amplitude);

  private constructor(
    readonly whatsApp: FakePacketPort,
    readonly pbx: RtpPeer,
    readonly endpoint: UdpRtpEndpoint,
    readonly rtpPort: number,
    readonly bridge: TranscodingBridge,
  ) {}

  static async open(codec: 'PCMA' | 'PCMU', ptimeMs: number): Promise<Scene> {
    const pbx = await RtpPeer.open();
    const { endpoint, rtpPort } = await loopbackEndpoint({ codecs: [codec] });
    await endpoint.createAnswer(pbx.sdp({ formats: codec === 'PCMA' ? '8' : '0', ptimeMs }));
    const whatsApp = new FakePacketPort(whatsAppAudio);
    const bridge = new TranscodingBridge({
      portOf: (id) => (id === 'pbx' ? endpoint.port : whatsApp),
      codecs,
      clock: systemClock,
      logger: silentLogger,
    });
    bridge.connect('wa', 'pbx');
    return new Scene(whatsApp, pbx, endpoint, rtpPort, bridge);
  }

  opusFrame(): Uint8Array {
    return Uint8Array.from(this.#encoder.encode(this.tone.next(160)));
  }

  async close(): Promise<void> {
    this.bridge.disconnect();
    await this.endpoint.close();
    this.pbx.close();
  }
}

function expectTone(pcm: Pcm): void {
  const steady = { ...pcm, samples: pcm.samples.subarray(3200) };
  expect(strongestHz(steady)).toBeGreaterThan(990);
  expect(strongestHz(steady)).toBeLessThan(1010);
  expect(Math.abs(levelDbfs(steady) - 20 * Math.log10(amplitude / 32_768))).toBeLessThan(3);
}

function expectUnbroken(received: readonly ReceivedRtp[], ptimeMs: number): void {
  received.forEach((packet, i) => {
    const first = received[0]!;
    expect(packet).toMatchObject({
      ssrc: first.ssrc,
      sequence: (first.sequence + i) & 0xffff,
      timestamp: (first.timestamp + i * ptimeMs * 8) >>> 0,
    });
  });
}

afterEach(async () => {
  await scene?.close();
  scene = undefined;
});

describe('RTP endpoint and bridge', () => {
  it.each([
    ['PCMA', 20],
    ['PCMU', 30],
  ] as const)('carries a tone both ways: %s, %i ms', async (codec, ptimeMs) => {
    const current = (scene = await Scene.open(codec, ptimeMs));
    const payloadType = codec === 'PCMA' ? 8 : 0;
    const fromPbx = new ToneSource(1000, amplitude);
    await Promise.all([
      pace(60, 20, (i) => current.whatsApp.receive(i, i * 960, current.opusFrame())),
      pace(Math.floor(1200 / ptimeMs), ptimeMs, (i) => {
        const payload = toG711(codec, fromPbx.next(ptimeMs * 8));
        current.pbx.send(current.rtpPort, { payloadType, sequence: i, timestamp: i * ptimeMs * 8, payload });
      }),
    ]);
    await eventually(() => current.whatsApp.sent.length >= 60, 'all frames towards WhatsApp');
    expectTone(fromOpus(current.whatsApp.sent.map(({ payload }) => payload)));
    const { received } = current.pbx;
    expect(received.length * ptimeMs).toBeGreaterThan(1100);
    expectTone(
      fromG711(
        codec,
        received.map(({ payload }) => payload),
      ),
    );
    expectUnbroken(received, ptimeMs);
    expect(received.every((packet) => packet.payload.length === ptimeMs * 8)).toBe(true);
  });

  it('keeps the PBX fed, in order, when WhatsApp loses every twentieth packet and swaps others', async () => {
    const current = (scene = await Scene.open('PCMA', 20));
    const frames = Array.from({ length: 80 }, (_, i) => ({ i, payload: current.opusFrame() }));
    const [lost, swapped] = [(i: number) => i % 20 === 13, (i: number) => i % 20 === 3];
    const arrivals = frames
      .filter(({ i }) => !lost(i))
      .sort((a, b) => a.i + (swapped(a.i) ? 1.5 : 0) - (b.i + (swapped(b.i) ? 1.5 : 0)));
    await pace(80, 20, (slot) => {
      const arrival = arrivals[slot];
      if (arrival) current.whatsApp.receive(arrival.i, arrival.i * 960, arrival.payload);
    });
    const { received } = current.pbx;
    expect(received.length).toBeGreaterThan(72);
    expectUnbroken(received, 20);
    const heard = fromG711(
      'PCMA',
      received.map(({ payload }) => payload),
    );
    expect(gaps({ ...heard, samples: heard.samples.subarray(1600, 11_200) })).toEqual([]);
    expect(strongestHz({ ...heard, samples: heard.samples.subarray(1600) })).toBeCloseTo(1000, -1);
  });

  it('passes digits of the PBX on, and digits to the PBX as events', async () => {
    const current = (scene = await Scene.open('PCMA', 20));
    for (let n = 1; n <= 6; n++) {
      const payload = Uint8Array.of(7, n > 5 ? 0x8a : 0x0a, 0, Math.min(n, 5) * 40);
      current.pbx.send(current.rtpPort, { payloadType: 101, sequence: n, timestamp: 800, payload });
    }
    await eventually(() => current.whatsApp.digits.length > 0, 'the digit at WhatsApp');
    expect(current.whatsApp.digits).toEqual([{ digit: '7', durationMs: 25 }]);
    for (let n = 1; n <= 5; n++) current.whatsApp.receiveEvent(48_000, 9, n * 160, n === 5);
    const isEnd = (packet: ReceivedRtp): boolean => packet.payloadType === 101 && (packet.payload[1]! & 0x80) !== 0;
    await eventually(() => current.pbx.received.filter(isEnd).length === 3, 'three end packets at the PBX');
    const events = current.pbx.received.filter(({ payloadType }) => payloadType === 101);
    expect(new Set(events.map(({ payload, timestamp }) => `${payload[0]} ${timestamp}`)).size).toBe(1);
    expect(events.at(-1)!.payload.readUInt16BE(2)).toBe(800);
  });
});
