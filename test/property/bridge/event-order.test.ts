import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runsOf } from '../../support/runs.js';
import { moveNames, type Ending, type MoveName, type Step } from './moves.js';
import { play, type Reached } from './play.js';

/*
 * The whole bridge between Meta's webhooks and the PBX's SIP under events in any order: stories as they happen, cut short,
 * with anything at all thrown in between, and then ten minutes in which the outside answers nothing, or everything.
 */

const story = (...names: (MoveName | readonly [MoveName, number])[]): readonly Step[] =>
  names.map((name) => (typeof name === 'string' ? [name, 0, true] : [name[0], name[1], true]));

const userAnswered = ['user calls', 'graph ok', 'sip 180', 'sip 200', 'graph ok'] as const;
const pbxDialled = ['PBX calls', 'graph ok', 'RINGING', 'business connect', 'ACCEPTED'] as const;

const stories = [
  [],
  story(...userAnswered, 'BYE', 'graph ok'),
  story(...userAnswered, 're-INVITE', 'INFO', 'terminate COMPLETED', 'BYE 200'),
  story('user calls', 'graph ok', 'sip 200', 'graph 5xx', 'time', 'graph ok', 'operator hangs up', 'graph unsent'),
  story('user calls', 'graph ok', 'sip 183', 'terminate, bare', 'sip 487'),
  story('user calls', 'graph ok', 'sip 503', 'sip 180', 'sip 486', 'graph ok'),
  story('user calls', ['user calls', 1], 'graph ok', ['graph ok', 1], 'sip 200', ['sip 200', 1], 'operator hangs up'),
  story(...pbxDialled, 'ACK', 'BYE', 'graph ok'),
  story(...pbxDialled, 'ACK', 're-INVITE', 'terminate COMPLETED', 'BYE 200'),
  story('PBX calls', 'RINGING', 'graph ok', 'REJECTED'),
  story('PBX calls', ['RINGING', 0], 'PBX cancels', 'graph ok', 'graph ok'),
  story('PBX calls', 'graph reset', 'business connect', 'ACCEPTED', 'RINGING', 'ACK'),
  story('PBX calls', 'graph ok', 'business connect', 'ACCEPTED', 'no ACK'),
  story('PBX calls', 'graph ok', 'business connect', 'ACCEPTED', 'operator hangs up', ['time', 5], 'ACK'),
  story('PBX calls', 'user calls', 'graph ok', ['graph ok', 1], 'sip 200', 'business connect', 'ACCEPTED', 'ACK'),
] as const;

const step: fc.Arbitrary<Step> = fc.tuple(fc.constantFrom(...moveNames), fc.nat(7), fc.boolean());

const cut = fc.oneof(fc.constant(0), fc.nat(12));
const thrown = (maxLength: number) => fc.array(fc.tuple(fc.nat(20), step), { maxLength });

/** A story, cut somewhere, with steps thrown in anywhere. */
const sequence: fc.Arbitrary<readonly Step[]> = fc
  .tuple(fc.constantFrom(...stories), cut, fc.oneof(thrown(3), thrown(12)))
  .map(([told, length, others]) => {
    const steps: Step[] = told.slice(0, Math.max(0, told.length - length));
    for (const [at, one] of others) steps.splice(at % (steps.length + 1), 0, one);
    return steps;
  });

const policy = fc.constantFrom('immediate' as const, 'on_progress' as const, 'never' as const);
const endings: readonly Ending[] = ['silence', 'answers'];
const { runs, timeoutMs } = runsOf(5_000, 240_000);

const mustBeReached = [
  ...['user_initiated answered', 'business_initiated answered', 'user_initiated media_timeout', 'failover'],
  ...['business_initiated cancelled', 'business_initiated declined', 'business_initiated no_permission'],
  ...['business_initiated upstream', 'user_initiated shutdown', 'user_initiated admin', 'user_initiated cancelled'],
  ...['pre_accept', 'accept', 'reject', 'terminate', 'connect', 'connect=reset', 'accept=5xx', 'terminate=unsent'],
  ...['CANCEL>', 'CANCEL<', 'BYE>', 'BYE<', 'BYE crosses BYE', '200 crosses CANCEL', 're-INVITE<', 'link lost'],
  ...['duplicate', 'stale', 'ended_before', 'parked', 'abandoned', 'handled'],
];

describe('events in any order', () => {
  it(
    `end every call once on both sides, with one record, and leave nothing behind (${runs} sequences)`,
    async () => {
      const reached: Reached = new Map();
      await fc.assert(
        fc.asyncProperty(sequence, policy, fc.constantFrom(...endings), async (steps, preAccept, ending) => {
          expect(await play(steps, ending, { preAccept }, reached)).toEqual([]);
        }),
        { numRuns: runs },
      );
      // One sequence in two thousand at least gets to each of these.
      const rare = mustBeReached.filter((what) => (reached.get(what) ?? 0) < Math.floor(runs / 2000));
      expect(rare).toEqual([]);
    },
    timeoutMs,
  );
});
