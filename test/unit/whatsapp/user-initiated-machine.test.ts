import { describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import {
  initialUserLegState,
  transition,
  type UserLegEffect,
  type UserLegEvent,
  type UserLegPhase,
  type UserLegState,
} from '../../../src/whatsapp/user-initiated-machine.js';

const reason = endReason('media_failed');
const before = endReason('cancelled');
const after = endReason('hangup');
const events: Record<UserLegEvent['type'], UserLegEvent> = {
  trying: { type: 'trying' },
  ring: { type: 'ring' },
  answer: { type: 'answer' },
  reject: { type: 'reject' },
  hangup: { type: 'hangup' },
  sdp_ready: { type: 'sdp_ready' },
  sdp_failed: { type: 'sdp_failed', reason },
  pre_accepted: { type: 'pre_accepted' },
  pre_accept_failed: { type: 'pre_accept_failed', reason, fatal: true },
  accepted: { type: 'accepted' },
  accept_failed: { type: 'accept_failed', reason },
  media_failed: { type: 'media_failed', reason },
  remote_terminated: { type: 'remote_terminated', before, after },
  wire_ended: { type: 'wire_ended' },
  word_timeout: { type: 'word_timeout' },
  media_closed: { type: 'media_closed' },
  end_deadline: { type: 'end_deadline' },
};
const sent: readonly UserLegPhase[] = ['pre_accepting', 'early', 'accepting', 'confirmed'];
const inPhase = (phase: UserLegPhase): UserLegState => ({
  ...initialUserLegState('immediate'),
  phase,
  answerSent: sent.includes(phase),
  open: { wire: phase === 'ending' ? 'post' : 'none', media: phase === 'ending' },
});
const word = (effect: UserLegEffect): string => {
  if (effect.do === 'post') return effect.action;
  return effect.do === 'emit' ? `!${effect.event.type}` : effect.do;
};
const describeStep = (state: UserLegState, event: UserLegEvent): string => {
  const { next, effects } = transition(state, event);
  return [next.phase, ...effects.map(word)].join(' ');
};

const rejected = 'ending reject arm_deadline close_media';
const terminated = 'ending terminate arm_deadline close_media';
const cancelled = 'ending !cancelled arm_deadline close_media';

/** Every pair that changes something; all others must be absorbed. */
const table: Record<UserLegPhase, Partial<Record<UserLegEvent['type'], string>>> = {
  idle: {
    trying: 'negotiating prepare_answer',
    ring: 'idle',
    answer: 'negotiating prepare_answer',
    reject: rejected,
    hangup: rejected,
    media_failed: 'ending !failed reject arm_deadline close_media',
    remote_terminated: cancelled,
  },
  negotiating: {
    ring: 'negotiating',
    answer: 'negotiating',
    sdp_ready: 'pre_accepting pre_accept',
    sdp_failed: 'ending !failed reject arm_deadline close_media',
    reject: rejected,
    hangup: rejected,
    media_failed: 'ending !failed reject arm_deadline close_media',
    remote_terminated: cancelled,
  },
  ready: {
    ring: 'pre_accepting pre_accept',
    answer: 'accepting accept',
    reject: rejected,
    hangup: rejected,
    media_failed: 'ending !failed reject arm_deadline close_media',
    remote_terminated: cancelled,
  },
  pre_accepting: {
    ring: 'pre_accepting',
    answer: 'pre_accepting',
    pre_accepted: 'early start_media',
    pre_accept_failed: 'ending !failed terminate arm_deadline close_media',
    reject: terminated,
    hangup: terminated,
    media_failed: 'ending !failed terminate arm_deadline close_media',
    remote_terminated: cancelled,
  },
  early: {
    answer: 'accepting accept',
    reject: terminated,
    hangup: terminated,
    media_failed: 'ending !failed terminate arm_deadline close_media',
    remote_terminated: cancelled,
  },
  accepting: {
    accepted: 'confirmed start_media open_sending !confirmed',
    accept_failed: 'ending !failed terminate arm_deadline close_media',
    reject: terminated,
    hangup: terminated,
    media_failed: 'ending !failed terminate arm_deadline close_media',
    remote_terminated: cancelled,
  },
  confirmed: {
    reject: terminated,
    hangup: terminated,
    media_failed: 'ending !ended terminate arm_deadline close_media',
    remote_terminated: 'ending !ended arm_deadline close_media',
  },
  ending: {
    wire_ended: 'ending',
    remote_terminated: 'ending',
    media_closed: 'ending',
    end_deadline: 'terminated !terminated',
  },
  terminated: {},
};

const phases = Object.keys(table) as UserLegPhase[];
const types = Object.keys(events) as UserLegEvent['type'][];

describe('user-initiated leg machine', () => {
  it.each(phases.flatMap((phase) => types.map((type) => ({ phase, type, expected: table[phase][type] }))))(
    '$phase, $type: $expected',
    ({ phase, type, expected }) => {
      const state = inPhase(phase);
      if (expected !== undefined) expect(describeStep(state, events[type])).toBe(expected);
      else expect(transition(state, events[type])).toEqual({ next: state, effects: [] });
    },
  );

  it('sends accept and no pre_accept when the PBX answered before our SDP was ready', () => {
    expect(describeStep({ ...inPhase('negotiating'), answerWanted: true }, events.sdp_ready)).toBe('accepting accept');
  });

  it.each([
    ['immediate', false, 'pre_accepting pre_accept'],
    ['on_progress', false, 'ready'],
    ['on_progress', true, 'pre_accepting pre_accept'],
    ['never', true, 'ready'],
  ] as const)('policy %s, ringing %s: %s', (policy, ringing, expected) => {
    expect(describeStep({ ...inPhase('negotiating'), policy, ringing }, events.sdp_ready)).toBe(expected);
  });

  it.each(['idle', 'negotiating', 'pre_accepting'] as const)(
    'remembers ringing and the answer in phase %s',
    (phase) => {
      expect(transition(inPhase(phase), events.ring).next.ringing).toBe(true);
      expect(transition(inPhase(phase), events.answer).next.answerWanted).toBe(true);
    },
  );

  it('does not pre-accept on ringing when the policy is never', () => {
    expect(describeStep({ ...inPhase('ready'), policy: 'never' }, events.ring)).toBe('ready');
  });

  it('accepts as soon as the pre_accept is through when the PBX has answered meanwhile', () => {
    const state = { ...inPhase('pre_accepting'), answerWanted: true };
    expect(describeStep(state, events.pre_accepted)).toBe('accepting start_media accept');
  });

  it('goes on to accept after a pre_accept that was lost on the way', () => {
    const lost: UserLegEvent = { type: 'pre_accept_failed', reason, fatal: false };
    expect(describeStep(inPhase('pre_accepting'), lost)).toBe('early');
    expect(describeStep({ ...inPhase('pre_accepting'), answerWanted: true }, lost)).toBe('accepting accept');
  });

  describe('terminated by us after the answer', () => {
    const posting: UserLegState = { ...inPhase('ending'), answered: true, open: { wire: 'post', media: false } };
    const { next: listening } = transition(posting, events.wire_ended);

    it('waits a while for the terminate of Meta’s, which has its times', () => {
      expect(describeStep(posting, events.wire_ended)).toBe('ending arm_word');
      expect(describeStep(listening, events.remote_terminated)).toBe(
        'terminated disarm_word disarm_deadline !terminated',
      );
      expect(describeStep(listening, events.word_timeout)).toBe('terminated disarm_deadline !terminated');
      expect(describeStep(listening, events.end_deadline)).toBe('terminated disarm_word !terminated');
    });

    it('waits for nothing when it had come before ours was through', () => {
      const { next } = transition(posting, events.remote_terminated);
      expect(describeStep(next, events.wire_ended)).toBe('terminated disarm_deadline !terminated');
    });

    it('is what accept makes of a leg', () => {
      expect(transition(inPhase('accepting'), events.accepted).next.answered).toBe(true);
      expect(inPhase('early').answered).toBe(false);
    });
  });

  it.each([
    [{ wire: 'post', media: false }, 'wire_ended'],
    [{ wire: 'none', media: true }, 'media_closed'],
  ] as const)('is over when the last of %o is done', (open, type) => {
    expect(describeStep({ ...inPhase('ending'), open }, events[type])).toBe('terminated disarm_deadline !terminated');
  });
});
