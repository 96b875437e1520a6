import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import { FakeClock } from '../../../src/lib/clock.js';
import { BusinessInitiatedLeg } from '../../../src/whatsapp/business-initiated-leg.js';
import type { LaterEvent } from '../../../src/whatsapp/call-directory.js';
import { GraphError } from '../../../src/whatsapp/graph-error.js';
import { UserInitiatedLeg } from '../../../src/whatsapp/user-initiated-leg.js';
import { opaqueOf } from '../../../src/whatsapp/wa-ids.js';
import { settled } from '../../support/eventually.js';
import { legWorld, someCall, someNumber, someUser, someWaCall } from '../../support/whatsapp-fakes.js';

/*
 * The legs with their interpreters: commands, webhooks (duplicated, early, with and without our key), HTTP replies and media
 * events in random order. Between two steps everything that is ready runs, or not.
 */

const user = { number: someUser, userId: undefined, parentUserId: undefined, name: undefined, username: undefined };
const common = { numberId: someNumber.id, waCallId: someWaCall, timestampMs: 0, user };
const ends = { startMs: undefined, endMs: undefined, durationS: undefined, errors: [] };
const payloads = { ctaPayload: undefined, deeplinkPayload: undefined };

const terminate = (direction: 'user_initiated' | 'business_initiated', opaque?: string): LaterEvent => ({
  kind: 'call_terminate',
  ...common,
  ...ends,
  ...payloads,
  opaque,
  direction,
  outcome: 'COMPLETED',
});
const refused = new GraphError('api', 'no', { httpStatus: 400, metaCode: 138008 });
const lost = new GraphError('timeout', 'late');

const step = <Name extends string>(...names: Name[]) =>
  fc.array(fc.tuple(fc.constantFrom(...names), fc.boolean()), { maxLength: 25 });

/** Does what the name says, if it can be done now. */
function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('no open')) throw error;
  }
}

function expectOneEnd(types: readonly string[]): void {
  expect(types.filter((type) => type === 'terminated')).toHaveLength(1);
  expect(types.at(-1)).toBe('terminated');
  expect(types.filter((type) => ['failed', 'cancelled', 'ended'].includes(type)).length).toBeLessThanOrEqual(1);
}

const times = (actions: readonly string[], ...wanted: string[]): number =>
  actions.filter((action) => wanted.includes(action)).length;

describe('user-initiated leg under races', () => {
  const names = [
    ...(['trying', 'ring', 'answer', 'reject', 'hangup', 'webhook', 'media fails', 'time'] as const),
    ...([
      'pre_accept ok',
      'pre_accept lost',
      'pre_accept refused',
      'accept ok',
      'accept lost',
      'end ok',
      'end lost',
    ] as const),
  ];

  it('ends once on both sides', async () => {
    await fc.assert(
      fc.asyncProperty(step(...names), async (steps) => {
        const clock = new FakeClock();
        const world = legWorld(clock);
        const { graph, endpoint, directory } = world;
        const ids = { call: someCall, number: someNumber, waCallId: someWaCall };
        const leg = new UserInitiatedLeg({ ...world.deps, ...ids, offer: 'o', user, preAccept: 'immediate' });
        directory.claim(someWaCall, leg);
        leg.listen((event) => world.events.push(event));
        const endAction = (): 'reject' | 'terminate' => (graph.actions.includes('reject') ? 'reject' : 'terminate');
        const moves: Record<(typeof names)[number], () => void> = {
          trying: () => leg.trying(),
          ring: () => leg.ring(),
          answer: () => leg.answer(),
          reject: () => leg.reject(endReason('busy')),
          hangup: () => leg.hangup(endReason('hangup')),
          webhook: () => void directory.deliver(terminate('user_initiated')),
          'media fails': () => endpoint.failMedia(),
          time: () => clock.advance(5000),
          'pre_accept ok': () => graph.succeed('preAccept'),
          'pre_accept lost': () => graph.fail('preAccept', lost),
          'pre_accept refused': () => graph.fail('preAccept', refused),
          'accept ok': () => graph.succeed('accept'),
          'accept lost': () => graph.fail('accept', lost),
          'end ok': () => graph.succeed(endAction()),
          'end lost': () => graph.fail(endAction(), lost),
        };
        for (const [name, waits] of steps) {
          attempt(moves[name]);
          if (waits) await settled();
        }
        await settled();
        leg.hangup(endReason('hangup'));
        await settled();
        clock.advance(20_000);
        await settled();
        const types = world.types();
        expectOneEnd(types);
        expect(times(graph.actions, 'accept')).toBeLessThanOrEqual(1);
        expect(times(graph.actions, 'preAccept')).toBeLessThanOrEqual(1);
        expect(times(graph.actions, 'reject', 'terminate')).toBeLessThanOrEqual(1);
        const endedByMeta =
          types.includes('cancelled') || (types.includes('ended') && !times(graph.actions, 'terminate'));
        expect(times(graph.actions, 'reject', 'terminate')).toBe(endedByMeta ? 0 : 1);
        if (endpoint.log.length > 0) expect(times(endpoint.log, 'close')).toBeGreaterThanOrEqual(1);
        expect(times(endpoint.log, 'openSending')).toBe(types.includes('confirmed') ? 1 : 0);
        expect(directory.size).toBe(0);
        expect(clock.armed).toBe(0);
      }),
      { numRuns: 3000 },
    );
  }, 60_000);
});

describe('business-initiated leg under races', () => {
  const names = [
    ...(['dial', 'hangup', 'media fails', 'time', 'connect ok', 'connect lost', 'connect refused', 'end ok'] as const),
    ...([
      'answer',
      'RINGING',
      'ACCEPTED',
      'REJECTED',
      'terminate',
      'keyed RINGING',
      'keyed ACCEPTED',
      'keyed answer',
    ] as const),
  ];
  const opaque = opaqueOf(someCall);

  it('ends once on both sides, and no call is left at Meta', async () => {
    await fc.assert(
      fc.asyncProperty(step(...names), async (steps) => {
        const clock = new FakeClock();
        const world = legWorld(clock);
        const { graph, endpoint, directory } = world;
        const leg = new BusinessInitiatedLeg({
          ...world.deps,
          call: someCall,
          number: someNumber,
          to: { number: someUser },
        });
        leg.listen((event) => world.events.push(event));
        let abandoned = 0;
        // Meta says nothing of a call before it got the connect.
        const hear = (event: LaterEvent): void => {
          if (graph.actions.includes('connect') && directory.deliver(event) === 'abandoned') abandoned++;
        };
        const status = (word: 'RINGING' | 'ACCEPTED' | 'REJECTED', key?: string): void =>
          hear({ kind: 'call_status', ...common, opaque: key, status: word });
        const answer = (key?: string): void =>
          hear({ kind: 'business_connect', ...common, opaque: key, answer: 'sdp' });
        const moves: Record<(typeof names)[number], () => void> = {
          dial: () => leg.dial(),
          hangup: () => leg.hangup(endReason('hangup')),
          'media fails': () => endpoint.failMedia(),
          time: () => clock.advance(5000),
          'connect ok': () => graph.succeed('connect', someWaCall),
          'connect lost': () => graph.fail('connect', lost),
          'connect refused': () => graph.fail('connect', refused),
          'end ok': () => graph.succeed('terminate'),
          answer: () => answer(),
          RINGING: () => status('RINGING'),
          ACCEPTED: () => status('ACCEPTED'),
          REJECTED: () => status('REJECTED'),
          terminate: () => hear(terminate('business_initiated')),
          'keyed RINGING': () => status('RINGING', opaque),
          'keyed ACCEPTED': () => status('ACCEPTED', opaque),
          'keyed answer': () => answer(opaque),
        };
        for (const [name, waits] of steps) {
          attempt(moves[name]);
          if (waits) await settled();
        }
        await settled();
        leg.hangup(endReason('hangup'));
        await settled();
        attempt(() => graph.succeed('connect', someWaCall));
        await settled();
        clock.advance(20_000);
        await settled();
        const types = world.types();
        expectOneEnd(types);
        expect(times(graph.actions, 'connect')).toBeLessThanOrEqual(1);
        expect(times(graph.actions, 'terminate')).toBeLessThanOrEqual(1);
        expect(times(endpoint.log, 'openSending')).toBe(types.includes('answered') ? 1 : 0);
        expect(directory.size).toBe(0);
        expect(clock.armed).toBe(0);
        const isKnown = leg.facts['waCallId'] !== undefined;
        const isEndedByMeta = world.steps.some(({ step: said }) =>
          ['webhook.terminate', 'webhook.rejected'].includes(said),
        );
        // A call whose id we know is told, or was ended by Meta; one that turns up later is counted for its terminate.
        if (isKnown && !isEndedByMeta) expect(times(graph.actions, 'terminate')).toBe(1);
        expect(abandoned === 0 || !isKnown).toBe(true);
      }),
      { numRuns: 3000 },
    );
  }, 60_000);

  it('claims only one id', async () => {
    const world = legWorld();
    const leg = new BusinessInitiatedLeg({
      ...world.deps,
      call: someCall,
      number: someNumber,
      to: { number: someUser },
    });
    leg.dial();
    await settled();
    world.directory.deliver({ kind: 'call_status', ...common, opaque, status: 'RINGING' });
    world.graph.succeed('connect', 'wacid.other');
    await settled();
    expect(leg.facts['waCallId']).toBe(someWaCall);
    expect(world.logger.lines.some(({ level }) => level === 'warn')).toBe(true);
  });
});
