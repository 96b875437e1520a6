import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endReason, type EndReason } from '../../../src/call/end-reason.js';
import type { LaterEvent } from '../../../src/whatsapp/call-directory.js';
import { GraphError } from '../../../src/whatsapp/graph-error.js';
import { opaqueOf } from '../../../src/whatsapp/wa-ids.js';
import { businessConnect, callStatus, callTerminate } from '../../support/call-events.js';
import { settled } from '../../support/eventually.js';
import { count } from '../../support/machine-play.js';
import { someCall, someWaCall } from '../../support/whatsapp-fakes.js';
import { businessLegWorld, userLegWorld } from '../../support/whatsapp-legs.js';

/*
 * The legs with their interpreters: commands, webhooks (duplicated, early, with and without our key), HTTP replies and media
 * events in random order. Between two steps everything that is ready runs, or not.
 */

const refused = new GraphError('api', 'no', { httpStatus: 400, metaCode: 138008 });
const lost = new GraphError('timeout', 'late');

/** Names of moves in any order, and whether what is ready runs before the next. */
const orderOf = <Name extends string>(...names: Name[]) =>
  fc.array(fc.tuple(fc.constantFrom(...names), fc.boolean()), { maxLength: 25 });

/** Does what can be done now. */
function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('no open')) throw error;
  }
}

/** Makes all moves, then hangs up. */
async function play<Name extends string>(
  moves: Readonly<Record<Name, () => void>>,
  order: readonly (readonly [Name, boolean])[],
  leg: { hangup: (reason: EndReason) => void },
): Promise<void> {
  for (const [name, waits] of order) {
    attempt(moves[name]);
    if (waits) await settled();
  }
  await settled();
  leg.hangup(endReason('hangup'));
  await settled();
}

function expectOneEnd(types: readonly string[]): void {
  expect(types.filter((type) => type === 'terminated')).toHaveLength(1);
  expect(types.at(-1)).toBe('terminated');
  expect(types.filter((type) => ['failed', 'cancelled', 'ended'].includes(type)).length).toBeLessThanOrEqual(1);
}

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
      fc.asyncProperty(orderOf(...names), async (order) => {
        const { leg, clock, graph, endpoint, directory, ...world } = userLegWorld();
        const endAction = (): 'reject' | 'terminate' => (graph.actions.includes('reject') ? 'reject' : 'terminate');
        const moves: Record<(typeof names)[number], () => void> = {
          trying: () => leg.trying(),
          ring: () => leg.ring(),
          answer: () => leg.answer(),
          reject: () => leg.reject(endReason('busy')),
          hangup: () => leg.hangup(endReason('hangup')),
          webhook: () => void directory.deliver(callTerminate()),
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
        await play(moves, order, leg);
        clock.advance(20_000);
        await settled();
        const types = world.types();
        expectOneEnd(types);
        expect(count(graph.actions, 'accept')).toBeLessThanOrEqual(1);
        expect(count(graph.actions, 'preAccept')).toBeLessThanOrEqual(1);
        expect(count(graph.actions, 'reject', 'terminate')).toBeLessThanOrEqual(1);
        const endedByMeta =
          types.includes('cancelled') || (types.includes('ended') && !count(graph.actions, 'terminate'));
        expect(count(graph.actions, 'reject', 'terminate')).toBe(endedByMeta ? 0 : 1);
        if (endpoint.log.length > 0) expect(count(endpoint.log, 'close')).toBeGreaterThanOrEqual(1);
        expect(count(endpoint.log, 'openSending')).toBe(types.includes('confirmed') ? 1 : 0);
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
      fc.asyncProperty(orderOf(...names), async (order) => {
        const { leg, clock, graph, endpoint, directory, ...world } = businessLegWorld();
        let abandoned = 0;
        // Meta says nothing of a call before it got the connect.
        const hear = (event: LaterEvent): void => {
          if (graph.actions.includes('connect') && directory.deliver(event) === 'abandoned') abandoned++;
        };
        const moves: Record<(typeof names)[number], () => void> = {
          dial: () => leg.dial(),
          hangup: () => leg.hangup(endReason('hangup')),
          'media fails': () => endpoint.failMedia(),
          time: () => clock.advance(5000),
          'connect ok': () => graph.succeed('connect', someWaCall),
          'connect lost': () => graph.fail('connect', lost),
          'connect refused': () => graph.fail('connect', refused),
          'end ok': () => graph.succeed('terminate'),
          answer: () => hear(businessConnect()),
          RINGING: () => hear(callStatus('RINGING')),
          ACCEPTED: () => hear(callStatus('ACCEPTED')),
          REJECTED: () => hear(callStatus('REJECTED')),
          terminate: () => hear(callTerminate({ direction: 'business_initiated' })),
          'keyed RINGING': () => hear(callStatus('RINGING', { opaque })),
          'keyed ACCEPTED': () => hear(callStatus('ACCEPTED', { opaque })),
          'keyed answer': () => hear(businessConnect({ opaque })),
        };
        await play(moves, order, leg);
        attempt(() => graph.succeed('connect', someWaCall));
        await settled();
        clock.advance(20_000);
        await settled();
        const types = world.types();
        expectOneEnd(types);
        expect(count(graph.actions, 'connect')).toBeLessThanOrEqual(1);
        expect(count(graph.actions, 'terminate')).toBeLessThanOrEqual(1);
        expect(count(endpoint.log, 'openSending')).toBe(types.includes('answered') ? 1 : 0);
        expect(directory.size).toBe(0);
        expect(clock.armed).toBe(0);
        const isKnown = leg.facts['waCallId'] !== undefined;
        const isEndedByMeta = world.steps.some(({ step: said }) =>
          ['webhook.terminate', 'webhook.rejected'].includes(said),
        );
        // A call whose id we know is told, or was ended by Meta; one that turns up later is counted for its terminate.
        if (isKnown && !isEndedByMeta) expect(count(graph.actions, 'terminate')).toBe(1);
        expect(abandoned === 0 || !isKnown).toBe(true);
      }),
      { numRuns: 3000 },
    );
  }, 60_000);

  it('claims only one id', async () => {
    const { leg, directory, graph, logger } = businessLegWorld();
    leg.dial();
    await settled();
    directory.deliver(callStatus('RINGING', { opaque }));
    graph.succeed('connect', 'wacid.other');
    await settled();
    expect(leg.facts['waCallId']).toBe(someWaCall);
    expect(logger.lines.some(({ level }) => level === 'warn')).toBe(true);
  });
});
