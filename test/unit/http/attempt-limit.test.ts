import { describe, expect, it } from 'vitest';
import { AttemptLimit } from '../../../src/http/attempt-limit.js';
import { FakeClock } from '../../../src/lib/clock.js';

describe('attempt limit', () => {
  it('is used up by failures of one source within the window', () => {
    const clock = new FakeClock();
    const limit = new AttemptLimit(2, 60_000, clock);
    limit.failed('a');
    expect(limit.isUsedUp('a')).toBe(false);
    limit.failed('a');
    expect([limit.isUsedUp('a'), limit.isUsedUp('b')]).toEqual([true, false]);
    clock.advance(60_000);
    expect(limit.isUsedUp('a')).toBe(false);
    limit.failed('a');
    expect(limit.isUsedUp('a')).toBe(false);
  });

  it('remembers a bounded number of sources', () => {
    const limit = new AttemptLimit(1, 60_000, new FakeClock());
    for (let i = 0; i < 1001; i++) limit.failed(`source ${i}`);
    expect([limit.isUsedUp('source 0'), limit.isUsedUp('source 1')]).toEqual([false, true]);
  });
});
