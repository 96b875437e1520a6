import { describe, expect, it } from 'vitest';
import {
  breakerStep,
  closedBreaker,
  refusedForMs,
  wantsProbe,
  type BreakerEvent,
  type BreakerState,
} from '../../../src/whatsapp/graph-breaker.js';

const fault = (isProbe = false): BreakerEvent => ({ type: 'faulted', isProbe });
const answer = (isProbe = false): BreakerEvent => ({ type: 'answered', isProbe });
const limit = (namedMs?: number, isProbe = false): BreakerEvent => ({
  type: 'limited',
  isProbe,
  namedMs,
  baseMs: 5000,
});
const probe: BreakerEvent = { type: 'probe_sent' };

/** Goes through events, each with its time. */
const after = (...steps: readonly (readonly [number, BreakerEvent])[]): BreakerState =>
  steps.reduce<BreakerState>((state, [atMs, event]) => breakerStep(state, event, atMs), closedBreaker);
const faults = (count: number, atMs = 0): [number, BreakerEvent][] =>
  Array.from({ length: count }, () => [atMs, fault()]);

describe('opens', () => {
  it('at once for a limit, for as long as Meta says, or for its base', () => {
    expect(refusedForMs(after([0, limit(7000)]), 0)).toBe(7000);
    expect(refusedForMs(after([0, limit()]), 0)).toBe(5000);
    expect(refusedForMs(after([0, limit()]), 4999)).toBe(1);
    expect(refusedForMs(after([0, limit()]), 5000)).toBeUndefined();
  });

  it('for no longer than an hour, whatever Meta says', () => {
    expect(refusedForMs(after([0, limit(1e12)]), 0)).toBe(3_600_000);
    expect(refusedForMs(after([0, limit(-5)]), 0)).toBeUndefined();
  });

  it('after five faults in a row, and an answer between starts the count anew', () => {
    expect(refusedForMs(after(...faults(4)), 0)).toBeUndefined();
    expect(refusedForMs(after(...faults(5)), 0)).toBe(2000);
    expect(refusedForMs(after(...faults(4), [0, answer()], ...faults(4)), 0)).toBeUndefined();
  });

  it('for longer when a later limit names a later time, never for a shorter one', () => {
    expect(refusedForMs(after([0, limit(9000)], [1000, limit(1000)]), 1000)).toBe(8000);
    expect(refusedForMs(after([0, limit(1000)], [500, limit(9000)]), 500)).toBe(9000);
  });
});

describe('closes', () => {
  it('when the probe is answered; others are refused while it is on its way', () => {
    const open = after([0, limit()]);
    expect(wantsProbe(open, 4999)).toBe(false);
    expect(wantsProbe(open, 5000)).toBe(true);
    const probing = breakerStep(open, probe, 5000);
    expect([refusedForMs(probing, 5001), wantsProbe(probing, 5001)]).toEqual([1000, false]);
    expect(breakerStep(probing, answer(true), 5200)).toEqual(closedBreaker);
  });

  it('not by an answer to something that was let through anyway, while Meta asks for quiet', () => {
    const open = after([0, limit()]);
    expect(breakerStep(open, answer(), 100)).toBe(open);
    const probing = breakerStep(open, probe, 5000);
    expect(breakerStep(probing, answer(), 5100)).toBe(probing);
  });

  it('by any answer, when Meta could not be reached', () => {
    expect(after(...faults(5), [100, answer()])).toEqual(closedBreaker);
    expect(after(...faults(5), [3000, probe], [3100, answer()])).toEqual(closedBreaker);
  });
});

describe('a probe that fails', () => {
  it('opens it for twice as long each time, up to a cap', () => {
    let [state, nowMs] = [after([0, limit()]), 0];
    const pauses: number[] = [];
    for (let round = 0; round < 12; round++) {
      nowMs += refusedForMs(state, nowMs) ?? 0;
      state = breakerStep(breakerStep(state, probe, nowMs), limit(undefined, true), nowMs);
      pauses.push(refusedForMs(state, nowMs) ?? 0);
    }
    expect(pauses.slice(0, 3)).toEqual([10_000, 20_000, 40_000]);
    expect(Math.max(...pauses)).toBe(15 * 60_000);
  });

  it('by silence opens it for longer too, up to half a minute', () => {
    let [state, nowMs] = [after(...faults(5)), 0];
    const pauses: number[] = [];
    for (let round = 0; round < 6; round++) {
      nowMs += refusedForMs(state, nowMs) ?? 0;
      state = breakerStep(breakerStep(state, probe, nowMs), fault(true), nowMs);
      pauses.push(refusedForMs(state, nowMs) ?? 0);
    }
    expect(pauses).toEqual([4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('before it is sent lets the next one be it', () => {
    const probing = after([0, limit()], [5000, probe]);
    const again = breakerStep(probing, { type: 'unsent', isProbe: true }, 5100);
    expect(wantsProbe(again, 5100)).toBe(true);
    expect(breakerStep(probing, { type: 'unsent', isProbe: false }, 5100)).toBe(probing);
  });

  it('that is never heard of again lets another go when no request can still be on its way', () => {
    const probing = after([0, limit()], [5000, probe]);
    expect([refusedForMs(probing, 69_999), refusedForMs(probing, 70_000)]).toEqual([1000, undefined]);
    expect(wantsProbe(probing, 70_000)).toBe(true);
  });
});

it('what is on its way when it opens changes nothing more', () => {
  const open = after(...faults(5));
  expect(breakerStep(open, fault(), 100)).toBe(open);
  expect(breakerStep(closedBreaker, { type: 'unsent', isProbe: false }, 0)).toBe(closedBreaker);
  expect(breakerStep(closedBreaker, probe, 0)).toBe(closedBreaker);
});
