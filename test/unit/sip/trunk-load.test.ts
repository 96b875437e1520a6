import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import type { Trunk } from '../../../src/routing/types.js';
import { TrunkLimitLog } from '../../../src/sip/trunk-limit-log.js';
import { TrunkLoad } from '../../../src/sip/trunk-load.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { sceneTrunk } from '../../support/sip-scene.js';

const trunk = (over: Partial<Trunk> = {}): Trunk => ({ ...sceneTrunk, maxCalls: 2, ...over });

describe('TrunkLoad', () => {
  it('gives a place back once', () => {
    const load = new TrunkLoad(new FakeClock());
    const pbx = trunk();
    const [first, second] = [load.take(pbx), load.take(pbx)];
    expect(load.take(pbx)).toBeUndefined();
    expect(load.take(trunk({ name: 'other' }))).toBeTypeOf('function');
    first?.();
    first?.();
    expect(load.legsOf('pbx')).toBe(1);
    expect(load.take(pbx)).toBeTypeOf('function');
    second?.();
    expect(load.legsOf('pbx')).toBe(1);
  });

  it('never lets more of 1,000 INVITEs of one trunk in than its limits say', () => {
    const clock = new FakeClock();
    const load = new TrunkLoad(clock);
    const pbx = trunk({ maxCalls: 1000, maxCallsPerSecond: 5, maxCallsPerDay: 120 });
    const admitted: number[] = [];
    const refusals = new Map<string, number>();
    for (let i = 0; i < 1000; i++) {
      const admission = load.admit(pbx);
      if (admission.ok) admitted.push(clock.monotonicMs());
      else refusals.set(admission.limit, (refusals.get(admission.limit) ?? 0) + 1);
      clock.advance(37);
    }
    expect(admitted).toHaveLength(120);
    const inSecondFrom = (from: number): number => admitted.filter((at) => at >= from && at < from + 1000).length;
    expect(Math.max(...admitted.map(inSecondFrom))).toBe(5);
    expect([...refusals.keys()]).toEqual(['max_calls_per_second', 'max_calls_per_day']);
  });

  it('says when there is room again: in the second, the day, or some time', () => {
    const clock = new FakeClock();
    const load = new TrunkLoad(clock);
    const pbx = trunk({ maxCallsPerSecond: 1, maxCallsPerDay: 2 });
    expect(load.admit(pbx).ok).toBe(true);
    expect(load.admit(pbx)).toEqual({ ok: false, limit: 'max_calls_per_second', retryAfterS: 1 });
    clock.advance(1000);
    expect(load.admit(pbx).ok).toBe(true);
    clock.advance(3_599_000);
    expect(load.admit(pbx)).toEqual({ ok: false, limit: 'max_calls_per_day', retryAfterS: 23 * 3600 });
    clock.advance(23 * 3_600_000);
    expect(load.admit(pbx)).toEqual({ ok: false, limit: 'max_calls', retryAfterS: 10 });
  });

  it('counts no call that it refuses, and none that is placed to the trunk, against the rates', () => {
    const clock = new FakeClock();
    const load = new TrunkLoad(clock);
    const pbx = trunk({ maxCallsPerDay: 2 });
    const outbound = [load.take(pbx), load.take(pbx)];
    expect(load.admit(pbx)).toMatchObject({ limit: 'max_calls' });
    for (const release of outbound) release?.();
    expect([load.admit(pbx).ok, load.admit(pbx).ok]).toEqual([true, true]);
    expect(load.admit(pbx)).toMatchObject({ limit: 'max_calls_per_day' });
    expect(load.admit(trunk({ name: 'other', maxCallsPerDay: 2 })).ok).toBe(true);
  });
});

describe('TrunkLimitLog', () => {
  it('writes a line a minute for each limit of each trunk, with the count', () => {
    const clock = new FakeClock();
    const logger = new RecordingLogger();
    const log = new TrunkLimitLog(clock, logger);
    for (let i = 0; i < 1000; i++) log.note('pbx', 'max_calls_per_second');
    log.note('pbx', 'max_calls_per_day');
    expect(logger.lines.map(({ level, fields }) => [level, fields])).toEqual([
      ['warn', { trunk: 'pbx', limit: 'max_calls_per_second', calls: 1 }],
      ['warn', { trunk: 'pbx', limit: 'max_calls_per_day', calls: 1 }],
    ]);
    clock.advance(60_000);
    log.note('pbx', 'max_calls_per_second');
    expect(logger.lines[2]?.fields).toEqual({ trunk: 'pbx', limit: 'max_calls_per_second', calls: 1000 });
  });

  it('counts a limit that a reload changed anew, and goes on with the other', () => {
    const clock = new FakeClock();
    const load = new TrunkLoad(clock);
    const before = trunk({ maxCalls: 100, maxCallsPerSecond: 1, maxCallsPerDay: 3 });
    const admitted = (pbx: Trunk): boolean => load.admit(pbx).ok;
    expect([admitted(before), admitted(before)]).toEqual([true, false]);
    const after = { ...before, maxCallsPerSecond: 10 };
    expect([admitted(after), admitted(after), admitted(after)]).toEqual([true, true, false]);
    expect(load.admit(after)).toMatchObject({ limit: 'max_calls_per_day' });
  });
});
