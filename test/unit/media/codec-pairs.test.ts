import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { standardCodecs } from '../../../src/media/codec-registry.js';
import { ExpectedLoss } from '../../../src/media/expected-loss.js';
import { createOpusCodec } from '../../../src/media/opus-codec.js';
import { PitchConcealment } from '../../../src/media/pitch-concealment.js';
import { TranscodingBridge } from '../../../src/media/transcoding-bridge.js';
import type { PbxCodec } from '../../../src/routing/types.js';
import { levelDbfs } from '../../../src/sandbox/audio/measure.js';
import { codecVectors, samplesFixture, signalToNoiseDb } from '../../support/codec-vectors.js';
import { FakePacketPort, g711Audio, whatsAppAudio } from '../../support/packet-ports.js';

const codecs = standardCodecs();
const speech = samplesFixture('programme-16k.s16').subarray(0, 12_800);
const level = (samples: Int16Array, rateHz: number): number =>
  levelDbfs({ rateHz, samples: Float32Array.from(samples, (value) => value / 32_768) });

/** A second of a tone that every codec carries, at the codec's own rate. */
const tone = (rateHz: number): Int16Array =>
  Int16Array.from({ length: rateHz }, (_, i) => Math.round(6000 * Math.sin((2 * Math.PI * 800 * i) / rateHz)));

const rateOf = (codec: PbxCodec): number => (codec === 'PCMA' || codec === 'PCMU' ? 8000 : 16_000);

function audioOf(codec: PbxCodec, ptimeMs: number) {
  if (codec === 'opus') return whatsAppAudio;
  return codec === 'G722' ? { codec, payloadType: 9, clockRate: 8000, ptimeMs } : g711Audio(codec, ptimeMs);
}

/** How much louder a second of a tone comes out than it went in, in dB. */
function gainDb(from: PbxCodec, to: PbxCodec, ptimeMs: number, samples = tone(rateOf(from))): number {
  const clock = new FakeClock();
  const fromMs = from === 'opus' ? 20 : ptimeMs;
  const [source, sink] = [new FakePacketPort(audioOf(from, ptimeMs)), new FakePacketPort(audioOf(to, ptimeMs))];
  const bridge = new TranscodingBridge({
    portOf: (id) => (id === 'source' ? source : sink),
    codecs,
    clock,
    logger: silentLogger,
  });
  bridge.connect('source', 'sink');
  const frame = (rateOf(from) * fromMs) / 1000;
  const encoder = codecs.get(from).createEncoder(rateOf(from), frame);
  const ticks = (source.audio!.clockRate * fromMs) / 1000;
  for (let i = 0; (i + 1) * frame <= samples.length; i++) {
    source.receive(i, i * ticks, Uint8Array.from(encoder.encode(samples.slice(i * frame, (i + 1) * frame))));
    clock.advance(fromMs);
  }
  bridge.disconnect();
  const decoder = codecs.get(to).createDecoder(rateOf(to));
  const pcm = new Int16Array(5760);
  const heard = Int16Array.from(sink.sent.flatMap(({ payload }) => [...pcm.subarray(0, decoder.decode(payload, pcm))]));
  encoder.close();
  decoder.close();
  const [skipped, end] = [rateOf(to) * 0.2, rateOf(to) * 0.9];
  return level(heard.subarray(skipped, end), rateOf(to)) - level(samples, rateOf(from));
}

/** What is prepared for, report by report. */
class ReportedLoss {
  readonly #expected = new ExpectedLoss();
  readonly #reports = { blocks: 0, fractionLost: undefined as number | undefined };

  constructor() {
    this.none(0);
  }

  report(fractionLost: number, nowMs: number): number {
    this.#reports.blocks++;
    this.#reports.fractionLost = fractionLost;
    return this.#expected.after(this.#reports, nowMs);
  }

  none(nowMs: number): number {
    return this.#expected.after(this.#reports, nowMs);
  }
}

describe('level through the bridge', () => {
  const pbx: readonly PbxCodec[] = ['PCMA', 'PCMU', 'G722'];
  it.each(pbx.flatMap((codec) => [10, 20, 30, 40, 60].map((ptimeMs) => [codec, ptimeMs] as const)))(
    'Opus and %s in packets of %i ms, both ways: as loud as it came, give or take 3 dB',
    (codec, ptimeMs) => {
      expect(Math.abs(gainDb('opus', codec, ptimeMs))).toBeLessThan(3);
      expect(Math.abs(gainDb(codec, 'opus', ptimeMs))).toBeLessThan(3);
    },
  );

  it('Opus that is handed on: give or take 1 dB', () => {
    expect(Math.abs(gainDb('opus', 'opus', 20))).toBeLessThan(1);
  });
});

describe('recorded vectors', () => {
  const vectors = codecVectors();

  it('packets of another libopus are decoded as it decodes them', () => {
    const decoder = createOpusCodec().createDecoder(16_000);
    const pcm = new Int16Array(1920);
    const heard = Int16Array.from(
      vectors['opus packets'].flatMap((hex) => [...pcm.subarray(0, decoder.decode(Buffer.from(hex, 'hex'), pcm))]),
    );
    decoder.close();
    const wanted = samplesFixture('programme-from-opus.s16');
    expect(heard.length).toBe(wanted.length);
    expect(signalToNoiseDb(wanted, heard)).toBeGreaterThan(40);
  });

  it.each(['native', 'wasm'] as const)("our packets sound as the other libopus' do (%s)", (backend) => {
    const codec = createOpusCodec(backend);
    const [encoder, decoder] = [codec.createEncoder(16_000, 320), codec.createDecoder(16_000)];
    const pcm = new Int16Array(1920);
    const heard: number[] = [];
    for (let at = 0; at + 320 <= speech.length; at += 320) {
      const packet = Uint8Array.from(encoder.encode(speech.slice(at, at + 320)));
      heard.push(...pcm.subarray(0, decoder.decode(packet, pcm)));
    }
    const theirs = samplesFixture('programme-from-opus.s16').subarray(0, heard.length);
    expect(Math.abs(level(Int16Array.from(heard), 16_000) - level(theirs, 16_000))).toBeLessThan(1);
    for (const coder of [encoder, decoder]) coder.close();
  });
});

describe('loss', () => {
  it('of PCM is covered by what was heard last: as loud, and without a seam', () => {
    const concealment = new PitchConcealment(16_000);
    const [heard, lost, made]: number[][] = [[], [], []];
    for (let i = 0; (i + 1) * 320 <= speech.length; i++) {
      const frame = speech.slice(i * 320, (i + 1) * 320);
      if (i % 10 === 5) {
        lost!.push(...frame);
        concealment.conceal(320, frame);
        made!.push(...frame);
      } else concealment.remember(frame, 320);
      heard!.push(...frame);
    }
    expect(Math.abs(level(Int16Array.from(made!), 16_000) - level(Int16Array.from(lost!), 16_000))).toBeLessThan(3);
    // Silence in their place would be 40 dB softer and a repetition of the last 20 ms clicks.
    const steps = heard!.slice(1).map((value, i) => Math.abs(value - heard![i]!));
    const ownSteps = [...speech.subarray(1)].map((value, i) => Math.abs(value - speech[i]!));
    expect(Math.max(...steps)).toBeLessThan(2 * Math.max(...ownSteps));
  });

  it('of much in a row fades to silence within 60 ms, and sound comes back without a jump', () => {
    const concealment = new PitchConcealment(8000);
    const sine = tone(8000);
    concealment.remember(sine.slice(0, 800), 800);
    const gap = new Int16Array(800);
    concealment.conceal(800, gap);
    expect(level(gap.subarray(0, 80), 8000)).toBeCloseTo(level(sine, 8000), 0);
    expect(gap.subarray(480).every((value) => value === 0)).toBe(true);
    const back = sine.slice(820, 980);
    concealment.remember(back, 160);
    expect(Math.abs(back[0]!)).toBeLessThan(200);
    expect(back[159]).toBe(sine[979]);
  });

  it('that is reported raises what encoders prepare for at once, and good reports lower it slowly', () => {
    const loss = new ReportedLoss();
    expect(loss.none(0)).toBe(10);
    expect(loss.report(0.25, 1000)).toBe(25);
    expect(loss.report(0.9, 2000)).toBe(40);
    expect(loss.report(0, 3000)).toBe(40);
    const later = Array.from({ length: 30 }, (_, i) => loss.report(0, 7000 + i * 5000));
    later.forEach((percent, i) => expect(percent).toBeLessThanOrEqual(later[i - 1] ?? 40));
    expect(later.at(-14)).toBe(10);
    expect(later.at(-1)).toBe(0);
    expect(loss.report(0.01, 160_000)).toBe(10);
  });

  it.each([1000, 5000])('is prepared for until reports, one in %i ms, have been good for 10 s', (everyMs) => {
    const loss = new ReportedLoss();
    for (let atMs = 20_000; atMs < 30_000; atMs += everyMs) expect(loss.report(0, atMs)).toBe(10);
    expect(loss.report(0, 30_000)).toBe(0);
    expect(loss.none(40_000)).toBe(0);
    const unlucky = new ReportedLoss();
    unlucky.report(0.02, 0);
    for (let atMs = 5000; atMs <= 30_000; atMs += everyMs) expect(unlucky.report(0, atMs)).toBe(10);
  });

  it('is not told by a report from before the encoder', () => {
    const reports = { blocks: 7, fractionLost: 0.3 };
    const expected = new ExpectedLoss();
    expect(expected.after(reports, 0)).toBe(10);
    expect(expected.after({ ...reports, blocks: 8 }, 1000)).toBe(30);
  });

  it('is prepared for again when reports stop, and one report alone is not believed', () => {
    const loss = new ReportedLoss();
    loss.report(0, 1000);
    for (const atMs of [11_000, 16_000, 61_000]) expect(loss.none(atMs)).toBe(10);
    for (const atMs of [62_000, 67_000]) expect(loss.report(0, atMs)).toBe(10);
    expect(loss.report(0, 72_000)).toBe(0);
    expect(loss.none(87_001)).toBe(10);
    loss.report(0.3, 90_000);
    expect(loss.none(105_001)).toBe(10);
  });

  it.each(['native', 'wasm'] as const)(
    'that is expected makes encoders spend more on copies, effort less (%s)',
    (backend) => {
      const codec = createOpusCodec(backend);
      const packets = (percent: number, complexity: number): Buffer => {
        codec.effort.complexity = complexity;
        const encoder = codec.createEncoder(16_000, 320);
        encoder.expectLoss?.(percent);
        const all: Uint8Array[] = [];
        for (let at = 0; at + 320 <= speech.length; at += 320) {
          all.push(Uint8Array.from(encoder.encode(speech.slice(at, at + 320))));
        }
        encoder.close();
        return Buffer.concat(all);
      };
      expect(packets(30, 5).equals(packets(0, 5))).toBe(false);
      expect(packets(10, 0).equals(packets(10, 5))).toBe(false);
    },
  );
});
