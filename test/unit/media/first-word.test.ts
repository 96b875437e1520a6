import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { standardCodecs } from '../../../src/media/codec-registry.js';
import { createOpusCodec } from '../../../src/media/opus-codec.js';
import type { NegotiatedAudio } from '../../../src/media/packet-port.js';
import { TranscodingBridge } from '../../../src/media/transcoding-bridge.js';
import { WebRtcBeat } from '../../../src/media/webrtc-beat.js';
import { levelDbfs } from '../../../src/sandbox/audio/measure.js';
import { concat, silence, toInt16, type Pcm } from '../../../src/sandbox/audio/pcm.js';
import { countedSequence, heardSyllables, sequenceMs, type HeardSyllable } from '../../support/counted-sequence.js';
import { FakePacketPort, g711Audio, whatsAppAudio } from '../../support/packet-ports.js';
import { fromG711, fromOpus, toG711 } from '../../support/tones.js';

const codecs = standardCodecs();

/** None of the ten syllables of the counted sequence is missing or cut. */
function expectWhole(heard: Pcm): HeardSyllable[] {
  const syllables = heardSyllables(heard);
  expect(syllables.map((one) => Math.abs((one?.lengthMs ?? 0) - 115) <= 15)).toEqual(Array(10).fill(true));
  return syllables as HeardSyllable[];
}

/** As close together as they were spoken: nothing was put between them, nothing left out. */
function expectSpokenPace(syllables: readonly HeardSyllable[]): void {
  syllables.slice(1).forEach(({ atMs }, i) => expect(atMs - syllables[i]!.atMs).toBeCloseTo(180, -1.2));
}

/** A port with the real beat behind it, which starts when the test says so. */
class BeatPort extends FakePacketPort {
  readonly out: { readonly payload: Uint8Array; readonly atMs: number }[] = [];
  readonly beat: WebRtcBeat;

  constructor(clock: FakeClock) {
    super(whatsAppAudio);
    this.sending = false;
    this.beat = new WebRtcBeat(
      clock,
      (_kind, { payload }) => this.out.push({ payload: Uint8Array.from(payload), atMs: clock.monotonicMs() }),
      { sequence: 0, timestamp: 0 },
      () => this.fillSlot?.() ?? Uint8Array.of(0xf8, 0xff, 0xfe),
    );
  }

  override sendAudio(payload: Uint8Array, durationMs: number): void {
    this.beat.sendAudio(payload, durationMs);
  }

  open(): void {
    this.sending = true;
    this.beat.start();
  }
}

describe('what the dialled side says before the other one is up', () => {
  let clock: FakeClock;
  let whatsApp: BeatPort;
  let bridge: TranscodingBridge;

  beforeEach(() => {
    clock = new FakeClock();
    whatsApp = new BeatPort(clock);
  });
  afterEach(() => {
    bridge.disconnect();
    whatsApp.beat.stop();
    expect(clock.armed).toBe(0);
  });

  const bridgeTo = (pbx: FakePacketPort, wa: FakePacketPort = whatsApp): TranscodingBridge =>
    new TranscodingBridge({ portOf: (id) => ({ wa, pbx })[id], codecs, clock, logger: silentLogger });

  /** Says the counted sequence and silence behind it, packet by packet, from `fromMs` to `toMs`. */
  const speaker = (port: FakePacketPort, audio: NegotiatedAudio) => {
    const pcm = toInt16(concat(countedSequence(8000), silence(8000, 4000)).samples);
    const encoder = createOpusCodec('wasm').createEncoder(8000, 160);
    const packetMs = audio.codec === 'opus' ? 20 : audio.ptimeMs;
    let at = 0;
    const coded = (samples: Int16Array): Uint8Array =>
      audio.codec === 'opus'
        ? Uint8Array.from(encoder.encode(samples))
        : toG711((port.audio ?? audio).codec as 'PCMA', samples);
    return (ms: number): void => {
      for (const endMs = clock.monotonicMs() + ms; clock.monotonicMs() < endMs; at++) {
        const samples = pcm.subarray(at * packetMs * 8, (at + 1) * packetMs * 8);
        port.receive(65_530 + at, 0xffff_ff00 + (at * packetMs * audio.clockRate) / 1000, coded(samples));
        clock.advance(packetMs);
      }
    };
  };

  /** The PBX has spoken for so long while WhatsApp is not up yet. */
  const pbxSpeaks = (audio: NegotiatedAudio, ms: number) => {
    const pbx = new FakePacketPort(audio);
    bridge = bridgeTo(pbx);
    const say = speaker(pbx, audio);
    bridge.prepare('pbx');
    say(ms);
    return { pbx, say };
  };
  /** WhatsApp has while the PBX has not answered. */
  const whatsAppSpeaks = (ms: number) => {
    const [pbx, wa] = [new FakePacketPort(g711Audio('PCMA')), new FakePacketPort(whatsAppAudio)];
    bridge = bridgeTo(pbx, wa);
    const say = speaker(wa, whatsAppAudio);
    bridge.prepare('wa');
    say(ms);
    return { pbx, say };
  };

  it.each([
    ['PCMA', 20],
    ['PCMU', 30],
    ['PCMA', 10],
    ['PCMA', 60],
  ] as const)('is heard by WhatsApp whole, and the delay goes: %s, %i ms', (codec, ptimeMs) => {
    const audio = g711Audio(codec, ptimeMs);
    const { say } = pbxSpeaks(audio, 600);
    bridge.connect('wa', 'pbx');
    say(120);
    expect(whatsApp.out).toEqual([]);
    whatsApp.open();
    expect(whatsApp.out).toHaveLength(1);
    say(sequenceMs + 1800 - 720);
    const heard = fromOpus(whatsApp.out.map(({ payload }) => payload));
    const syllables = expectWhole(heard);
    expectSpokenPace(syllables);
    expect(syllables[0]!.atMs).toBeLessThan(80);
    // What is said now goes out at once.
    const before = whatsApp.out.length;
    say(60);
    expect(whatsApp.out.length).toBeGreaterThanOrEqual(before + 2);
    expect(whatsApp.out.length * 20).toBeLessThan(sequenceMs + 1800 - 720 + 60 + 80);
  });

  it('is heard by the PBX whole, and nothing reaches it before the joining', () => {
    const { pbx, say } = whatsAppSpeaks(300);
    expect(pbx.sent).toEqual([]);
    bridge.connect('pbx', 'wa');
    say(sequenceMs + 1000);
    const syllables = expectWhole(
      fromG711(
        'PCMA',
        pbx.sent.map(({ payload }) => payload),
      ),
    );
    expect(syllables[0]!.atMs).toBeLessThan(40);
    const before = pbx.sent.length;
    say(200);
    expect(pbx.sent.length - before).toBe(10);
  });

  it('is heard whole when Opus is handed on, and the delay goes', () => {
    const { say } = pbxSpeaks(whatsAppAudio, 600);
    bridge.connect('wa', 'pbx');
    whatsApp.open();
    say(sequenceMs + 1000);
    expectWhole(fromOpus(whatsApp.out.map(({ payload }) => payload)));
    expect(whatsApp.out.length * 20).toBeLessThan(sequenceMs + 1000 + 80);
  });

  it('keeps words apart that come with no packets between them', () => {
    const pbx = new FakePacketPort(g711Audio('PCMA'));
    bridge = bridgeTo(pbx);
    const word = toG711('PCMA', toInt16(countedSequence(8000).samples).subarray(160, 320));
    bridge.prepare('pbx');
    for (let i = 0; i < 50; i++) {
      const spurt = i < 5 ? 0 : 4000;
      pbx.receive(i, spurt + i * 160, word, i === 5);
      clock.advance(20);
    }
    bridge.connect('wa', 'pbx');
    whatsApp.open();
    clock.advance(2000);
    const levels = whatsApp.out.map(({ payload }) => payload.length > 20);
    const pauses = levels
      .join(' ')
      .split('true')
      .slice(1, -1)
      .map((gap) => gap.split('false').length - 1);
    expect(levels.filter(Boolean).length).toBeGreaterThanOrEqual(50);
    expect(Math.max(...pauses)).toBeGreaterThanOrEqual(2);
  });

  it('begins with what the port heard around the answer', () => {
    const pbx = new FakePacketPort(g711Audio('PCMA'));
    bridge = bridgeTo(pbx);
    const loud = toG711(
      'PCMA',
      Int16Array.from({ length: 160 }, (_, i) => 8000 * Math.sin(i)),
    );
    pbx.unheard.push({ sequence: 0, timestamp: 0, marker: true, payload: loud });
    bridge.prepare('pbx');
    bridge.prepare('pbx');
    pbx.receive(1, 160, loud);
    bridge.connect('wa', 'pbx');
    whatsApp.open();
    clock.advance(100);
    const heard = toInt16(fromOpus(whatsApp.out.map(({ payload }) => payload)).samples);
    expect(heard.filter((value) => Math.abs(value) > 4000).length).toBeGreaterThan(150);
  });

  it('is kept for 5 s: the first ones', () => {
    const audio = g711Audio('PCMA');
    const pbx = new FakePacketPort(audio);
    bridge = bridgeTo(pbx);
    const loud = (peak: number): Uint8Array =>
      toG711(
        'PCMA',
        Int16Array.from({ length: 160 }, (_, i) => Math.round(peak * Math.sin(i))),
      );
    bridge.prepare('pbx');
    for (let i = 0; i < 500; i++) {
      pbx.receive(i, i * 160, loud(i < 250 ? 8000 : 24_000));
      clock.advance(20);
    }
    bridge.connect('wa', 'pbx');
    whatsApp.open();
    clock.advance(8000);
    expect(whatsApp.out.filter(({ payload }) => payload.length > 20).length).toBeLessThanOrEqual(260);
    expect(whatsApp.out.filter(({ payload }) => payload.length > 20).length).toBeGreaterThanOrEqual(250);
    const heard = toInt16(fromOpus(whatsApp.out.map(({ payload }) => payload)).samples);
    expect(Math.max(...heard)).toBeLessThan(16_000);
  });

  it.each([20, 30])('goes on being played when the PBX sends another offer meanwhile: ptime %i', (ptimeMs) => {
    const { pbx, say } = pbxSpeaks(g711Audio('PCMA'), 600);
    bridge.connect('wa', 'pbx');
    whatsApp.open();
    say(200);
    pbx.audio = g711Audio('PCMA', ptimeMs);
    say(sequenceMs + 1000);
    expectWhole(fromOpus(whatsApp.out.map(({ payload }) => payload)));
  });

  it.each(['kept', 'waiting for WhatsApp', 'being played'] as const)(
    'is heard whole when the PBX turns to the other law while it is %s',
    (when) => {
      const { pbx, say } = pbxSpeaks(g711Audio('PCMA'), 300);
      const turn = (moment: typeof when): void => {
        if (moment === when) pbx.audio = g711Audio('PCMU');
      };
      turn('kept');
      say(300);
      bridge.connect('wa', 'pbx');
      say(60);
      turn('waiting for WhatsApp');
      say(60);
      whatsApp.open();
      say(200);
      turn('being played');
      say(sequenceMs + 1000);
      const heard = fromOpus(whatsApp.out.map(({ payload }) => payload));
      const syllables = expectWhole(heard);
      expectSpokenPace(syllables);
      // What is read by the other law is distorted: pauses are no silence any more.
      const pauses = syllables.slice(1).map(({ atMs }) => heard.samples.subarray((atMs - 40) * 8, (atMs - 20) * 8));
      for (const samples of pauses) expect(levelDbfs({ rateHz: 8000, samples })).toBeLessThan(-50);
    },
  );

  it('is heard by the PBX whole when that turns to the other law meanwhile', () => {
    const { pbx, say } = whatsAppSpeaks(600);
    bridge.connect('pbx', 'wa');
    say(200);
    const before = pbx.sent.length;
    pbx.audio = g711Audio('PCMU');
    say(sequenceMs + 1000);
    const payloads = pbx.sent.map(({ payload }) => payload);
    const parts = [fromG711('PCMA', payloads.slice(0, before)), fromG711('PCMU', payloads.slice(before))] as const;
    expectWhole(concat(...parts));
  });

  it.each([
    ['coded anew', g711Audio('PCMA')],
    ['handed on', whatsAppAudio],
  ])('stops at once when the call ends while it is played: %s', (_how, audio) => {
    const { pbx, say } = pbxSpeaks(audio, 600);
    bridge.connect('wa', 'pbx');
    whatsApp.open();
    say(200);
    bridge.disconnect();
    const before = whatsApp.out.length;
    say(100);
    const silent = whatsApp.out.slice(before);
    expect(silent.length).toBeGreaterThanOrEqual(4);
    expect(silent.map(({ payload }) => payload.length)).toEqual(silent.map(() => 3));
    expect([pbx.onAudio, whatsApp.onAudio, whatsApp.fillSlot]).toEqual([undefined, undefined, undefined]);
  });

  it('is let go of when the call ends before it is up, or the media is gone', () => {
    const pbx = new FakePacketPort(g711Audio('PCMA'));
    bridge = bridgeTo(pbx);
    bridge.prepare('gone');
    bridge.prepare('pbx');
    expect(pbx.onAudio).toBeDefined();
    bridge.disconnect();
    expect(pbx.onAudio).toBeUndefined();
    expect(clock.armed).toBe(0);
  });
});
