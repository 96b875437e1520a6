import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/lib/clock.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { standardCodecs } from '../../../src/media/codec-registry.js';
import { TranscodingBridge } from '../../../src/media/transcoding-bridge.js';
import type { PbxCodec } from '../../../src/routing/types.js';
import { loopbackEndpoint } from '../../support/loopback-endpoint.js';
import { pace } from '../../support/pace.js';
import { RtpPeer } from '../../support/rtp-peer.js';
import { WebRtcScene } from '../../support/webrtc-scene.js';
import { toneLevel } from '../../support/wrtc-peer.js';

const codecs = standardCodecs();
const amplitude = 10_000;
const heardFrames = 150;

interface Trunk {
  readonly codec: PbxCodec;
  readonly payloadType: number;
  readonly rateHz: number;
  readonly ticksPerMs: number;
  readonly ptimeMs: number;
  readonly formats: string;
  readonly lines?: readonly string[];
  /** Bounds of the level, as a share of what was sent. */
  readonly level: readonly [number, number];
}

const opusLines = ['a=rtpmap:96 opus/48000/2'];
const opusTrunk = {
  codec: 'opus',
  payloadType: 96,
  rateHz: 48_000,
  ticksPerMs: 48,
  formats: '96 8',
  lines: opusLines,
} as const;
const g722Trunk = { codec: 'G722', payloadType: 9, rateHz: 16_000, ticksPerMs: 8, formats: '8 9 0 13' } as const;
const [passed, transcoded] = [
  [10 ** (-1 / 20), 10 ** (1 / 20)],
  [10 ** (-3 / 20), 10 ** (3 / 20)],
] as const;
const trunks: readonly Trunk[] = [
  { ...g722Trunk, ptimeMs: 20, level: transcoded },
  { ...g722Trunk, ptimeMs: 30, level: transcoded },
  { ...opusTrunk, ptimeMs: 20, level: passed },
  { ...opusTrunk, ptimeMs: 60, level: transcoded },
];

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** libwebrtc on one side, a PBX's media port on the other, joined. */
async function joined({ codec, formats, ptimeMs, lines = [] }: Trunk) {
  const scene = new WebRtcScene();
  closers.push(() => scene.close());
  await scene.userInitiated();
  await scene.connected();
  const pbx = await RtpPeer.open();
  const { endpoint, rtpPort } = await loopbackEndpoint({ codecs: [codec, 'PCMA'] });
  closers.push(
    () => pbx.close(),
    () => endpoint.close(),
  );
  await endpoint.createAnswer(pbx.sdp({ formats, ptimeMs, lines }));
  scene.endpoint.openSending();
  const bridge = new TranscodingBridge({
    portOf: (id) => (id === 'pbx' ? endpoint.port : scene.endpoint.port),
    codecs,
    clock: systemClock,
    logger: silentLogger,
  });
  closers.push(() => bridge.disconnect());
  bridge.connect('wa', 'pbx');
  return { scene, pbx, endpoint, rtpPort };
}

describe.each(trunks)('a trunk with $codec in packets of $ptimeMs ms, and libwebrtc', (trunk) => {
  const { codec, payloadType, rateHz, ticksPerMs, ptimeMs, level } = trunk;

  it('hear each other: tone, level, one packet each 20 ms to WhatsApp', { timeout: 30_000 }, async () => {
    const { scene, pbx, endpoint, rtpPort } = await joined(trunk);
    expect(endpoint.port.audio).toEqual({ codec, payloadType, clockRate: ticksPerMs * 1000, ptimeMs });
    scene.peer.play();
    const samples = (rateHz * ptimeMs) / 1000;
    const encoder = codecs.get(codec).createEncoder(rateHz, samples);
    const speak = pace(Math.ceil(5000 / ptimeMs), ptimeMs, (i) => {
      const pcm = Int16Array.from({ length: samples }, (_, k) =>
        Math.round(amplitude * Math.sin((2 * Math.PI * 1000 * (i * samples + k)) / rateHz)),
      );
      const payload = Uint8Array.from(encoder.encode(pcm));
      pbx.send(rtpPort, { payloadType, sequence: i, timestamp: i * ptimeMs * ticksPerMs, payload });
    });
    const atPeer = (await scene.levelAtPeer(1000)) / (amplitude / 32_768);
    await speak;
    encoder.close();
    expect(atPeer).toBeGreaterThan(level[0]);
    expect(atPeer).toBeLessThan(level[1]);

    const decoder = codecs.get(codec).createDecoder(rateHz);
    const pcm = new Int16Array(5760);
    const heard = Int16Array.from(
      pbx.received.slice(-heardFrames).flatMap(({ payload }) => [...pcm.subarray(0, decoder.decode(payload, pcm))]),
    );
    decoder.close();
    const fromPeer = toneLevel({ samples: heard.subarray(-rateHz), sampleRate: rateHz }, 440) / (amplitude / 32_768);
    expect(fromPeer).toBeGreaterThan(level[0]);
    expect(fromPeer).toBeLessThan(level[1]);
    expect(pbx.received.every((packet) => packet.payloadType === payloadType)).toBe(true);
    const stamps = scene.rtpSent.slice(1).map((packet, i) => (packet.timestamp - scene.rtpSent[i]!.timestamp) >>> 0);
    expect(new Set(stamps)).toEqual(new Set([960]));
  });
});
