import { beforeEach, describe, expect, it } from 'vitest';
import { WorkerEffort } from '../../../../src/media/workers/worker-effort.js';
import { RecordingLogger } from '../../../support/recording-logger.js';

let logger: RecordingLogger;
let set: number[];
let effort: WorkerEffort;
let cpuMs: number;
let nowMs: number;

beforeEach(() => {
  logger = new RecordingLogger();
  set = [];
  effort = new WorkerEffort({ setComplexity: (complexity) => set.push(complexity), logger });
  [cpuMs, nowMs] = [10_000, 0];
  effort.look({ cpuMs, loopDelayMeanMs: 0 }, nowMs);
});

/** So many looks, half a second apart, each with this share of a core. */
function looks(count: number, cpuShare: number, loopDelayMeanMs = 0): void {
  for (let i = 0; i < count; i++) {
    nowMs += 500;
    cpuMs += 500 * cpuShare;
    effort.look({ cpuMs, loopDelayMeanMs }, nowMs);
  }
}

describe('effort of a worker', () => {
  it('tells encoders and log of each step, down with what led to it, and up', () => {
    looks(4, 0.97, 1.234);
    looks(20, 0.1);
    expect(set).toEqual([3, 1, 3]);
    expect(effort.complexity).toBe(3);
    expect(logger.lines.map(({ level, fields }) => ({ level, ...fields }))).toEqual([
      { level: 'warn', complexity: 3, before: 5, cpuShare: 0.97, loopDelayMeanMs: 1.23 },
      { level: 'warn', complexity: 1, before: 3, cpuShare: 0.97, loopDelayMeanMs: 1.23 },
      { level: 'info', complexity: 3, before: 1, cpuShare: 0.1, loopDelayMeanMs: 0 },
    ]);
  });

  it('does not take the processor time before the first look for a share, nor divides by no time', () => {
    effort.look({ cpuMs: cpuMs + 1e9, loopDelayMeanMs: 0 }, nowMs);
    expect([set, logger.lines]).toEqual([[], []]);
    looks(200, 0.5);
    expect(set).toEqual([]);
  });
});
