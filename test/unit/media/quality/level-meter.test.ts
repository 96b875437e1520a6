import { describe, expect, it } from 'vitest';
import { LevelMeter } from '../../../../src/media/quality/level-meter.js';

const sine = (amplitude: number, samples = 800): Int16Array =>
  Int16Array.from({ length: samples }, (_, i) => Math.round(amplitude * Math.sin((2 * Math.PI * i) / 40)));

describe('level meter', () => {
  it.each([
    [32_767, 0],
    [3276.8, -20],
    [327.68, -40],
  ])('a sine of amplitude %d is %d dBFS', (amplitude, dbfs) => {
    const meter = new LevelMeter();
    meter.add(sine(amplitude), 800);
    expect(meter.take()).toBeCloseTo(dbfs, 1);
  });

  it('tells the mean energy of all frames since it was asked last, and of what counts of them alone', () => {
    const meter = new LevelMeter();
    const half = sine(3276.8);
    half.fill(32_767, 400);
    meter.add(half, 400);
    meter.add(new Int16Array(400), 400);
    expect(meter.take()).toBeCloseTo(-23, 1);
    meter.add(sine(3276.8), 800);
    expect(meter.take()).toBeCloseTo(-20, 1);
  });

  it('says nothing where there was no audio, and a floor for digital silence', () => {
    const meter = new LevelMeter();
    expect(meter.take()).toBeUndefined();
    meter.add(new Int16Array(160), 160);
    expect([meter.take(), meter.take()]).toEqual([-96, undefined]);
  });
});
