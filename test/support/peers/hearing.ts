import { expect } from 'vitest';
import { judgeTone } from './sound.js';
import type { Sound } from './wav.js';

/** Asserts that a recording holds a steady tone of `hz` and hardly a hole, as loud as it was played (a half-scale sine, -9 dBFS). */
export function expectTone(sound: Sound, hz: number, atLeastMs: number): void {
  const tone = judgeTone(sound);
  expect(tone.hz / hz, `heard ${JSON.stringify(tone)}`).toBeCloseTo(1, 2);
  expect(tone.purity, `heard ${JSON.stringify(tone)}`).toBeGreaterThan(0.9);
  expect(Math.abs(tone.levelDb + 9), `level in ${JSON.stringify(tone)}`).toBeLessThan(3);
  expect(tone.activeMs, `length in ${JSON.stringify(tone)}`).toBeGreaterThan(atLeastMs);
  expect(tone.silentMs / tone.activeMs, `holes in ${JSON.stringify(tone)}`).toBeLessThan(0.1);
}
