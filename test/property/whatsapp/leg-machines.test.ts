import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  initialBusinessLegState,
  transition as businessTransition,
  type BusinessLegEvent,
} from '../../../src/whatsapp/business-initiated-machine.js';
import {
  initialUserLegState,
  transition as userTransition,
  type PreAcceptPolicy,
  type UserLegEvent,
} from '../../../src/whatsapp/user-initiated-machine.js';
import { businessLegEvents, preAcceptLost, userLegEvents, whatsAppWord } from '../../support/leg-machines.js';
import { count, played } from '../../support/machine-play.js';

/*
 * Any events in any order, also such as no leg can produce: the pure machines must hold their invariants by themselves.
 */

/** What a leg did, in words and in order, and where it ended. */
const userLife = (preAccept: PreAcceptPolicy, events: readonly UserLegEvent[]) => {
  const { state, effects, steps } = played(userTransition, initialUserLegState(preAccept), events);
  return { state, words: effects.map(whatsAppWord), steps };
};
const businessLife = (events: readonly BusinessLegEvent[]) => {
  const { state, effects } = played(businessTransition, initialBusinessLegState, events);
  return { state, words: effects.map(whatsAppWord) };
};

const isBefore = (words: readonly string[], first: string, second: string): boolean =>
  !words.includes(second) || (words.includes(first) && words.indexOf(first) < words.indexOf(second));

/** Names of the rules that do not hold. */
const broken = (rules: Readonly<Record<string, boolean>>): string[] =>
  Object.entries(rules).flatMap(([name, holds]) => (holds ? [] : [name]));

const oneEnd = (words: readonly string[], isOver: boolean): Record<string, boolean> => ({
  'terminated once, and only at the end': count(words, '!terminated') === (isOver ? 1 : 0),
  'terminated is last': !isOver || words.at(-1) === '!terminated',
  'at most one of failed, cancelled, ended': count(words, '!failed', '!cancelled', '!ended') <= 1,
  'media is closed once': count(words, 'close_media') <= 1 && (!isOver || count(words, 'close_media') === 1),
  'an end has a deadline': count(words, 'arm_deadline') === count(words, 'close_media'),
});

/** Whatever happened, these let a leg come to its end. */
const { hangup, wire_ended, word_timeout, media_closed } = userLegEvents;
const userEnding = [hangup, wire_ended, word_timeout, media_closed];
const businessEnding = [businessLegEvents.hangup, businessLegEvents.end_deadline];

describe('user-initiated leg machine, any order of events', () => {
  const anyEvents = fc.array(fc.constantFrom(...Object.values(userLegEvents), preAcceptLost), { maxLength: 40 });
  const policy = fc.constantFrom('immediate' as const, 'on_progress' as const, 'never' as const);

  it('keeps its invariants', () => {
    fc.assert(
      fc.property(policy, anyEvents, (preAccept, events) => {
        const { words, state, steps } = userLife(preAccept, events);
        const told = count(words, 'reject', 'terminate');
        const answered = count(words, 'pre_accept', 'accept') > 0;
        // The event that began the end, if it came.
        const endedBy = events[steps.findIndex(({ next }) => next.phase === 'ending')];
        const isOurEnd = endedBy !== undefined && endedBy.type !== 'remote_terminated';
        const rules = {
          ...oneEnd(words, state.phase === 'terminated'),
          'one answer prepared': count(words, 'prepare_answer') <= 1,
          'pre_accept once, or never': count(words, 'pre_accept') <= (preAccept === 'never' ? 0 : 1),
          'accept once': count(words, 'accept') <= 1,
          'sending opens once, with confirmed': count(words, 'open_sending') === count(words, '!confirmed'),
          'no RTP without accept': isBefore(words, 'accept', 'open_sending'),
          'confirmed once': count(words, '!confirmed') <= 1,
          'reject only while nothing was answered': !words.includes('reject') || !answered,
          'terminate only after an answer': !words.includes('terminate') || answered,
          'Meta told once if the end is ours': told === (isOurEnd ? 1 : 0),
        };
        expect(broken(rules)).toEqual([]);
      }),
      { numRuns: 10_000 },
    );
  });

  it('can always come to its end', () => {
    fc.assert(
      fc.property(policy, anyEvents, (preAccept, events) => {
        const { words, state } = userLife(preAccept, [...events, ...userEnding]);
        expect(state.phase).toBe('terminated');
        const disarmed = count(words, 'disarm_deadline') + (events.some(({ type }) => type === 'end_deadline') ? 1 : 0);
        expect(disarmed).toBeGreaterThanOrEqual(count(words, 'arm_deadline'));
      }),
      { numRuns: 3000 },
    );
  });
});

describe('business-initiated leg machine, any order of events', () => {
  const anyEvents = fc.array(fc.constantFrom(...Object.values(businessLegEvents)), { maxLength: 40 });

  it('keeps its invariants', () => {
    fc.assert(
      fc.property(anyEvents, (events) => {
        const { words, state } = businessLife(events);
        const once = [
          'prepare_offer',
          'connect',
          'apply_answer',
          'post_terminate',
          'abandon',
          '!answered',
          '!progress',
        ];
        const rules = {
          ...oneEnd(words, state.phase === 'terminated'),
          'everything once': once.every((word) => count(words, word) <= 1),
          'nothing to end before connect': ['post_terminate', 'abandon', 'apply_answer'].every((word) =>
            isBefore(words, 'connect', word),
          ),
          'sending opens with answered': count(words, 'open_sending') === count(words, '!answered'),
          'no answered without an applied answer': isBefore(words, 'apply_answer', '!answered'),
          'ringing not after the answer': !words.includes('!progress') || isBefore(words, '!progress', '!answered'),
          'told or handed on, never both': count(words, 'post_terminate', 'abandon') <= 1,
          'adoption timer disarmed':
            state.phase === 'uncertain' || count(words, 'arm_adoption') === count(words, 'disarm_adoption'),
        };
        expect(broken(rules)).toEqual([]);
      }),
      { numRuns: 10_000 },
    );
  });

  it('can always come to its end, and leaves no call at Meta that nobody ends', () => {
    fc.assert(
      fc.property(anyEvents, (events) => {
        const { words, state } = businessLife([...events, ...businessEnding]);
        expect(state.phase).toBe('terminated');
        const endedByMeta = events.some(({ type }) =>
          ['remote_terminated', 'rejected', 'connect_refused'].includes(type),
        );
        if (words.includes('connect') && !endedByMeta) expect(count(words, 'post_terminate', 'abandon')).toBe(1);
      }),
      { numRuns: 3000 },
    );
  });
});
