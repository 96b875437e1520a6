import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fineClock } from '../../../src/lib/fine-clock.js';
import { runsOf } from '../../support/runs.js';

const { runs, timeoutMs } = runsOf(500, 20_000);

/** What passes between two stamps, and how long the process stands still between its look at the one clock and at the other. */
const step = fc.record({
  passedMs: fc.oneof(
    fc.double({ min: 0, max: 3, noNaN: true }),
    fc.double({ min: 0, max: 0.01, noNaN: true }),
    fc.nat(5000),
  ),
  stalledMs: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(50) }),
});

const scene = fc.record({
  /** NTP slews by up to 500 ppm; here by far more. */
  driftPpm: fc.integer({ min: -200_000, max: 200_000 }),
  epochMs: fc.double({ min: 1.7e12, max: 1.9e12, noNaN: true }),
  originMs: fc.double({ min: 0, max: 1e7, noNaN: true }),
  steps: fc.array(step, { minLength: 1, maxLength: 300 }),
});

type Scene = typeof scene extends fc.Arbitrary<infer T> ? T : never;

/** Every stamp with the wall clock's milliseconds at its time; `settle` may set the wall clock. */
function stampsOf(
  { driftPpm, epochMs, originMs, steps }: Scene,
  settle: (i: number) => number = () => 0,
): { us: number; wallMs: number }[] {
  let [elapsedMs, setMs, stalledMs] = [0, 0, 0];
  let wallMs = 0;
  const nowUs = fineClock({
    now: () => (wallMs = Math.floor(epochMs + setMs + elapsedMs * (1 + driftPpm / 1e6))),
    monotonicMs: () => originMs + (elapsedMs += stalledMs),
  });
  return steps.map((next, i) => {
    elapsedMs += next.passedMs;
    stalledMs = next.stalledMs;
    setMs += settle(i);
    return { us: nowUs(), wallMs };
  });
}

it(
  'stamps never go back while nobody sets the wall clock, however the clocks run apart',
  { timeout: timeoutMs },
  () => {
    fc.assert(
      fc.property(scene, (any) => {
        const stamps = stampsOf(any);
        stamps.forEach(({ us }, i) => expect(us).toBeGreaterThanOrEqual(stamps[i - 1]?.us ?? 0));
      }),
      { numRuns: runs },
    );
  },
);

it('stamps are whole and in the millisecond of the wall clock, when it is set as well', { timeout: timeoutMs }, () => {
  fc.assert(
    fc.property(scene, fc.array(fc.integer({ min: -1e7, max: 1e7 }), { minLength: 1 }), (any, settings) => {
      const setting = (i: number): number => (i % 7 === 3 ? (settings[i % settings.length] ?? 0) : 0);
      for (const { us, wallMs } of stampsOf(any, setting)) expect(Math.floor(us / 1000)).toBe(wallMs);
    }),
    { numRuns: runs },
  );
});

it('what happens some microseconds later has a later stamp where the clocks run alike', { timeout: timeoutMs }, () => {
  fc.assert(
    fc.property(scene, (any) => {
      const steps = any.steps.map(({ passedMs }) => ({ passedMs: passedMs + 0.004, stalledMs: 0 }));
      const stamps = stampsOf({ ...any, driftPpm: 0, steps });
      stamps.forEach(({ us }, i) => expect(us).toBeGreaterThan(stamps[i - 1]?.us ?? 0));
    }),
    { numRuns: runs },
  );
});
