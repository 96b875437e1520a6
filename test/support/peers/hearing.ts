import { expect } from 'vitest';
import type { Digit } from './digits.js';
import { judgeTone, tonesIn } from './sound.js';
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

/** A tone that has to be heard: how loud (a half-scale sine, -9 dBFS, if it is not said), and how long at least. */
export interface ExpectedTone {
  readonly hz: number;
  readonly levelDb?: number;
  /** How far from it the level may be; default: 3 dB. */
  readonly withinDb?: number;
  readonly atLeastMs: number;
  readonly atMostMs?: number;
}

/** Asserts that a recording holds these tones one after the other, silence between them left out, each as loud as it was played. */
export function expectTones(sound: Sound, expected: readonly ExpectedTone[]): void {
  const heard = tonesIn(sound, [...new Set(expected.map(({ hz }) => hz))]);
  const told = `heard ${JSON.stringify(heard)}`;
  expect(
    heard.map(({ hz }) => hz),
    told,
  ).toEqual(expected.map(({ hz }) => hz));
  for (const [index, { levelDb = -9, withinDb = 3, atLeastMs, atMostMs = Infinity }] of expected.entries()) {
    expect(Math.abs((heard[index]?.levelDb ?? 0) - levelDb), told).toBeLessThan(withinDb);
    expect(heard[index]?.durationMs, told).toBeGreaterThan(atLeastMs);
    expect(heard[index]?.durationMs, told).toBeLessThan(atMostMs);
  }
}

/** The keys in their order, each as long as it was pressed. */
export function expectKeys(pressed: readonly Digit[], keys: string, lengthMs: number, toleranceMs: number): void {
  const told = JSON.stringify(pressed);
  expect(pressed.map(({ digit }) => digit).join(''), told).toBe(keys);
  for (const { durationMs } of pressed) expect(Math.abs(durationMs - lengthMs), told).toBeLessThanOrEqual(toleranceMs);
}
