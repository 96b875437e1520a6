import { describe, expect, it } from 'vitest';
import { fullEffort, nextEffort, type CoderEffort, type LoadSeen } from '../../../../src/media/workers/coder-effort.js';

const atEase: LoadSeen = { cpuShare: 0.3, loopDelayMeanMs: 0.5 };
const busy: LoadSeen = { cpuShare: 0.95, loopDelayMeanMs: 1 };
const late: LoadSeen = { cpuShare: 0.4, loopDelayMeanMs: 6 };
const between: LoadSeen = { cpuShare: 0.7, loopDelayMeanMs: 1 };

const after = (from: CoderEffort, load: LoadSeen, looks: number): CoderEffort =>
  Array.from({ length: looks }).reduce<CoderEffort>((effort) => nextEffort(effort, load), from);

describe('effort of coding', () => {
  it('is 5 as long as the worker is at ease, and stays', () => {
    expect(after(fullEffort, atEase, 500).complexity).toBe(5);
    expect(after(fullEffort, between, 500).complexity).toBe(5);
  });

  it.each([
    ['the processor is busy', busy],
    ['the event loop is late', late],
  ])('goes down a step with every second look while %s, and no further than to 0', (_, load) => {
    const seen = Array.from({ length: 9 }, (_each, looks) => after(fullEffort, load, looks).complexity);
    expect(seen).toEqual([5, 5, 3, 3, 1, 1, 0, 0, 0]);
  });

  it('a single busy look changes nothing, nor do several with others between them', () => {
    let effort = fullEffort;
    for (let i = 0; i < 50; i++) effort = nextEffort(nextEffort(effort, busy), i % 2 === 0 ? between : atEase);
    expect(effort.complexity).toBe(5);
  });

  it('goes up a step after ten seconds at ease, and not while it is neither busy nor at ease', () => {
    const low = after(fullEffort, busy, 6);
    expect(low.complexity).toBe(0);
    expect(after(low, between, 1000).complexity).toBe(0);
    expect(after(low, atEase, 19).complexity).toBe(0);
    expect(after(low, atEase, 20).complexity).toBe(1);
    expect(after(low, atEase, 60).complexity).toBe(5);
    expect(after(nextEffort(after(low, atEase, 19), between), atEase, 19).complexity).toBe(0);
  });

  it('waits longer before it tries again what was too much, and forgets that at the top', () => {
    let effort = fullEffort;
    const waits: number[] = [];
    for (let round = 0; round < 6; round++) {
      effort = after(effort, busy, 2);
      let looks = 0;
      for (const { complexity } = effort; effort.complexity === complexity; looks++)
        effort = nextEffort(effort, atEase);
      waits.push(looks);
    }
    expect(waits).toEqual([20, 40, 80, 160, 320, 320]);
    expect(after(effort, atEase, 5000).patience).toBe(fullEffort.patience);
  });
});
