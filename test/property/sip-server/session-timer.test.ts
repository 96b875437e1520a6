import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { SessionTimerRunner } from '../../../src/sip-server/dialog/session-timer-runner.js';
import type { SessionTimerEvent } from '../../../src/sip-server/dialog/session-timer.js';

const terms = fc.record({
  intervalS: fc.integer({ min: 90, max: 7200 }),
  refresher: fc.constantFrom('us' as const, 'them' as const),
});
const event: fc.Arbitrary<SessionTimerEvent> = fc.oneof(
  fc.record({
    type: fc.constant('agreed' as const),
    terms: fc.option(terms, { nil: undefined }),
    canUpdate: fc.boolean(),
  }),
  fc.record({
    type: fc.constant('refused' as const),
    status: fc.constantFrom(401, 405, 408, 422, 481, 491, 500, 503),
    minSeS: fc.integer({ min: 0, max: 9000 }),
    glareMs: fc.integer({ min: 0, max: 4000 }),
  }),
);

it('ends a session that nobody refreshes once, before it runs out, and asks for no refresh more than a few times', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(event, fc.integer({ min: 0, max: 4_000_000 })), { maxLength: 20 }),
      terms,
      (steps, last) => {
        const clock = new FakeClock();
        let asked = 0;
        let ended = 0;
        const runner = new SessionTimerRunner({
          clock,
          isBusy: () => false,
          refresh: () => asked++,
          expire: () => ended++,
        });
        for (const [next, waitMs] of steps) {
          const before = asked;
          runner.take(next);
          clock.advance(waitMs);
          // One answer has us ask at once and, later, when the timer says so: never in a loop.
          expect(asked - before).toBeLessThanOrEqual(2);
          expect(ended).toBeLessThanOrEqual(1);
        }
        const before = ended;
        runner.take({ type: 'agreed', terms: last, canUpdate: true });
        clock.advance(last.intervalS * 1000 - 1);
        expect(ended).toBe(1);
        expect(before === 1 || runner.terms === undefined).toBe(true);
      },
    ),
    { numRuns: 300 },
  );
});
