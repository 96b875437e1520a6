import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DigitQueue } from '../../../src/media/digit-queue.js';

const limits = { leastMs: 80, mostMs: 5000, pauseMs: 60 };

function queue(): { digits: DigitQueue<string>; drops: () => number } {
  let drops = 0;
  return { digits: new DigitQueue<string>(limits, () => drops++), drops: () => drops };
}

/** Everything that waits, in order. */
function rest(digits: DigitQueue<string>): { digit: string; durationMs: number }[] {
  const all: { digit: string; durationMs: number }[] = [];
  for (let next = digits.take(); next; next = digits.take()) all.push(next);
  return all;
}

describe('digits that wait', () => {
  it('are taken in order with the lengths that were asked for', () => {
    const { digits } = queue();
    for (const [digit, ms] of [
      ['1', 100],
      ['2', 160],
      ['#', 300],
    ] as const)
      expect(digits.add(digit, ms, true)).toBe(true);
    expect(rest(digits)).toEqual([
      { digit: '1', durationMs: 100 },
      { digit: '2', durationMs: 160 },
      { digit: '#', durationMs: 300 },
    ]);
    expect([digits.isEmpty, digits.take()]).toEqual([true, undefined]);
  });

  it.each([
    [0, 80],
    [NaN, 80],
    [Infinity, 80],
    [-1, 80],
    [99.6, 100],
    [60_000, 5000],
  ])('a length of %d ms is played for %d', (asked, played) => {
    const { digits } = queue();
    digits.add('1', asked, true);
    expect(digits.take()?.durationMs).toBe(played);
  });

  it('get shorter rather than late: a long one behind another keeps to what may wait', () => {
    const { digits } = queue();
    digits.add('1', 5000, false);
    expect(digits.take()?.durationMs).toBe(2940);
    digits.add('1', 2000, false);
    digits.add('2', 2000, false);
    expect(rest(digits).map(({ durationMs }) => durationMs)).toEqual([2000, 80]);
  });

  it('are dropped once even the shortest would wait too long, which is told once and counted', () => {
    const { digits, drops } = queue();
    const taken = Array.from({ length: 40 }, () => digits.add('1', 80, false)).filter(Boolean);
    expect([taken.length, digits.dropped, drops()]).toEqual([21, 19, 1]);
    digits.take();
    expect([digits.add('2', 80, false), digits.add('3', 80, false), digits.dropped, drops()]).toEqual([
      true,
      false,
      20,
      1,
    ]);
    digits.clear();
    expect([digits.isEmpty, digits.add('4', 80, false)]).toEqual([true, true]);
  });

  it('never make anyone wait for more than 3 s, whatever comes, and none is lost that fits', () => {
    const press = fc.record({ ms: fc.oneof(fc.integer({ min: -10, max: 9000 }), fc.double()), takes: fc.nat(3) });
    fc.assert(
      fc.property(fc.array(press, { maxLength: 200 }), (presses) => {
        const { digits } = queue();
        let waitingMs = 0;
        for (const { ms, takes } of presses) {
          const before = waitingMs;
          const isTurn = false;
          if (digits.add('x', ms, isTurn)) {
            const probe = rest(digits);
            waitingMs = probe.reduce((sum, { durationMs }) => sum + durationMs + limits.pauseMs, 0);
            expect(waitingMs).toBeLessThanOrEqual(3000);
            for (const { digit, durationMs } of probe) expect(digits.add(digit, durationMs, isTurn)).toBe(true);
          } else expect(before + limits.leastMs + limits.pauseMs).toBeGreaterThan(3000);
          for (let i = 0; i < takes; i++) waitingMs -= (digits.take()?.durationMs ?? -limits.pauseMs) + limits.pauseMs;
        }
      }),
      { numRuns: 300 },
    );
  });
});
