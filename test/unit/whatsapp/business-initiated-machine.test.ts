import { describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import {
  initialBusinessLegState,
  transition,
  type BusinessLegEffect,
  type BusinessLegEvent,
  type BusinessLegPhase,
  type BusinessLegState,
} from '../../../src/whatsapp/business-initiated-machine.js';

const reason = endReason('upstream');
const before = endReason('no_answer');
const after = endReason('hangup');
const events: Record<BusinessLegEvent['type'], BusinessLegEvent> = {
  dial: { type: 'dial' },
  hangup: { type: 'hangup' },
  offer_ready: { type: 'offer_ready' },
  offer_failed: { type: 'offer_failed', reason },
  id_known: { type: 'id_known' },
  connect_refused: { type: 'connect_refused', reason },
  connect_unknown: { type: 'connect_unknown', reason },
  connect_unusable: { type: 'connect_unusable', reason },
  adoption_timeout: { type: 'adoption_timeout' },
  remote_answer: { type: 'remote_answer', sdp: 'sdp' },
  answer_applied: { type: 'answer_applied' },
  answer_failed: { type: 'answer_failed', reason },
  ringing: { type: 'ringing' },
  accepted: { type: 'accepted' },
  rejected: { type: 'rejected' },
  media_failed: { type: 'media_failed', reason },
  remote_terminated: { type: 'remote_terminated', before, after },
  wire_ended: { type: 'wire_ended' },
  word_timeout: { type: 'word_timeout' },
  media_closed: { type: 'media_closed' },
  end_deadline: { type: 'end_deadline' },
};
const inPhase = (phase: BusinessLegPhase): BusinessLegState => ({
  ...initialBusinessLegState,
  phase,
  open: phase === 'ending' ? { wire: 'post', media: true } : initialBusinessLegState.open,
});
const word = (effect: BusinessLegEffect): string => (effect.do === 'emit' ? `!${effect.event.type}` : effect.do);
const describeStep = (state: BusinessLegState, event: BusinessLegEvent): string => {
  const { next, effects } = transition(state, event);
  return [next.phase, ...effects.map(word)].join(' ');
};

const close = 'arm_deadline close_media';

/** Every pair that changes something; all others must be absorbed. */
const table: Record<BusinessLegPhase, Partial<Record<BusinessLegEvent['type'], string>>> = {
  idle: { dial: 'offering prepare_offer', hangup: `ending ${close}` },
  offering: {
    hangup: `ending ${close}`,
    media_failed: `ending !failed ${close}`,
    offer_ready: 'connecting connect',
    offer_failed: `ending !failed ${close}`,
  },
  connecting: {
    hangup: `ending ${close}`,
    media_failed: `ending !failed ${close}`,
    id_known: 'dialled',
    connect_refused: `ending !failed ${close}`,
    connect_unknown: 'uncertain arm_adoption',
    connect_unusable: `ending !failed abandon ${close}`,
  },
  uncertain: {
    hangup: `ending abandon disarm_adoption ${close}`,
    media_failed: `ending !failed abandon disarm_adoption ${close}`,
    id_known: 'dialled disarm_adoption',
    adoption_timeout: `ending !failed abandon disarm_adoption ${close}`,
  },
  dialled: {
    hangup: `ending post_terminate ${close}`,
    media_failed: `ending !failed post_terminate ${close}`,
    remote_answer: 'dialled apply_answer',
    answer_failed: `ending !failed post_terminate ${close}`,
    ringing: 'dialled !progress',
    accepted: 'dialled',
    rejected: `ending !failed ${close}`,
    remote_terminated: `ending !failed ${close}`,
  },
  confirmed: {
    hangup: `ending post_terminate ${close}`,
    media_failed: `ending !ended post_terminate ${close}`,
    remote_terminated: `ending !ended ${close}`,
  },
  ending: {
    wire_ended: 'ending',
    remote_terminated: 'ending',
    media_closed: 'ending',
    end_deadline: 'terminated !terminated',
  },
  terminated: {},
};
const phases = Object.keys(table) as BusinessLegPhase[];
const types = Object.keys(events) as BusinessLegEvent['type'][];

describe('business-initiated leg machine', () => {
  it.each(phases.flatMap((phase) => types.map((type) => ({ phase, type, expected: table[phase][type] }))))(
    '$phase, $type: $expected',
    ({ phase, type, expected }) => {
      const state = inPhase(phase);
      if (expected !== undefined) expect(describeStep(state, events[type])).toBe(expected);
      else expect(transition(state, events[type])).toEqual({ next: state, effects: [] });
    },
  );

  it('is answered by ACCEPTED and the applied answer, in either order', () => {
    const dialled = inPhase('dialled');
    expect(describeStep({ ...dialled, answer: 'applied' }, events.accepted)).toBe('confirmed open_sending !answered');
    expect(describeStep({ ...dialled, answer: 'applying', accepted: true }, events.answer_applied)).toBe(
      'confirmed open_sending !answered',
    );
    expect(describeStep({ ...dialled, answer: 'applying' }, events.accepted)).toBe('dialled');
  });

  it('reports ringing once, and not after the pick-up', () => {
    expect(describeStep({ ...inPhase('dialled'), rang: true }, events.ringing)).toBe('dialled');
    expect(describeStep({ ...inPhase('dialled'), accepted: true }, events.ringing)).toBe('dialled');
  });

  it('applies the first answer only', () => {
    expect(describeStep({ ...inPhase('dialled'), answer: 'applying' }, events.remote_answer)).toBe('dialled');
  });

  it('ends as declined on REJECTED, and as timed out when an uncertain connect never turns up', () => {
    const reasonOf = (state: BusinessLegState, event: BusinessLegEvent): unknown =>
      transition(state, event).effects.find((effect) => effect.do === 'emit')?.event;
    expect(reasonOf(inPhase('dialled'), events.rejected)).toMatchObject({
      type: 'failed',
      retry: false,
      reason: { code: 'declined', sipStatus: 486 },
    });
    expect(reasonOf(inPhase('uncertain'), events.adoption_timeout)).toMatchObject({ reason: { sipStatus: 504 } });
  });

  describe('hung up while connect is on its way', () => {
    const waiting: BusinessLegState = { ...inPhase('ending'), open: { wire: 'id', media: false } };

    it.each([
      ['id_known', 'ending post_terminate'],
      ['connect_refused', 'terminated disarm_deadline !terminated'],
      ['connect_unknown', 'terminated abandon disarm_deadline !terminated'],
      ['connect_unusable', 'terminated abandon disarm_deadline !terminated'],
      ['end_deadline', 'terminated abandon !terminated'],
      ['wire_ended', 'ending'],
    ] as const)('%s: %s', (type, expected) => {
      expect(describeStep(waiting, events[type])).toBe(expected);
    });

    it('posts terminate once, however often the id is learnt', () => {
      const { next } = transition(waiting, events.id_known);
      expect(transition(next, events.id_known)).toEqual({ next, effects: [] });
    });
  });

  describe('hung up by us after the pick-up', () => {
    const posting: BusinessLegState = {
      ...inPhase('ending'),
      ...{ answer: 'applied', accepted: true, open: { wire: 'post', media: false } },
    };
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

    it('waits for nothing where nobody had picked up', () => {
      const unanswered: BusinessLegState = { ...posting, accepted: false };
      expect(describeStep(unanswered, events.wire_ended)).toBe('terminated disarm_deadline !terminated');
    });
  });

  it.each([
    [{ wire: 'post', media: false }, 'wire_ended'],
    [{ wire: 'none', media: true }, 'media_closed'],
  ] as const)('is over when the last of %o is done', (open, type) => {
    expect(describeStep({ ...inPhase('ending'), open }, events[type])).toBe('terminated disarm_deadline !terminated');
  });
});
