import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { CallWindow } from '../../../src/sip/call-window.js';

describe('CallWindow', () => {
  it('lets no more through than its limit in any window, and refuses only what would be more', () => {
    const pauses = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 40 })), { maxLength: 300 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 200 }), pauses, (limit, windowMs, ms) => {
        const clock = new FakeClock();
        const window = new CallWindow(clock, limit, windowMs);
        const admitted: number[] = [];
        for (const pauseMs of ms) {
          clock.advance(pauseMs);
          const now = clock.monotonicMs();
          // The stretch that would end with this call.
          const recent = admitted.filter((at) => at > now - windowMs);
          const oldest = recent.at(-limit);
          expect(window.waitMs).toBe(oldest === undefined ? 0 : oldest + windowMs - now);
          if (window.waitMs > 0) continue;
          window.add();
          admitted.push(now);
          expect(recent.length).toBeLessThan(limit);
        }
      }),
    );
  });
});
