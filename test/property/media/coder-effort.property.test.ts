import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fullEffort, nextEffort, type LoadSeen } from '../../../src/media/workers/coder-effort.js';
import { runsOf } from '../../support/runs.js';

const { runs, timeoutMs } = runsOf(200, 20_000);
const steps = [5, 3, 1, 0];
const anyLoad = fc.record({
  cpuShare: fc.oneof(fc.double({ min: 0, max: 1.5, noNaN: true }), fc.constantFrom(0.55, 0.75)),
  loopDelayMeanMs: fc.oneof(fc.double({ min: 0, max: 500, noNaN: true }), fc.constantFrom(2, 5)),
});
/** Runs of the same load, as loads are. */
const loads = fc
  .array(fc.record({ load: anyLoad, looks: fc.integer({ min: 1, max: 60 }) }), { maxLength: 40 })
  .map((all) => all.flatMap(({ load, looks }) => Array<LoadSeen>(looks).fill(load)));

const isBusy = ({ cpuShare, loopDelayMeanMs }: LoadSeen): boolean => cpuShare > 0.75 || loopDelayMeanMs > 5;
const isCalm = ({ cpuShare, loopDelayMeanMs }: LoadSeen): boolean => cpuShare <= 0.55 && loopDelayMeanMs <= 2;

describe('effort of coding, whatever the load', () => {
  it('moves by single steps, down only when busy and up only at ease, and seldom up', { timeout: timeoutMs }, () => {
    fc.assert(
      fc.property(loads, (seen) => {
        let effort = fullEffort;
        let sinceChange = Infinity;
        for (const load of seen) {
          const before = effort;
          effort = nextEffort(effort, load);
          sinceChange++;
          const [from, to] = [steps.indexOf(before.complexity), steps.indexOf(effort.complexity)];
          expect(to).toBeGreaterThanOrEqual(0);
          if (from === to) continue;
          expect(Math.abs(to - from)).toBe(1);
          expect(to > from ? isBusy(load) : isCalm(load)).toBe(true);
          // A step up takes ten seconds of ease, so that it cannot go to and fro.
          expect(sinceChange).toBeGreaterThanOrEqual(to > from ? 2 : 20);
          sinceChange = 0;
        }
      }),
      { numRuns: runs },
    );
  });

  it('reaches the cheapest within 6 busy looks, and the best within 16 minutes of ease', { timeout: timeoutMs }, () => {
    fc.assert(
      fc.property(loads, (seen) => {
        const somewhere = seen.reduce(nextEffort, fullEffort);
        const busy = { cpuShare: 1, loopDelayMeanMs: 0 };
        let effort = somewhere;
        for (let i = 0; i < 6; i++) effort = nextEffort(effort, busy);
        expect(effort.complexity).toBe(0);
        for (let i = 0; i < 3 * 320; i++) effort = nextEffort(effort, { cpuShare: 0, loopDelayMeanMs: 0 });
        expect(effort.complexity).toBe(5);
      }),
      { numRuns: runs },
    );
  });
});
