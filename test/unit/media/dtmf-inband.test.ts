import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { standardCodecs } from '../../../src/media/codec-registry.js';
import { DtmfDetector } from '../../../src/media/dtmf-detector.js';
import { DtmfInlet } from '../../../src/media/dtmf-inlet.js';
import { DtmfToneSender } from '../../../src/media/dtmf-tone-sender.js';
import { dtmfTones } from '../../../src/media/dtmf-tones.js';
import { dtmfSound, voiceLikeSound, type ToneOptions } from '../../support/dtmf-sound.js';
import { FakePacketPort, g711Audio } from '../../support/packet-ports.js';
import { runsOf } from '../../support/runs.js';

const digits = '0123456789*#ABCD'.split('');

interface Heard {
  readonly digit: string;
  readonly durationMs: number;
}

function listen(samples: Int16Array, chunk = 160): Heard[] {
  const heard: Heard[] = [];
  const detector = new DtmfDetector({ onDigit: (digit, durationMs) => heard.push({ digit, durationMs }) });
  for (let i = 0; i < samples.length; i += chunk) detector.listen(samples.subarray(i, i + chunk));
  detector.finish();
  return heard;
}

/** How many of all digits, at five places against the detector's looks, are heard as themselves, once. */
function heardOf(toneMs: number, options: ToneOptions = {}): number {
  let right = 0;
  for (const digit of digits) {
    for (const shiftMs of [0, 1, 2.1, 3.3, 4.4]) {
      const heard = listen(dtmfSound(digit, toneMs, { ...options, leadMs: 100 + shiftMs }));
      if (heard.length === 1 && heard[0]?.digit === digit) right++;
      else if (heard.length > 0 && heard[0]?.digit !== digit) right -= 1000;
    }
  }
  return right;
}

const all = digits.length * 5;

describe('DTMF in the audio, by ITU-T Q.24', () => {
  it.each([40, 50, 100, 1000])('hears tones of %i ms, with their length to 10 ms', (toneMs) => {
    expect(heardOf(toneMs)).toBe(all);
    for (const digit of digits)
      expect(Math.abs((listen(dtmfSound(digit, toneMs))[0]?.durationMs ?? 0) - toneMs)).toBeLessThan(10);
  });

  it.each([10, 20, 23])('hears nothing in tones of %i ms', (toneMs) => expect(heardOf(toneMs)).toBe(0));

  it.each([-0.018, -0.015, 0.015, 0.018])('hears tones that are off by %f', (deviation) => {
    expect(heardOf(50, { deviation })).toBe(all);
  });

  it.each([-0.05, -0.035, 0.035, 0.05])('hears none that are off by %f', (deviation) => {
    expect(heardOf(100, { deviation })).toBe(0);
  });

  it.each([
    [-12, -20],
    [-8, -16],
    [-14, -10],
    [-28, -28],
    [-3, -3],
  ])('hears every twist and level: low tone at %i, high tone at %i dBm0', (lowDb, highDb) => {
    expect(heardOf(50, { lowDb, highDb })).toBe(all);
  });

  it.each([
    [-10, -22],
    [-20, -10],
    [-45, -45],
  ])('hears none of too great a twist or too soft: %i and %i dBm0', (lowDb, highDb) => {
    expect(heardOf(100, { lowDb, highDb })).toBe(0);
  });

  it.each([24, 18, 15])('hears tones with noise %i dB below them', (noiseDb) => {
    expect(heardOf(50, { noiseDb })).toBe(all);
  });

  it('hears one digit where a tone breaks off for 10 ms, and two where it does for 40', () => {
    for (const digit of digits) {
      for (const leadMs of [100, 101.3, 102.5, 103.8]) {
        expect(listen(dtmfSound(digit, 120, { leadMs, brokenMs: 10 })).map((each) => each.digit)).toEqual([digit]);
        expect(listen(dtmfSound(digit, 160, { leadMs, brokenMs: 40 })).map((each) => each.digit)).toEqual([
          digit,
          digit,
        ]);
      }
    }
  });

  it('hears no digit in single tones, two of one group, ringback or noise', () => {
    const sum = (hz: readonly number[]) =>
      Int16Array.from({ length: 8000 }, (_, i) =>
        hz.reduce((total, each) => total + 6000 * Math.sin((2 * Math.PI * each * i) / 8000), 0),
      );
    for (const hz of [
      ...dtmfTones.all.map((each) => [each]),
      [697, 770],
      [1209, 1477],
      [425],
      [440, 480],
      [350, 440],
      [697, 1209, 1336],
    ]) {
      expect(listen(sum(hz)), hz.join()).toEqual([]);
    }
    expect(listen(dtmfSound('', 1000, { noiseDb: 0 }))).toEqual([]);
  });

  // Three minutes of them; with SIP2WA_RUNS=20 an hour.
  const { runs, timeoutMs } = runsOf(6, 20_000);
  it('hears no digit in voices', { timeout: timeoutMs }, () => {
    for (let seed = 1; seed <= runs; seed++) expect(listen(voiceLikeSound(30, seed)), `seed ${seed}`).toEqual([]);
  });

  it('does not depend on how the samples come', () => {
    const sound = dtmfSound('7', 90);
    for (const chunk of [1, 7, 80, 240, 4000]) expect(listen(sound, chunk)).toEqual(listen(sound));
  });
});

describe('keys as tones towards and from a PBX', () => {
  it.each(['PCMA', 'PCMU', 'G722'] as const)(
    'are made in %s so that they are heard, of their length, each once',
    (codec) => {
      const codecs = standardCodecs();
      const sender = new DtmfToneSender(codecs);
      expect([sender.play('x', 100), sender.play('', 100)]).toEqual([false, false]);
      const clock = new FakeClock();
      const audio = codec === 'G722' ? { codec, payloadType: 9, clockRate: 8000, ptimeMs: 20 } : g711Audio(codec);
      const source = new FakePacketPort(audio);
      source.inbandDtmf = true;
      const heard: string[] = [];
      const lengths: number[] = [];
      const inlet = new DtmfInlet({
        ...{ clock, codecs, source },
        onDigit: (digit, durationMs) => {
          heard.push(digit);
          lengths.push(durationMs);
        },
      });
      let sequence = 0;
      for (const [i, digit] of digits.entries()) {
        expect(sender.play(digit, 80 + 20 * i)).toBe(true);
        for (let frame = sender.frame(codec, 20); frame; frame = sender.frame(codec, 20)) {
          inlet.acceptAudio({ sequence, timestamp: sequence * 160, marker: false, payload: frame });
          sequence++;
          clock.advance(20);
          inlet.tick(clock.monotonicMs());
        }
      }
      clock.advance(200);
      inlet.tick(clock.monotonicMs());
      expect(heard).toEqual(digits);
      for (const [i, ms] of lengths.entries())
        expect(Math.abs(ms - (80 + 20 * i)), `${digits[i]}`).toBeLessThanOrEqual(20);
      inlet.close();
      sender.close();
      expect(sender.frame(codec, 20)).toBeUndefined();
    },
  );

  it('are one digit when a packet in the midst of the tone is lost, late or doubled', () => {
    for (const fate of ['lost', 'late', 'doubled']) {
      const codecs = standardCodecs();
      const sender = new DtmfToneSender(codecs);
      sender.play('3', 160);
      const source = new FakePacketPort(g711Audio('PCMA'));
      source.inbandDtmf = true;
      const heard: string[] = [];
      const inlet = new DtmfInlet({ clock: new FakeClock(), codecs, source, onDigit: (digit) => heard.push(digit) });
      const packets = Array.from({ length: 15 }, (_, i) => {
        const payload = sender.frame('PCMA', 20) ?? new Uint8Array(160).fill(0xd5);
        return { sequence: i, timestamp: i * 160, marker: false, payload: Uint8Array.from(payload) };
      });
      const fourth = packets[4]!;
      if (fate !== 'doubled') packets.splice(4, 1);
      if (fate !== 'lost') packets.splice(6, 0, fourth);
      for (const packet of packets) inlet.acceptAudio(packet);
      expect(heard, fate).toEqual(['3']);
    }
  });

  it('are not listened for where keys come in another way', () => {
    const codecs = standardCodecs();
    const sender = new DtmfToneSender(codecs);
    sender.play('3', 160);
    const heard: string[] = [];
    const source = new FakePacketPort(g711Audio('PCMA'));
    const inlet = new DtmfInlet({ clock: new FakeClock(), codecs, source, onDigit: (digit) => heard.push(digit) });
    for (let i = 0; i < 15; i++) {
      const payload = sender.frame('PCMA', 20) ?? new Uint8Array(160).fill(0xd5);
      inlet.acceptAudio({ sequence: i, timestamp: i * 160, marker: false, payload });
    }
    expect([heard, inlet.active]).toEqual([[], false]);
  });
});

describe('a key told in two ways', () => {
  it('is passed on once, whichever comes first; the same key again is another press', () => {
    const clock = new FakeClock();
    const heard: string[] = [];
    const source = new FakePacketPort(g711Audio('PCMA'));
    const inlet = new DtmfInlet({ clock, codecs: standardCodecs(), source, onDigit: (digit) => heard.push(digit) });
    const event = (timestamp: number, code: number): void =>
      inlet.acceptEvent({ sequence: 0, timestamp, marker: false, payload: Uint8Array.of(code, 0x8a, 0x03, 0x20) });
    event(8000, 5);
    inlet.tell('5', 100);
    clock.advance(300);
    event(10_400, 5);
    inlet.tell('5', 100);
    clock.advance(300);
    inlet.tell('6', 100);
    event(12_800, 6);
    clock.advance(2000);
    inlet.tell('6', 100);
    inlet.tell('6', 100);
    expect(heard).toEqual(['5', '5', '6', '6', '6']);
  });
});
