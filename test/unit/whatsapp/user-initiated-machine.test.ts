import { describe, expect, it } from 'vitest';
import {
  initialUserLegState,
  transition,
  type UserLegEvent,
  type UserLegPhase,
  type UserLegState,
} from '../../../src/whatsapp/user-initiated-machine.js';
import { preAcceptLost, userLegEvents as events, whatsAppStep } from '../../support/leg-machines.js';
import { itKeepsTo } from '../../support/machine-play.js';

const sent: readonly UserLegPhase[] = ['pre_accepting', 'early', 'accepting', 'confirmed'];
const inPhase = (phase: UserLegPhase): UserLegState => ({
  ...initialUserLegState('immediate'),
  phase,
  answerSent: sent.includes(phase),
  open: { wire: phase === 'ending' ? 'post' : 'none', media: phase === 'ending' },
});
const describeStep = (state: UserLegState, event: UserLegEvent): string => whatsAppStep(transition(state, event));

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

describe('user-initiated leg machine', () => {
  itKeepsTo({ table, events, stateOf: inPhase, transition, inWords: whatsAppStep });

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
    expect(describeStep(inPhase('pre_accepting'), preAcceptLost)).toBe('early');
    expect(describeStep({ ...inPhase('pre_accepting'), answerWanted: true }, preAcceptLost)).toBe('accepting accept');
  });

  it('is answered once accept is through', () => {
    expect(transition(inPhase('accepting'), events.accepted).next.answered).toBe(true);
    expect(transition(inPhase('early'), events.answer).next.answered).toBe(false);
  });
});
