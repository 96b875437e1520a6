import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import {
  initialBusinessLegState,
  transition as businessTransition,
  type BusinessLegEvent,
} from '../../../src/whatsapp/business-initiated-machine.js';
import {
  initialUserLegState,
  transition as userTransition,
  type UserLegEvent,
} from '../../../src/whatsapp/user-initiated-machine.js';

/*
 * Any events in any order, also such as no leg can produce: the pure machines must hold their invariants by themselves.
 */

const reason = endReason('upstream');
const [before, after] = [endReason('no_answer'), endReason('hangup')];
const plain = <Type extends string>(...types: Type[]) => types.map((type) => ({ type }));
const failing = <Type extends string>(...types: Type[]) => types.map((type) => ({ type, reason }));
const remote = { type: 'remote_terminated', before, after } as const;

const userEvents: readonly UserLegEvent[] = [
  ...plain('trying', 'ring', 'answer', 'reject', 'hangup', 'sdp_ready', 'pre_accepted', 'accepted'),
  ...plain('wire_ended', 'word_timeout', 'media_closed', 'end_deadline'),
  ...failing('sdp_failed', 'accept_failed', 'media_failed'),
  { type: 'pre_accept_failed', reason, fatal: true },
  { type: 'pre_accept_failed', reason, fatal: false },
  remote,
];
const businessEvents: readonly BusinessLegEvent[] = [
  ...plain('dial', 'hangup', 'offer_ready', 'id_known', 'adoption_timeout', 'answer_applied', 'ringing', 'accepted'),
  ...plain('rejected', 'wire_ended', 'word_timeout', 'media_closed', 'end_deadline'),
  ...failing('offer_failed', 'connect_refused', 'connect_unknown', 'connect_unusable', 'answer_failed', 'media_failed'),
  { type: 'remote_answer', sdp: 'sdp' },
  remote,
];

interface Word {
  readonly do: string;
  readonly event?: { readonly type: string };
  readonly action?: string;
}
const wordOf = (effect: Word): string =>
  effect.do === 'emit' ? `!${effect.event?.type ?? ''}` : effect.do === 'post' ? (effect.action ?? '') : effect.do;

type Machine<State, Event> = (
  state: State,
  event: Event,
) => { readonly next: State; readonly effects: readonly Word[] };

/** Runs a machine through events; the words of all effects in order, and where it ended. */
function run<State, Event>(
  initial: State,
  transition: Machine<State, Event>,
  events: readonly Event[],
): { words: string[]; state: State } {
  let state = initial;
  const words: string[] = [];
  for (const event of events) {
    const step = transition(state, event);
    state = step.next;
    words.push(...step.effects.map(wordOf));
  }
  return { words, state };
}

const count = (words: readonly string[], ...wanted: string[]): number =>
  words.filter((word) => wanted.includes(word)).length;
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
const userEnding: readonly UserLegEvent[] = plain('hangup', 'wire_ended', 'word_timeout', 'media_closed');
const businessEnding: readonly BusinessLegEvent[] = plain('hangup', 'end_deadline');

describe('user-initiated leg machine, any order of events', () => {
  const anyEvents = fc.array(fc.constantFrom(...userEvents), { maxLength: 40 });
  const policy = fc.constantFrom('immediate' as const, 'on_progress' as const, 'never' as const);

  it('keeps its invariants', () => {
    fc.assert(
      fc.property(policy, anyEvents, (preAccept, events) => {
        const { words, state } = run(initialUserLegState(preAccept), userTransition, events);
        const told = count(words, 'reject', 'terminate');
        const answered = count(words, 'pre_accept', 'accept') > 0;
        const isEnding = state.phase === 'ending' || state.phase === 'terminated';
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
          'Meta told once if the end is ours': told === (isEnding && !endedByMeta(preAccept, events) ? 1 : 0),
        };
        expect(broken(rules)).toEqual([]);
      }),
      { numRuns: 10_000 },
    );
  });

  const endedByMeta = (preAccept: 'immediate' | 'on_progress' | 'never', events: readonly UserLegEvent[]): boolean => {
    let state = initialUserLegState(preAccept);
    for (const event of events) {
      const { next } = userTransition(state, event);
      if (next.phase === 'ending' && state.phase !== 'ending') return event.type === 'remote_terminated';
      state = next;
    }
    return false;
  };

  it('can always come to its end', () => {
    fc.assert(
      fc.property(policy, anyEvents, (preAccept, events) => {
        const { words, state } = run(initialUserLegState(preAccept), userTransition, [...events, ...userEnding]);
        expect(state.phase).toBe('terminated');
        const disarmed = count(words, 'disarm_deadline') + (events.some(({ type }) => type === 'end_deadline') ? 1 : 0);
        expect(disarmed).toBeGreaterThanOrEqual(count(words, 'arm_deadline'));
      }),
      { numRuns: 3000 },
    );
  });
});

describe('business-initiated leg machine, any order of events', () => {
  const anyEvents = fc.array(fc.constantFrom(...businessEvents), { maxLength: 40 });

  it('keeps its invariants', () => {
    fc.assert(
      fc.property(anyEvents, (events) => {
        const { words, state } = run(initialBusinessLegState, businessTransition, events);
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
        const { words, state } = run(initialBusinessLegState, businessTransition, [...events, ...businessEnding]);
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
