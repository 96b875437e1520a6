import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { standardCodecs } from '../../../src/media/codec-registry.js';
import {
  emptyRtpFields,
  parseRtp,
  rtpHeaderBytes,
  writeRtpHeader,
  type RtpFields,
} from '../../../src/media/rtp-packet.js';
import { TranscodingBridge } from '../../../src/media/transcoding-bridge.js';
import { WebRtcStream } from '../../../src/media/webrtc-stream.js';
import type { WhatsAppFormat, WhatsAppRemote } from '../../../src/sdp/whatsapp-remote.js';
import { gaps, levelDbfs, strongestHz } from '../../../src/sandbox/audio/measure.js';
import { FakePacketPort, g711Audio } from '../../support/packet-ports.js';
import { fromG711, toG711, ToneSource } from '../../support/tones.js';

const codecs = standardCodecs();
const pcma: WhatsAppFormat = { codec: 'PCMA', payloadType: 8, clockRate: 8000 };
const pcmu: WhatsAppFormat = { codec: 'PCMU', payloadType: 0, clockRate: 8000 };
const opus: WhatsAppFormat = { codec: 'opus', payloadType: 111, clockRate: 48_000 };
const amplitude = 8000;
const amplitudeDbfs = 20 * Math.log10(amplitude / 32_768);

interface ToMeta extends RtpFields {
  readonly atMs: number;
  readonly payload: Uint8Array;
}

/** The real stream of a WhatsApp leg that has agreed on G.711, joined to a PBX without a network. */
class Scene {
  readonly clock = new FakeClock();
  readonly stream = new WebRtcStream(this.clock);
  readonly toMeta: ToMeta[] = [];
  readonly #bridge: TranscodingBridge;
  #sequence = 65_500;
  #timestamp = 0xffff_ff00;

  constructor(
    readonly pbx = new FakePacketPort(g711Audio('PCMA')),
    formats: readonly [WhatsAppFormat, ...WhatsAppFormat[]] = [pcma],
  ) {
    this.stream.negotiate({ formats, telephoneEventPayloadType: 126 } as unknown as WhatsAppRemote);
    const sendRtp = (datagram: Buffer): void => {
      const fields = emptyRtpFields();
      if (!parseRtp(datagram, fields)) throw new Error('no RTP');
      this.toMeta.push({ ...fields, atMs: this.clock.monotonicMs(), payload: Uint8Array.from(datagram.subarray(12)) });
    };
    this.stream.start({ sendRtp, sendRtcp: () => undefined });
    this.#bridge = new TranscodingBridge({
      portOf: (id) => (id === 'wa' ? this.stream : this.pbx),
      ...{ codecs, clock: this.clock, logger: silentLogger },
    });
    this.#bridge.connect('wa', 'pbx');
  }

  /** A packet from Meta, and its 20 ms. */
  fromMeta(payload: Uint8Array, payloadType = 8, ticks = 160): void {
    const datagram = Buffer.alloc(rtpHeaderBytes + payload.length);
    writeRtpHeader(datagram, payloadType, false, this.#sequence++ & 0xffff, this.#timestamp, 7);
    this.#timestamp = (this.#timestamp + ticks) >>> 0;
    datagram.set(payload, rtpHeaderBytes);
    this.stream.receive(datagram);
    this.clock.advance(20);
  }

  /** A packet from the PBX, and its time; without a payload it is lost. */
  fromPbx(durationMs: number, payload: Uint8Array | undefined): void {
    if (payload) this.pbx.receive(this.#sequence, this.#timestamp, payload);
    this.#sequence++;
    this.#timestamp += durationMs * 8;
    this.clock.advance(durationMs);
  }

  audioToMeta(): ToMeta[] {
    return this.toMeta.filter(({ payloadType }) => payloadType !== 126);
  }
}

/** 20 ms with all octets there are, in another order each. */
const anyOctets = (seed: number, count = 160): Uint8Array =>
  Uint8Array.from({ length: count }, (_, i) => (i * 7 + seed * 31) & 0xff);

const differences = (values: readonly number[]): number[] =>
  values.slice(1).map((value, i) => (value - values[i]!) >>> 0);

describe.each([
  ['PCMA', pcma],
  ['PCMU', pcmu],
] as const)('%s on both sides', (codec, format) => {
  it('passes the packets of the PBX as they are, in the one stream to Meta', () => {
    const scene = new Scene(new FakePacketPort(g711Audio(codec)), [format]);
    const said = Array.from({ length: 100 }, (_, i) => anyOctets(i));
    for (const payload of said) scene.fromPbx(20, payload);
    const { payloadType } = format;
    expect(scene.toMeta.every((packet) => packet.payloadType === payloadType)).toBe(true);
    const heard = scene.toMeta.map(({ payload }) => Buffer.from(payload).toString('hex'));
    const wanted = said.map((payload) => Buffer.from(payload).toString('hex'));
    // The stream begins with silence; from then on it is packet for packet what was said.
    const from = heard.indexOf(wanted[0]!);
    expect(from).toBeLessThanOrEqual(2);
    expect(heard.slice(from, from + 100)).toEqual(wanted);
    expect(new Set(differences(scene.toMeta.map(({ timestamp }) => timestamp)))).toEqual(new Set([160]));
    expect(new Set(differences(scene.toMeta.map(({ sequence }) => sequence)).map((d) => d & 0xffff))).toEqual(
      new Set([1]),
    );
  });

  it('passes the packets of Meta as they are', () => {
    const scene = new Scene(new FakePacketPort(g711Audio(codec)), [format]);
    const said = Array.from({ length: 100 }, (_, i) => anyOctets(i));
    for (const payload of said) scene.fromMeta(payload, format.payloadType);
    expect(scene.pbx.sent.map(({ durationMs }) => durationMs)).toEqual(Array<number>(100).fill(20));
    expect(scene.pbx.sent.map(({ payload }) => [...payload])).toEqual(said.map((payload) => [...payload]));
  });

  it.each([10, 30, 40, 60])('Meta gets 20 ms in each packet of a PBX that sends %i ms, octet for octet', (ptimeMs) => {
    const scene = new Scene(new FakePacketPort(g711Audio(codec, ptimeMs)), [format]);
    const said = Array.from({ length: Math.round(2400 / ptimeMs) }, (_, i) =>
      toG711(codec, new ToneSource(440, 9000 + i).next(ptimeMs * 8)),
    );
    for (const payload of said) scene.fromPbx(ptimeMs, payload);
    expect(scene.toMeta.every(({ payload }) => payload.length === 160)).toBe(true);
    const heard = Buffer.concat(scene.toMeta.map(({ payload }) => payload));
    const wanted = Buffer.concat(said).subarray(0, 160 * 80);
    expect(heard.indexOf(wanted)).toBeGreaterThanOrEqual(0);
    expect(new Set(differences(scene.toMeta.map(({ timestamp }) => timestamp)))).toEqual(new Set([160]));
    // And no gap in time: one packet in each 20 ms.
    const lasts = scene.clock.monotonicMs() - scene.toMeta[0]!.atMs;
    expect(Math.abs(scene.toMeta.length - lasts / 20)).toBeLessThanOrEqual(ptimeMs / 20 + 2);
  });

  it.each([10, 30, 40, 60])('a PBX that wants %i ms gets such packets, octet for octet', (ptimeMs) => {
    const scene = new Scene(new FakePacketPort(g711Audio(codec, ptimeMs)), [format]);
    const tone = new ToneSource(440);
    const said = Array.from({ length: 120 }, () => toG711(codec, tone.next(160)));
    for (const payload of said) scene.fromMeta(payload, format.payloadType);
    expect(new Set(scene.pbx.sent.map(({ payload, durationMs }) => `${payload.length} ${durationMs}`))).toEqual(
      new Set([`${ptimeMs * 8} ${ptimeMs}`]),
    );
    const heard = Buffer.concat(scene.pbx.sent.map(({ payload }) => payload));
    expect(heard.equals(Buffer.concat(said).subarray(0, heard.length))).toBe(true);
    expect(heard.length).toBeGreaterThanOrEqual(160 * 118);
  });
});

describe('G.711 at Meta', () => {
  it('is fed silence in its own law while the PBX says nothing', () => {
    for (const [format, octet] of [
      [pcma, 0xd5],
      [pcmu, 0xff],
    ] as const) {
      const scene = new Scene(new FakePacketPort(undefined), [format]);
      scene.clock.advance(2000);
      expect(Math.abs(scene.toMeta.length - 100)).toBeLessThanOrEqual(2);
      expect(
        scene.toMeta.every(({ payload }) => payload.length === 160 && payload.every((each) => each === octet)),
      ).toBe(true);
    }
  });

  it('hears the comfort noise that the PBX speaks of, in each slot of its pause', () => {
    const scene = new Scene();
    const tone = new ToneSource(1000, amplitude);
    for (let i = 0; i < 50; i++) scene.fromPbx(20, toG711('PCMA', tone.next(160)));
    const before = scene.toMeta.length;
    scene.pbx.onComfortNoise?.({ sequence: 0, timestamp: 0, marker: false, payload: Uint8Array.of(45) });
    scene.clock.advance(1000);
    const pause = scene.toMeta.slice(before + 5);
    expect(pause.length).toBeGreaterThanOrEqual(44);
    const noise = fromG711(
      'PCMA',
      pause.map(({ payload }) => payload),
    );
    expect(levelDbfs(noise)).toBeGreaterThan(-50);
    expect(levelDbfs(noise)).toBeLessThan(-40);
  });

  it('a loss on the side of the PBX leaves no hole and no silence at Meta', () => {
    const scene = new Scene();
    const tone = new ToneSource(1000, amplitude);
    for (let i = 0; i < 150; i++) {
      const payload = toG711('PCMA', tone.next(160));
      scene.fromPbx(20, i > 20 && i % 25 === 0 ? undefined : payload);
    }
    const heard = fromG711(
      'PCMA',
      scene.toMeta.slice(10, 140).map(({ payload }) => payload),
    );
    expect(gaps(heard)).toEqual([]);
    expect(Math.round(strongestHz(heard) ?? 0)).toBe(1000);
    expect(new Set(differences(scene.toMeta.map(({ timestamp }) => timestamp)))).toEqual(new Set([160]));
  });

  it('a digit from the PBX is an event at 8 kHz in the stream of the audio', () => {
    const scene = new Scene();
    for (let i = 0; i < 10; i++) scene.fromPbx(20, anyOctets(i));
    scene.stream.sendDtmf('7', 100);
    for (let i = 0; i < 20; i++) scene.fromPbx(20, anyOctets(i));
    const events = scene.toMeta.filter(({ payloadType }) => payloadType === 126);
    expect(events.map(({ payload }) => [payload[0], ((payload[2] ?? 0) << 8) | (payload[3] ?? 0)])).toEqual([
      ...[160, 320, 480, 640].map((ticks) => [7, ticks]),
      ...Array.from({ length: 3 }, () => [7, 800]),
    ]);
    expect(new Set(events.map(({ timestamp }) => timestamp)).size).toBe(1);
    const [last, next] = [scene.toMeta.indexOf(events[0]!) - 1, scene.toMeta.indexOf(events.at(-1)!) + 1];
    expect((scene.toMeta[next]!.timestamp - scene.toMeta[last]!.timestamp) >>> 0).toBe(6 * 160);
    expect(new Set(differences(scene.toMeta.map(({ sequence }) => sequence)).map((d) => d & 0xffff))).toEqual(
      new Set([1]),
    );
  });

  it("a digit of the user's is understood by the 8 kHz clock, and its audio is not heard along with it", () => {
    const scene = new Scene();
    const tone = new ToneSource(1000, amplitude);
    for (let i = 0; i < 10; i++) scene.fromMeta(toG711('PCMA', tone.next(160)));
    for (let i = 1; i <= 8; i++) {
      const datagram = Buffer.alloc(16);
      writeRtpHeader(datagram, 126, i === 1, 100 + i, 5000, 7);
      datagram.set(Uint8Array.of(3, i === 8 ? 0x8a : 0x0a, (i * 160) >> 8, (i * 160) & 0xff), 12);
      scene.stream.receive(datagram);
      scene.clock.advance(20);
    }
    expect(scene.pbx.digits).toEqual([{ digit: '3', durationMs: 160 }]);
  });

  it('and the other law at the PBX: recoded by table, 20 ms for 20 ms', () => {
    const scene = new Scene(new FakePacketPort(g711Audio('PCMU')));
    const tone = new ToneSource(1000, amplitude);
    for (let i = 0; i < 100; i++) scene.fromMeta(toG711('PCMA', tone.next(160)));
    expect(scene.pbx.sent).toHaveLength(100);
    const heard = fromG711(
      'PCMU',
      scene.pbx.sent.map(({ payload }) => payload),
    );
    expect(Math.round(strongestHz(heard) ?? 0)).toBe(1000);
    expect(levelDbfs(heard)).toBeCloseTo(amplitudeDbfs, 0);
  });

  it.each(['G722', 'opus'] as const)(
    'and %s at the PBX, after an answer that nobody expected: tone and level come through',
    (codec) => {
      const clockRate = codec === 'opus' ? 48_000 : 8000;
      const pbx = new FakePacketPort({ codec, payloadType: 9, clockRate, ptimeMs: 20 });
      const scene = new Scene(pbx);
      const tone = new ToneSource(1000, amplitude);
      for (let i = 0; i < 150; i++) scene.fromMeta(toG711('PCMA', tone.next(160)));
      const rateHz = codec === 'opus' ? 48_000 : 16_000;
      const decoder = codecs.get(codec).createDecoder(rateHz);
      const pcm = new Int16Array(5760);
      const samples = pbx.sent.slice(20).flatMap(({ payload }) => [...pcm.subarray(0, decoder.decode(payload, pcm))]);
      const heard = { rateHz, samples: Float32Array.from(samples, (value) => value / 32_768) };
      expect(Math.round(strongestHz(heard) ?? 0)).toBe(1000);
      expect(Math.abs(levelDbfs(heard) - amplitudeDbfs)).toBeLessThan(1.5);

      const back = codecs.get(codec).createEncoder(rateHz, rateHz / 50);
      const wide = (i: number): Int16Array =>
        Int16Array.from({ length: rateHz / 50 }, (_, k) =>
          Math.round(amplitude * Math.sin((2 * Math.PI * 1000 * (i * (rateHz / 50) + k)) / rateHz)),
        );
      const before = scene.toMeta.length;
      for (let i = 0; i < 150; i++) {
        pbx.receive(i, i * (clockRate / 50), Uint8Array.from(back.encode(wide(i))));
        scene.clock.advance(20);
      }
      const atMeta = fromG711(
        'PCMA',
        scene.toMeta.slice(before + 20).map(({ payload }) => payload),
      );
      expect(Math.round(strongestHz(atMeta) ?? 0)).toBe(1000);
      expect(Math.abs(levelDbfs(atMeta) - amplitudeDbfs)).toBeLessThan(1.5);
    },
  );

  it('gives way to Opus where that is what Meta sends of an answer with both', () => {
    const scene = new Scene(undefined, [pcma, opus]);
    const encoder = codecs.get('opus').createEncoder(8000, 160);
    const tone = new ToneSource(1000, amplitude);
    for (let i = 0; i < 5; i++) scene.fromMeta(toG711('PCMA', tone.next(160)));
    expect(scene.stream.audio?.codec).toBe('PCMA');
    // A stray or two are none.
    const frames = Array.from({ length: 60 }, () => Uint8Array.from(encoder.encode(tone.next(160))));
    for (const frame of frames.slice(0, 2)) scene.fromMeta(frame, 111, 960);
    scene.fromMeta(toG711('PCMA', tone.next(160)));
    expect(scene.stream.audio?.codec).toBe('PCMA');
    for (const frame of frames.slice(2)) scene.fromMeta(frame, 111, 960);
    expect(scene.stream.audio).toMatchObject({ codec: 'opus', payloadType: 111, clockRate: 48_000 });
    expect(scene.stream.stats.codec).toBe('opus');
    const heard = fromG711(
      'PCMA',
      scene.pbx.sent.slice(-40).map(({ payload }) => payload),
    );
    expect(Math.round(strongestHz(heard) ?? 0)).toBe(1000);
    scene.fromPbx(20, anyOctets(1));
    scene.fromPbx(20, anyOctets(2));
    expect(scene.toMeta.at(-1)).toMatchObject({ payloadType: 111 });
    expect(
      scene.toMeta.every(({ sequence }, i) => i === 0 || ((sequence - scene.toMeta[i - 1]!.sequence) & 0xffff) === 1),
    ).toBe(true);
  });
});
