import { beforeEach, describe, expect, it } from 'vitest';
import { bundledClock } from '../../../src/lib/bundled-clock.js';
import { FakeClock, guardedClock, reusableTimer, type Clock } from '../../../src/lib/clock.js';

const quantumMs = 5;

describe('timers that fire together', () => {
  let real: FakeClock;
  let clock: Clock;
  let fired: string[];
  const note = (name: string) => (): void => void fired.push(`${name} ${real.monotonicMs()}`);
  beforeEach(() => {
    real = new FakeClock();
    clock = bundledClock(real, quantumMs);
    fired = [];
  });

  it('share one timer within a quantum, and fire at its end in the order they were armed', () => {
    for (const delayMs of [4, 1, 5, 3]) clock.after(delayMs, note(String(delayMs)));
    clock.after(6, note('later'));
    expect(real.armed).toBe(1);
    real.advance(20);
    expect(fired).toEqual(['4 5', '1 5', '5 5', '3 5', 'later 10']);
    expect(real.armed).toBe(0);
  });

  it('are never early, and late by one quantum at the most', () => {
    let armed = 0;
    for (let i = 0; i < 500; i++) {
      const [delayMs, fromMs] = [(i * 7.3) % 40, real.monotonicMs()];
      clock.after(delayMs, () => {
        armed++;
        expect(real.monotonicMs()).toBeGreaterThanOrEqual(fromMs + delayMs);
        expect(real.monotonicMs()).toBeLessThan(fromMs + delayMs + quantumMs + 1);
      });
      real.advance(i % 4);
    }
    real.advance(100);
    expect(armed).toBe(500);
  });

  it('keep a beat that is armed anew each time', () => {
    let dueMs = 20;
    const beat = (): void => {
      note('beat')();
      dueMs += 20;
      clock.after(dueMs - clock.monotonicMs(), beat);
    };
    clock.after(dueMs, beat);
    real.advance(100);
    expect(fired).toEqual([20, 40, 60, 80, 100].map((atMs) => `beat ${atMs}`));
  });

  it('fire no more once cancelled, twice or in the very moment they are due; the last one gives its timer back', () => {
    const [a, b] = [clock.after(3, note('a')), clock.after(3, note('b'))];
    a.cancel();
    a.cancel();
    expect(real.armed).toBe(1);
    b.cancel();
    expect(real.armed).toBe(0);
    const later = { cancel: (): void => undefined };
    clock.after(3, () => later.cancel());
    const timer = clock.after(3, note('c'));
    later.cancel = () => timer.cancel();
    clock.after(4, note('d'));
    real.advance(10);
    expect(fired).toEqual(['d 5']);
  });

  it('all get their turn although one throws', () => {
    clock.after(1, note('a'));
    clock.after(1, () => {
      throw new Error('of b');
    });
    clock.after(1, note('c'));
    expect(() => real.advance(5)).toThrow('of b');
    real.advance(5);
    expect(fired).toEqual(['a 5', 'c 5']);
  });

  it('fire in their turn however far ahead they are, and however long the process stood still', () => {
    for (const delayMs of [10_000, 3, 2562, 5122]) clock.after(delayMs, note(String(delayMs)));
    real.advance(6000);
    expect(fired).toEqual(['3 5', '2562 2565', '5122 5125']);
    real.advance(10_000);
    expect(fired.slice(3)).toEqual(['10000 10000']);
    expect(real.armed).toBe(0);
  });

  it('are armed again and again without a new one, each time anew', () => {
    const timer = reusableTimer(clock, note('beat'));
    timer.arm(20);
    timer.arm(7);
    real.advance(30);
    timer.arm(4);
    timer.cancel();
    real.advance(30);
    timer.arm(0);
    real.advance(30);
    expect(fired).toEqual(['beat 10', 'beat 60']);
    expect(real.armed).toBe(0);
  });

  it('fire in the order in which they fell due, however long the process stood still', () => {
    let nowMs = 250;
    let wake: (() => void) | undefined;
    const stopped: Clock = {
      now: () => nowMs,
      monotonicMs: () => nowMs,
      after: (_delayMs, callback) => {
        wake = callback;
        return { cancel: () => (wake = undefined) };
      },
    };
    clock = bundledClock(stopped, quantumMs);
    const order: string[] = [];
    for (const delayMs of [750, 250, 20, 3000]) clock.after(delayMs, () => order.push(String(delayMs)));
    nowMs = 3500;
    wake?.();
    expect(order).toEqual(['20', '250', '750', '3000']);
  });

  it('wait for a month as well as for others meanwhile', () => {
    clock.after(30 * 86_400_000, note('month'));
    real.advance(60_000);
    clock.after(10, note('soon'));
    real.advance(20);
    expect(fired).toEqual(['soon 60010']);
  });

  it('can be armed anew behind a guard, too, which takes what they throw', () => {
    const errors: unknown[] = [];
    const guarded = guardedClock(clock, (error) => errors.push(error));
    const timer = guarded.reusable?.(() => {
      note('beat')();
      throw new Error('of the beat');
    });
    timer?.arm(5);
    real.advance(10);
    timer?.arm(5);
    real.advance(10);
    expect([fired, errors.map(String)]).toEqual([
      ['beat 5', 'beat 15'],
      ['Error: of the beat', 'Error: of the beat'],
    ]);
    expect('reusable' in guardedClock(real, () => undefined)).toBe(false);
  });

  it('fire once when they are armed anew by what fires before them in the same moment', () => {
    const late = reusableTimer(clock, note('late'));
    clock.after(5, () => late.arm(5));
    late.arm(5);
    real.advance(30);
    expect(fired).toEqual(['late 10']);
  });

  it('tell the time of the clock they stand on', () => {
    real.advance(1234);
    expect([clock.now(), clock.monotonicMs()]).toEqual([real.now(), 1234]);
  });
});
