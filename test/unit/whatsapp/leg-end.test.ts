import { describe, expect, it } from 'vitest';
import type { Transition } from '../../../src/lib/machine-runner.js';
import {
  initialBusinessLegState,
  transition as businessTransition,
  type BusinessLegEffect,
  type BusinessLegState,
} from '../../../src/whatsapp/business-initiated-machine.js';
import {
  initialUserLegState,
  transition as userTransition,
  type UserLegEffect,
  type UserLegState,
} from '../../../src/whatsapp/user-initiated-machine.js';
import { businessLegEvents, userLegEvents, whatsAppStep } from '../../support/leg-machines.js';
import { played } from '../../support/machine-play.js';

type EventType = 'wire_ended' | 'remote_terminated' | 'word_timeout' | 'end_deadline' | 'media_closed';
/** What an ending leg waits for: our own terminate, its media. */
interface Open {
  readonly wire: 'post' | 'none';
  readonly media: boolean;
}

/** Takes a leg that is ending, answered before or not, through events: its last step in words. */
const lastStep =
  <State extends { readonly phase: string }, Event>(
    transition: Transition<State, Event, UserLegEffect | BusinessLegEffect>,
    events: Readonly<Record<EventType, Event>>,
    ending: (isAnswered: boolean, open: Open) => State,
  ) =>
  (isAnswered: boolean, open: Open, types: readonly EventType[]): string | undefined => {
    const told = types.map((type) => events[type]);
    return played(transition, ending(isAnswered, open), told).steps.map(whatsAppStep).at(-1);
  };

const userLeg = lastStep(userTransition, userLegEvents, (answered, open): UserLegState => ({
  ...initialUserLegState('immediate'),
  phase: 'ending',
  answered,
  open,
}));
const businessLeg = lastStep(businessTransition, businessLegEvents, (accepted, open): BusinessLegState => ({
  ...initialBusinessLegState,
  phase: 'ending',
  accepted,
  answer: accepted ? 'applied' : 'none',
  open,
}));

const posting: Open = { wire: 'post', media: false };
const closing: Open = { wire: 'none', media: true };
const over = 'terminated disarm_deadline !terminated';
const overWhileWaiting = 'terminated disarm_word disarm_deadline !terminated';

describe.each([
  ['user-initiated', userLeg],
  ['business-initiated', businessLeg],
])('a %s leg that we end', (_, lastStepOf) => {
  it.each<[string, boolean, Open, EventType[], string]>([
    ['waits a while for Meta’s terminate, which has its times', true, posting, ['wire_ended'], 'ending arm_word'],
    ['is over when that comes', true, posting, ['wire_ended', 'remote_terminated'], overWhileWaiting],
    ['is over when that does not come soon', true, posting, ['wire_ended', 'word_timeout'], over],
    ['is over at its deadline', true, posting, ['wire_ended', 'end_deadline'], 'terminated disarm_word !terminated'],
    ['waits for nothing when Meta’s had come before', true, posting, ['remote_terminated', 'wire_ended'], over],
    ['waits for nothing where nobody had answered', false, posting, ['wire_ended'], over],
    ['is over when its media, done last, is closed', false, closing, ['media_closed'], over],
  ])('%s', (_, isAnswered, open, types, expected) => {
    expect(lastStepOf(isAnswered, open, types)).toBe(expected);
  });
});
