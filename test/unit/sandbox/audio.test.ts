import { describe, expect, it } from 'vitest';
import { correlate } from '../../../src/sandbox/audio/fft.js';
import { decodeG711, encodeG711 } from '../../../src/sandbox/audio/g711.js';
import { gaps, levelDbfs, locate, strongestHz, toneLoss } from '../../../src/sandbox/audio/measure.js';
import { concat, durationMs, resample, silence, slice } from '../../../src/sandbox/audio/pcm.js';
import type { Pcm } from '../../../src/sandbox/audio/pcm.js';
import { judge, makeProgramme, speech } from '../../../src/sandbox/audio/programme.js';
import { Recorder } from '../../../src/sandbox/audio/recording.js';
import { dtmfTone, marker, tone } from '../../../src/sandbox/audio/signals.js';
import { readWav, writeWav } from '../../../src/sandbox/audio/wav.js';

/** Repeatable noise between -1 and 1. */
function noise(length: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 0x80000000 - 1;
  });
}

function mixed(pcm: Pcm, other: Float32Array, gain: number): Pcm {
  return { rateHz: pcm.rateHz, samples: pcm.samples.map((value, i) => value + gain * (other[i] ?? 0)) };
}

/** Silences 20 ms packets by number. */
function without(pcm: Pcm, packets: readonly number[]): Pcm {
  const samples = Float32Array.from(pcm.samples);
  const size = pcm.rateHz / 50;
  for (const packet of packets) samples.fill(0, packet * size, (packet + 1) * size);
  return { rateHz: pcm.rateHz, samples };
}

describe('frequency', () => {
  it.each([
    [8000, 440.3],
    [8000, 1004],
    [48_000, 617.7],
    [48_000, 2899.9],
  ])('is found to 0.1 Hz at %i Hz for %f', (rateHz, hz) => {
    expect(Math.abs(strongestHz(tone(rateHz, hz, 2000, 0.3))! - hz)).toBeLessThan(0.1);
  });
  it('is found under noise 10 dB weaker', () => {
    const sound = mixed(tone(8000, 700, 2000, 0.3), noise(16_000), 0.12);
    expect(Math.abs(strongestHz(sound)! - 700)).toBeLessThan(0.2);
  });
  it('of silence and of almost nothing is unknown', () => {
    expect(strongestHz(silence(8000, 500))).toBeUndefined();
    expect(strongestHz(silence(8000, 5))).toBeUndefined();
  });
});

describe('level', () => {
  it.each([
    [1, 0],
    [0.5, -6.02],
    [0.1, -20],
  ])('of a sine of amplitude %f is %f dBFS', (peak, dbfs) => {
    expect(levelDbfs(slice(tone(8000, 1000, 1000, peak), 100, 900))).toBeCloseTo(dbfs, 1);
  });
  it('of silence is -120 dBFS, not minus infinity', () => expect(levelDbfs(silence(8000, 100))).toBe(-120));
});

describe('loss', () => {
  const clean = slice(tone(8000, 800, 2200, 0.35), 100, 2100);
  it('of an unharmed tone is nought', () => expect(toneLoss(clean, 800)).toBe(0));
  it.each([[[50]], [[3, 4, 5]], [[10, 20, 30, 40, 50, 60]]])('counts missing packets %j', (packets) => {
    expect(toneLoss(without(clean, packets), 800)).toBeCloseTo(packets.length / 100, 5);
  });
  it('counts windows 12 dB down, but not 3 dB', () => {
    const samples = Float32Array.from(clean.samples, (value, i) =>
      i < 1600 ? value * 0.25 : i < 3200 ? value * 0.7 : value,
    );
    expect(toneLoss({ rateHz: 8000, samples }, 800)).toBeCloseTo(0.1, 5);
  });
  it('is whole for silence and for another tone', () => {
    expect(toneLoss(silence(8000, 2000), 800)).toBe(1);
    expect(toneLoss(slice(tone(8000, 1300, 2200, 0.35), 100, 2100), 800)).toBe(1);
  });
  it('shows as gaps with place and length', () => {
    expect(gaps(without(clean, [10, 11, 60]))).toEqual([
      { atMs: 200, lengthMs: 40 },
      { atMs: 1200, lengthMs: 20 },
    ]);
  });
});

describe('delay', () => {
  const mark = marker(48_000, 600, 0.35);
  const recordedAfter = (delayMs: number, sound: Pcm, startMs = 5000) => ({
    ...concat(silence(sound.rateHz, delayMs), sound, silence(sound.rateHz, 700)),
    startMs,
  });

  it.each([0, 0.5, 23.25, 137, 499])(
    'of %f ms is found to a quarter of a millisecond, across sample rates',
    (delayMs) => {
      const found = locate(recordedAfter(delayMs, resample(mark, 8000)), mark)!;
      expect(Math.abs(found.atMs - 5000 - delayMs)).toBeLessThan(0.25);
      expect(found.likeness).toBeGreaterThan(0.95);
    },
  );
  it('is found through A-law, half the level, lost packets and noise', () => {
    const coded = decodeG711('PCMA', encodeG711('PCMA', resample(mark, 8000).samples));
    const harmed = without({ rateHz: 8000, samples: coded.map((value) => value * 0.5) }, [5, 12, 13]);
    const found = locate(recordedAfter(61, mixed(harmed, noise(4800), 0.03)), mark)!;
    expect(Math.abs(found.atMs - 5061)).toBeLessThan(0.25);
    expect(found.likeness).toBeGreaterThan(0.7);
  });
  it('is found when the wave is turned upside down', () => {
    const turned = { rateHz: 8000, samples: resample(mark, 8000).samples.map((value) => -value) };
    expect(Math.abs(locate(recordedAfter(40, turned), mark)!.atMs - 5040)).toBeLessThan(0.25);
  });
  it.each([
    ['noise', { rateHz: 8000, samples: noise(16_000).map((value) => value * 0.3) }],
    ['speech', speech(8000)],
    ['a tone', tone(8000, 800, 2000, 0.3)],
    ['silence', silence(8000, 2000)],
  ])('is not read off %s', (_, other) => {
    expect(locate(recordedAfter(0, other), mark)!.likeness).toBeLessThan(0.3);
  });
  it('of a recording shorter than the marker is unknown', () => {
    expect(locate({ ...silence(8000, 300), startMs: 0 }, mark)).toBeUndefined();
  });
});

describe('a programme as heard', () => {
  const programme = makeProgramme({ rateHz: 8000, toneHz: 800, withSpeech: false });
  const heardAs = (pcm: Pcm, delayMs: number) =>
    judge({ ...concat(silence(8000, 300 + delayMs), pcm, silence(8000, 300)), startMs: 700 }, programme, 1000);

  it('is judged on all four counts', () => {
    const heard = heardAs(programme.pcm, 45);
    expect(heard.toneHz).toBeCloseTo(800, 1);
    expect(heard.levelDb).toBeCloseTo(20 * Math.log10(0.35), 1);
    expect(heard.loss).toBe(0);
    expect(heard.delayMs).toBeCloseTo(45, 0);
  });
  it('shows a tone of the wrong pitch', () => {
    const wrong = makeProgramme({ rateHz: 8000, toneHz: 820, withSpeech: false });
    const heard = heardAs(wrong.pcm, 0);
    expect(heard.toneHz).toBeCloseTo(820, 1);
  });
  it('counts a tone cut short as lost', () => {
    const heard = heardAs(slice(programme.pcm, 0, programme.toneAtMs + 1000), 0);
    expect(heard.loss).toBeGreaterThan(0.3);
    expect(heard.delayMs).toBeCloseTo(0, 0);
  });
  it('takes the median of three delays, so that one stall is not what is judged', () => {
    const atMs = programme.markersAtMs[1]! + programme.marker.samples.length / 8;
    const stalled = concat(slice(programme.pcm, 0, atMs), silence(8000, 180), slice(programme.pcm, atMs, 60_000));
    expect(heardAs(stalled, 30).delayMs).toBeCloseTo(30, 0);
  });
  it('keeps a long delay apart from the next marker', () => {
    for (const delayMs of [250, 400, 480]) expect(heardAs(programme.pcm, delayMs).delayMs).toBeCloseTo(delayMs, 0);
  });
  it('of nothing is nothing', () => {
    expect(heardAs(silence(8000, 4000), 0)).toMatchObject({
      toneHz: undefined,
      delayMs: undefined,
      loss: 1,
      levelDb: -120,
    });
  });
});

describe('recorder', () => {
  const frame = (value: number) => new Float32Array(160).fill(value);
  it('lays frames by position, leaves the missing one silent and dates the start by the median', () => {
    const recorder = new Recorder(8000);
    [0, 1, 3, 4, 5].forEach((k) => recorder.add(frame(k + 1), 1000 + k * 20 + (k === 4 ? 90 : 2), 16_000 + k * 160));
    const recording = recorder.recording();
    expect(recording.startMs).toBe(1002);
    expect(durationMs(recording)).toBe(120);
    expect([...recording.samples.filter((_, i) => i % 160 === 80)]).toEqual([1, 2, 0, 4, 5, 6]);
  });
  it('takes frames out of order', () => {
    const recorder = new Recorder(8000);
    recorder.add(frame(0.2), 1030, 160);
    recorder.add(frame(0.1), 1031, 0);
    expect(recorder.recording().samples[0]).toBeCloseTo(0.1);
  });
  it('tells when it first heard something', () => {
    const recorder = new Recorder(8000);
    recorder.add(frame(0), 10);
    recorder.add(frame(0.2), 20);
    expect(recorder.firstLouderThan(0.01)).toBe(20);
    expect(recorder.firstLouderThan(0.5)).toBeUndefined();
  });
  it('is empty without frames, and drops those with a wild timestamp', () => {
    const recorder = new Recorder(8000);
    expect(recorder.recording().samples).toHaveLength(0);
    recorder.add(frame(1), 0, 0);
    recorder.add(frame(1), 20, 4_000_000_000);
    recorder.add(frame(1), 40, -4_000_000_000);
    expect(recorder.recording().samples).toHaveLength(160);
  });
});

describe('sound tools', () => {
  it('correlation equals its definition', () => {
    const [reference, signal] = [noise(20), noise(57)];
    const fast = correlate(reference, signal);
    const slow = Array.from({ length: 38 }, (_, d) =>
      reference.reduce((sum, value, i) => sum + value * signal[i + d]!, 0),
    );
    slow.forEach((value, d) => expect(fast[d]).toBeCloseTo(value, 6));
  });
  it.each(['PCMA', 'PCMU'] as const)('%s round trip keeps 33 dB over a wide range of levels', (law) => {
    for (const peak of [0.9, 0.3, 0.05]) {
      const { samples } = tone(8000, 1020, 500, peak);
      const back = decodeG711(law, encodeG711(law, samples));
      const error = back.map((value, i) => value - samples[i]!);
      const snr = levelDbfs({ rateHz: 8000, samples }) - levelDbfs({ rateHz: 8000, samples: error });
      expect(snr).toBeGreaterThan(33);
    }
  });
  it.each(['PCMA', 'PCMU'] as const)('%s: every byte decodes and codes back to itself', (law) => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const again = encodeG711(law, decodeG711(law, bytes));
    const differs = [...bytes].filter((byte) => again[byte] !== byte);
    expect(differs).toEqual(law === 'PCMU' ? [0x7f] : []); // mu-law has a negative zero
  });
  it('G.711 known values: silence and full scale (G.711 tables 1a, 2a)', () => {
    expect([...encodeG711('PCMA', Float32Array.of(0, 1, -1))]).toEqual([0xd5, 0xaa, 0x2a]);
    expect([...encodeG711('PCMU', Float32Array.of(0, 1, -1))]).toEqual([0xff, 0x80, 0x00]);
  });
  it('resampling up and down keeps tone, level and length', () => {
    const up = resample(tone(8000, 1000, 1000, 0.5), 48_000);
    expect(durationMs(up)).toBe(1000);
    expect(strongestHz(up)).toBeCloseTo(1000, 0);
    expect(levelDbfs(slice(up, 100, 900))).toBeCloseTo(-6.02, 1);
    expect(levelDbfs(slice(resample(tone(48_000, 6000, 1000, 0.5), 8000), 100, 900))).toBeLessThan(-50);
  });
  it('WAV files are read back, and other files refused', () => {
    const sound = tone(16_000, 500, 100, 0.4);
    const back = readWav(writeWav(sound));
    expect(back.rateHz).toBe(16_000);
    expect(back.samples).toHaveLength(1600);
    back.samples.forEach((value, i) => expect(Math.abs(value - sound.samples[i]!)).toBeLessThan(1e-4));
    expect(() => readWav(Buffer.from('no such thing'))).toThrow(/no RIFF header/);
    expect(() => readWav(writeWav(sound).subarray(0, 30))).toThrow(/no fmt or data/);
  });
  it('keys have their two tones', () => {
    const sound = dtmfTone(8000, '5', 400);
    expect(Math.abs(strongestHz(sound)! - 770) < 2 || Math.abs(strongestHz(sound)! - 1336) < 2).toBe(true);
    expect(() => dtmfTone(8000, 'E', 100)).toThrow(RangeError);
  });
  it('sounds of different rates are not joined', () => {
    expect(() => concat(silence(8000, 10), silence(16_000, 10))).toThrow(RangeError);
  });
  it('the spoken clip is speech of two to four seconds', () => {
    const clip = speech(8000);
    expect(durationMs(clip)).toBeGreaterThan(2000);
    expect(durationMs(clip)).toBeLessThan(4000);
    expect(levelDbfs(clip)).toBeGreaterThan(-30);
  });
});
