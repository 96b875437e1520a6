import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endReason, type EndReason } from '../../../src/call/end-reason.js';
import { FakeClock } from '../../../src/lib/clock.js';
import type { E164 } from '../../../src/lib/ids.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { GraphError } from '../../../src/whatsapp/graph-error.js';
import { PermissionGate, type PermissionRules } from '../../../src/whatsapp/permissions/permission-gate.js';
import { FakePermissionApi, permissionJson } from '../../support/permission-fakes.js';
import { someCall, someNumber } from '../../support/whatsapp-fakes.js';

const DAY = 24 * 3600_000;
const USERS = ['+13057765456', '+13057765457'] as E164[];
const rules: PermissionRules = {
  ...{ message: { kind: 'text', text: 'May we?' }, maxAgeMs: 3600_000, lookupsPerSecond: 2 },
  ...{ requestsPerDay: 1, requestsPerWeek: 2, connectedCallsPerDay: 3, unansweredInARow: 4 },
};

const fault = fc.constantFrom(
  new GraphError('api', 'slow down', { metaCode: 613, httpStatus: 429 }),
  new GraphError('api', 'broken', { metaCode: 131000, httpStatus: 500 }),
  new GraphError('transport', 'reset'),
  new GraphError('transport', 'refused', { unsent: true }),
);
const requestFault = fc.oneof(
  fault,
  fc.constantFrom(138009, 138017, 131047).map((metaCode) => new GraphError('api', 'no', { metaCode, httpStatus: 400 })),
);
const answer = fc
  .record(
    { ask: fc.boolean(), start: fc.boolean(), expires: fc.integer({ min: 1_767_225_600, max: 1_770_000_000 }) },
    { requiredKeys: [] },
  )
  .chain((said) =>
    fc
      .constantFrom('no_permission', 'no_permission', 'temporary', 'permanent')
      .map((status) => permissionJson(status, said)),
  );

const step = fc.record({
  user: fc.constantFrom(...USERS),
  policy: fc.constantFrom('none' as const, 'check' as const, 'ask' as const, 'ask' as const),
  looksUp: fc.oneof({ weight: 4, arbitrary: answer }, { weight: 1, arbitrary: fault }),
  sends: fc.oneof({ weight: 3, arbitrary: fc.constant('wamid.1') }, { weight: 1, arbitrary: requestFault }),
  outcome: fc.constantFrom('no_answer', 'hangup', 'no_permission', undefined),
  reply: fc.constantFrom('accept' as const, 'reject' as const, undefined, undefined, undefined),
  waitMs: fc.oneof(fc.nat(2000), fc.nat(30_000), fc.nat(2 * DAY)),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Meta may have the request: it said so, or the connection broke behind it. */
const mayHaveArrived = (sends: string | GraphError): boolean =>
  typeof sends === 'string' || (sends.metaCode === undefined && !sends.unsent);

/** One business number and two users, with a Meta that answers as it likes. */
class World {
  readonly clock = new FakeClock();
  readonly api = new FakePermissionApi();
  readonly lookUps: number[] = [];
  asked = 0;
  /** When each user was last asked, until the user answers. */
  readonly pending = new Map<E164, number>();
  readonly gate = new PermissionGate({ api: this.api, clock: this.clock, logger: silentLogger, rules });
  #replies = 0;

  async call(one: Step): Promise<void> {
    const { api, clock } = this;
    api.answers(one.looksUp);
    api.sends(one.sends);
    const before = { lookedUp: api.lookedUp.length, requested: api.requested.length };
    const number = { ...someNumber, permission: one.policy };
    const reason = await this.gate.mayCall(number, { number: one.user }, { id: someCall, isOver: () => false });
    const looked = api.lookedUp.length - before.lookedUp;
    const asked = api.requested.length - before.requested;
    if (looked > 0) this.lookUps.push(clock.now());
    this.asked += asked;
    // A permission that Meta knows of is an answer too.
    if (looked > 0 && JSON.stringify(one.looksUp).match(/"(temporary|permanent)"/)) this.pending.delete(one.user);
    this.#check(one, reason, looked, asked);
    if (asked > 0 && mayHaveArrived(one.sends)) this.pending.set(one.user, clock.now());
    if (reason === undefined && one.outcome !== undefined) this.#over(one.user, one.outcome);
  }

  reply({ user, reply }: Step): void {
    if (!reply) return;
    this.pending.delete(user);
    const ids = { number: user, userId: undefined, parentUserId: undefined, name: undefined, username: undefined };
    this.gate.onReply(
      {
        ...{
          kind: 'permission_reply',
          numberId: someNumber.id,
          timestampMs: this.clock.now(),
          user: ids,
          response: reply,
        },
        ...{ messageId: `wamid.${this.#replies++}`, contextId: undefined, permanent: false, expiresAtMs: undefined },
        source: 'user_action',
      },
      someNumber,
    );
  }

  #check({ policy, user, sends, looksUp }: Step, reason: EndReason | undefined, looked: number, asked: number): void {
    expect([undefined, 403, 480]).toContain(reason?.sipStatus);
    if (policy === 'none') expect([looked, asked]).toEqual([0, 0]);
    if (policy !== 'ask') expect(asked).toBe(0);
    // 480 is said when, and only when, Meta has taken a request.
    expect(reason?.sipStatus === 480).toBe(asked === 1 && typeof sends === 'string');
    expect(looked).toBeLessThanOrEqual(1);
    const last = this.pending.get(user);
    if (asked > 0 && last !== undefined) expect(this.clock.now() - last).toBeGreaterThanOrEqual(DAY);
    if (reason?.code === 'limit') expect(reason.retryAfterS ?? 1).toBeGreaterThan(0);
    // A look-up that failed keeps nobody from calling; our own guard may.
    if (looked > 0 && looksUp instanceof Error) expect([undefined, 'limit']).toContain(reason?.code);
  }

  #over(user: E164, code: 'no_answer' | 'hangup' | 'no_permission'): void {
    const reason = code === 'no_permission' ? endReason(code, { metaCode: 138006 }) : endReason(code);
    const answerMs = code === 'hangup' ? this.clock.now() : undefined;
    const b = code === 'no_permission' ? {} : { waCallId: 'wacid.1' };
    this.gate.onCallOver(someNumber, { number: user }, { direction: 'business_initiated', answerMs, reason, b });
  }
}

describe('the permission gate, whatever Meta and the users do', () => {
  it('asks at most once a day unless answered, says 480 only when it did, and keeps to the rate of look-ups', async () => {
    let asked = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 30 }), async (steps) => {
        const world = new World();
        for (const one of steps) {
          await world.call(one);
          world.reply(one);
          world.clock.advance(one.waitMs);
        }
        asked += world.asked;
        expect(world.clock.armed).toBe(0);
        for (const at of world.lookUps) {
          const within = world.lookUps.filter((other) => other >= at && other < at + 1000);
          expect(within.length).toBeLessThanOrEqual(2 * rules.lookupsPerSecond);
        }
      }),
      { numRuns: 150 },
    );
    // Else nothing was shown.
    expect(asked).toBeGreaterThan(60);
  });
});
