import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { permissionAnswerSchema } from '../../../src/whatsapp/permissions/permission-answer.js';
import { PairBook } from '../../../src/whatsapp/permissions/pair-book.js';
import {
  isGranted,
  permissionTransition,
  unknownPermission,
  type PermissionInput,
  type PermissionState,
} from '../../../src/whatsapp/permissions/permission-state.js';

const START = 1_700_000_000_000;
const DAY = 86_400_000;
const at = fc.integer({ min: START, max: START + 20 * DAY });
const id = fc.constantFrom('wamid.1', 'wamid.2', 'wamid.3', undefined);
const reply = { stampMs: at, messageId: id, heardAtMs: at };
const end = fc.option(at, { nil: undefined });

const input: fc.Arbitrary<PermissionInput> = fc.oneof(
  fc.record({
    type: fc.constant('looked_up' as const),
    status: fc.constantFrom('no_permission' as const, 'temporary' as const, 'permanent' as const),
    ...{ expiresAtMs: end, askedAtMs: at },
  }),
  fc.record({ type: fc.constant('requested' as const), sentAtMs: at }),
  fc.record({ type: fc.constant('accepted' as const), permanent: fc.boolean(), expiresAtMs: end, ...reply }),
  fc.record({ type: fc.constant('rejected' as const), automatic: fc.boolean(), ...reply }),
  fc.record({ type: fc.constant('call_refused' as const), atMs: at }),
  fc.record({ type: fc.constant('time' as const), atMs: at }),
);

const run = (events: readonly PermissionInput[], from: PermissionState = unknownPermission): PermissionState =>
  events.reduce(permissionTransition, from);

describe('permission of a user, any events in any order', () => {
  it('the same event twice is the same as once', () => {
    fc.assert(
      fc.property(fc.array(input, { maxLength: 12 }), input, (events, last) => {
        const once = run([...events, last]);
        expect(permissionTransition(once, last)).toEqual(once);
      }),
      { numRuns: 2000 },
    );
  });

  it('is granted only when somebody said so, and never after its end', () => {
    fc.assert(
      fc.property(fc.array(input, { maxLength: 12 }), at, (events, nowMs) => {
        const state = permissionTransition(run(events), { type: 'time', atMs: nowMs });
        if (!isGranted(state)) return;
        const grants = events.filter(
          (event) => event.type === 'accepted' || (event.type === 'looked_up' && event.status !== 'no_permission'),
        );
        expect(grants.length).toBeGreaterThan(0);
        expect(state.expiresAtMs ?? Infinity).toBeGreaterThan(nowMs);
      }),
      { numRuns: 2000 },
    );
  });

  it('replies in any order, each any number of times, leave the one that was stamped last', () => {
    const stamps = fc.uniqueArray(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(
        stamps,
        fc.array(fc.nat(5), { maxLength: 12 }),
        fc.infiniteStream(fc.boolean()),
        (seconds, extra, kinds) => {
          const heardAtMs = START + DAY;
          const replies = seconds.map((second, index): PermissionInput => {
            const common = { stampMs: START + second * 1000, messageId: `wamid.${index}`, heardAtMs };
            return kinds.next().value
              ? { type: 'accepted', permanent: true, expiresAtMs: undefined, ...common }
              : { type: 'rejected', automatic: true, ...common };
          });
          const again = extra.flatMap((index) => replies[index] ?? []);
          const last = replies[seconds.indexOf(Math.max(...seconds))];
          expect(run([...again, ...replies, ...again]).name).toBe(last?.type === 'accepted' ? 'permanent' : 'revoked');
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('comes to be granted by an accepted request within two events, from anywhere', () => {
    fc.assert(
      fc.property(fc.array(input, { maxLength: 12 }), (events) => {
        const nowMs = START + 30 * DAY;
        const accepted = { stampMs: nowMs, heardAtMs: nowMs, messageId: 'wamid.new' };
        const state = run([
          ...events,
          { type: 'requested', sentAtMs: nowMs },
          { type: 'accepted', permanent: false, expiresAtMs: nowMs + DAY, ...accepted },
        ]);
        expect(state).toMatchObject({ name: 'temporary', expiresAtMs: nowMs + DAY });
      }),
    );
  });
});

describe('answers of Meta', () => {
  it('whatever it is, reading it ends in an answer or a refusal to read, never in anything else', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), fc.anything(), (status, expiration, actions) => {
        const read = permissionAnswerSchema.safeParse({ permission: { status, expiration }, actions });
        expect(read.success).toBe(true);
        expect(['no_permission', 'temporary', 'permanent']).toContain(read.data?.status);
        for (const { can, limits } of read.data?.actions.values() ?? []) {
          expect(typeof can).toBe('boolean');
          for (const { max, used, endsAtMs } of limits) {
            for (const value of [max, used, endsAtMs]) expect(value === undefined || value >= 0).toBe(true);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('pairs by any id of the user', () => {
  const rules = {
    ...{ maxAgeMs: 1000, requestsPerDay: 1, requestsPerWeek: 2, connectedCallsPerDay: 100, unansweredInARow: 4 },
  };
  const ids = fc.record(
    {
      number: fc.constantFrom('+1', '+2', '+3'),
      userId: fc.constantFrom('US.1', 'US.2', 'a|b'),
      parentUserId: fc.constantFrom('US.ENT.1', 'US.ENT.2'),
    },
    { requiredKeys: [] },
  );
  it('the ids of one webhook lead to one pair, a number has its own pairs, and the book keeps to its bound', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('100', '200'), ids), { minLength: 1, maxLength: 30 }), (seen) => {
        const book = new PairBook(new FakeClock(), rules, 5);
        for (const [numberId, user] of seen) {
          const pair = book.of(numberId, user);
          for (const [kind, value] of Object.entries(user)) expect(book.of(numberId, { [kind]: value })).toBe(pair);
          expect(book.size).toBeLessThanOrEqual(5);
        }
      }),
      { numRuns: 200 },
    );
  });
});
