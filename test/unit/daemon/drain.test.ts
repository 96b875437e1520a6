import { beforeEach, describe, expect, it } from 'vitest';
import { Drain } from '../../../src/daemon/drain.js';
import { FakeClock } from '../../../src/lib/clock.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { settled } from '../../support/eventually.js';

describe('drain', () => {
  let clock: FakeClock;
  let calls: number;
  let over: () => void;
  let states: string[];
  let forced: number[];
  let drain: Drain;
  beforeEach(() => {
    clock = new FakeClock();
    calls = 3;
    [states, forced] = [[], []];
    const none = new Promise<void>((resolve) => (over = resolve));
    drain = new Drain({
      noCalls: () => (calls === 0 ? Promise.resolve() : none),
      calls: () => calls,
      timeoutMs: () => 120_000,
      onChange: (state) => states.push(state),
      onForced: (count) => forced.push(count),
      ...{ clock, logger: silentLogger },
    });
  });

  it('begins and ends, any number of times', () => {
    for (let turn = 0; turn < 2; turn++) {
      drain.begin();
      drain.begin();
      expect([drain.state, drain.times.sinceMs]).toEqual(['draining', clock.now()]);
      expect(drain.end()).toBe(true);
      expect(drain.end()).toBe(true);
      expect(drain.times).toEqual({ sinceMs: undefined, untilMs: undefined });
    }
    expect(states).toEqual(['draining', 'off', 'draining', 'off']);
  });

  it('that stops the process is for good, and keeps its first limit', async () => {
    drain.begin();
    clock.advance(1_000);
    drain.stop();
    const untilMs = clock.now() + 120_000;
    await drain.stopAsked;
    clock.advance(5_000);
    drain.stop();
    drain.begin();
    expect(drain.end()).toBe(false);
    expect(drain.times).toEqual({ sinceMs: untilMs - 121_000, untilMs });
    expect(states).toEqual(['draining', 'stopping']);
  });

  it('is finished when the last call is over', async () => {
    const finished = drain.finished();
    calls = 0;
    over();
    await finished;
    expect(forced).toEqual([]);
    expect(clock.armed).toBe(0);
  });

  it('is finished when the limit has passed, which counts the calls that are left', async () => {
    let isFinished = false;
    void drain.finished().then(() => (isFinished = true));
    clock.advance(119_999);
    await settled();
    expect(isFinished).toBe(false);
    calls = 2;
    clock.advance(1);
    await settled();
    expect([isFinished, forced]).toEqual([true, [2]]);
  });

  it('counts its limit from when the stop was asked for', async () => {
    drain.stop();
    clock.advance(100_000);
    let isFinished = false;
    void drain.finished().then(() => (isFinished = true));
    clock.advance(20_000);
    await settled();
    expect(isFinished).toBe(true);
  });

  it('without calls is finished at once', async () => {
    calls = 0;
    await drain.finished();
    expect(drain.state).toBe('stopping');
  });
});
