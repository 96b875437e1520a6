import { describe, expect, it, vi } from 'vitest';
import { FakeClock, guardedClock, systemClock } from '../../../src/lib/clock.js';
import { DeadlineError, withDeadline } from '../../../src/lib/deadline.js';
import { systemIds, ulid } from '../../../src/lib/ids.js';
import { MachineRunner } from '../../../src/lib/machine-runner.js';

describe('fake clock', () => {
  it('fires what falls due in order, timers armed on the way included', () => {
    const clock = new FakeClock();
    const fired: string[] = [];
    clock.after(20, () => fired.push(`b@${clock.monotonicMs()}`));
    clock.after(10, () => {
      fired.push(`a@${clock.monotonicMs()}`);
      clock.after(5, () => fired.push(`c@${clock.monotonicMs()}`));
    });
    clock.after(12, () => fired.push('never')).cancel();
    clock.advance(30);
    expect(fired).toEqual(['a@10', 'c@15', 'b@20']);
    expect(clock.armed).toBe(0);
  });
});

describe('guarded clock', () => {
  it('tells what a callback throws, and is the clock beneath in everything else', () => {
    const clock = new FakeClock();
    const errors: unknown[] = [];
    const guarded = guardedClock(clock, (error) => errors.push(error));
    const fault = new Error('timer');
    const fired: number[] = [];
    guarded.after(10, () => {
      throw fault;
    });
    guarded.after(20, () => fired.push(guarded.monotonicMs()));
    guarded.after(15, () => fired.push(-1)).cancel();
    clock.advance(30);
    expect([errors, fired, clock.armed]).toEqual([[fault], [20], 0]);
    expect([guarded.now(), guarded.monotonicMs()]).toEqual([clock.now(), 30]);
  });
});

describe('system clock', () => {
  it('waits long where it is asked to wait for longer than a timer of node can', () => {
    vi.useFakeTimers();
    try {
      let hasFired = false;
      const timer = systemClock.after(999_999_999_000, () => (hasFired = true));
      vi.advanceTimersByTime(86_400_000);
      expect(hasFired).toBe(false);
      timer.cancel();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('deadline', () => {
  it('rejects when time runs out and disarms when the promise settles first', async () => {
    const clock = new FakeClock();
    const late = withDeadline(new Promise(() => undefined), 100, 'pre_accept', clock);
    clock.advance(100);
    await expect(late).rejects.toBeInstanceOf(DeadlineError);
    await expect(withDeadline(Promise.resolve(7), 100, 'x', clock)).resolves.toBe(7);
    expect(clock.armed).toBe(0);
  });
});

describe('ulid', () => {
  it('has 26 Crockford characters and sorts by time', () => {
    const random = new Uint8Array(10).fill(255);
    expect(ulid(0, new Uint8Array(10))).toBe('0'.repeat(26));
    expect(ulid(1_700_000_000_000, random) < ulid(1_700_000_000_001, new Uint8Array(10))).toBe(true);
    expect(systemIds.callId()).toMatch(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/);
  });
});

describe('machine runner', () => {
  it('takes one event at a time and goes on after an effect that throws', () => {
    const seen: string[] = [];
    const faults: unknown[] = [];
    const runner = new MachineRunner<number, string, string>(
      0,
      (state, event) => ({ next: state + 1, effects: [`${event} first`, `${event} second`] }),
      (effect) => {
        seen.push(`${runner.state} ${effect}`);
        if (effect === 'a first') runner.post('b');
        if (effect === 'b first') throw new Error('effect');
      },
      (error, effect) => faults.push([(error as Error).message, effect]),
    );
    runner.post('a');
    expect(seen).toEqual(['1 a first', '1 a second', '2 b first', '2 b second']);
    expect(faults).toEqual([['effect', 'b first']]);
  });
});
