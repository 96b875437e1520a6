import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  idleRegistration,
  longestLifetimeMs,
  registrationTransition,
  type RegistrationEffect,
  type RegistrationEvent,
  type RegistrationState,
} from '../../../src/sip/registration/registration-machine.js';
import { runsOf } from '../../support/runs.js';

const { runs, timeoutMs } = runsOf(2_000, 10_000);

const ms = fc.oneof(fc.integer({ min: 0, max: 120_000 }), fc.integer({ min: 0, max: 2 ** 40 }));
const failure = fc.record({
  kind: fc.constantFrom('refused' as const, 'unreachable' as const),
  why: fc.constant('no'),
  retryAfterMs: fc.option(ms, { nil: undefined }),
});
const event = fc.oneof(
  fc.constantFrom<RegistrationEvent>({ type: 'start' }, { type: 'due' }, { type: 'linkLost' }, { type: 'linkBack' }),
  fc.record({ type: fc.constant('granted' as const), lifetimeMs: ms }),
  fc.record({ type: fc.constant('failed' as const), failure }),
  fc.record({ type: fc.constant('tooBrief' as const), leastMs: ms }),
  fc.record({ type: fc.constantFrom('flowLost' as const, 'moved' as const), upMs: ms }),
);

interface Seen {
  readonly before: RegistrationState;
  readonly event: RegistrationEvent;
  readonly after: RegistrationState;
  readonly effects: readonly RegistrationEffect[];
}

function play(events: readonly RegistrationEvent[]): Seen[] {
  let state = idleRegistration(600_000);
  return events.map((one) => {
    const before = state;
    const { next, effects } = registrationTransition(before, one);
    state = next;
    return { before, event: one, after: next, effects };
  });
}

describe('a registration under any order of events', () => {
  const orders = fc.array(event, { maxLength: 40 });

  it(
    'always has something to wait for, and never for less than 10 s or more than a day',
    () => {
      fc.assert(
        fc.property(orders, (events) => {
          const seen = play([{ type: 'start' }, ...events]);
          // What it waits for: an answer, a time, or the link.
          let waits: RegistrationEffect['type'] | undefined;
          for (const { after, effects } of seen) {
            waits = effects.at(-1)?.type ?? waits;
            const wanted = { registering: ['register'], refreshing: ['register'], registered: ['wake'] };
            expect(wanted[after.phase as 'registered'] ?? ['wake', 'rest']).toContain(waits);
            for (const effect of effects) {
              if (effect.type === 'register') expect(effect.lifetimeMs).toBeLessThanOrEqual(longestLifetimeMs);
              if (effect.type !== 'wake') continue;
              expect(effect.leastMs).toBeGreaterThanOrEqual(10_000);
              expect(effect.mostMs).toBeGreaterThanOrEqual(effect.leastMs);
              expect(effect.mostMs).toBeLessThan(longestLifetimeMs);
            }
          }
        }),
        { numRuns: runs },
      );
    },
    timeoutMs,
  );

  it(
    'asks again without a pause only after a 423 that wants more, a first loss, or the link',
    () => {
      fc.assert(
        fc.property(orders, (events) => {
          for (const { before, event: one, effects } of play([{ type: 'start' }, ...events])) {
            if (!effects.some(({ type }) => type === 'register')) continue;
            if (one.type === 'tooBrief') expect(one.leastMs).toBeGreaterThan(before.askMs);
            else if (one.type === 'flowLost') expect(one.upMs >= 60_000 || before.failures === 0).toBe(true);
            else if (one.type === 'moved') expect(one.upMs).toBeGreaterThanOrEqual(60_000);
            else expect(['start', 'due', 'linkBack']).toContain(one.type);
          }
        }),
        { numRuns: runs },
      );
    },
    timeoutMs,
  );

  it(
    'is over after stop, whatever comes, and takes back what may be bound',
    () => {
      fc.assert(
        fc.property(orders, orders, (before, after) => {
          const seen = play([...before, { type: 'stop' }, ...after, { type: 'unregistered' }]);
          const stop = seen.find(({ event: one }) => one.type === 'stop')!;
          const mayBeBound = stop.before.mayBeBound || ['registering', 'refreshing'].includes(stop.before.phase);
          expect(stop.effects.map(({ type }) => type)).toEqual([mayBeBound ? 'unregister' : 'rest']);
          expect(seen.at(-1)?.after.phase).toBe('stopped');
          const later = seen.slice(seen.indexOf(stop) + 1).flatMap(({ effects }) => effects);
          expect(later.filter(({ type }) => type === 'register' || type === 'wake')).toEqual([]);
        }),
        { numRuns: runs },
      );
    },
    timeoutMs,
  );
});
