import { describe, expect, it } from 'vitest';
import {
  initialBusinessLegState,
  transition,
  type BusinessLegEvent,
  type BusinessLegPhase,
  type BusinessLegState,
} from '../../../src/whatsapp/business-initiated-machine.js';
import { businessLegEvents as events, whatsAppStep } from '../../support/leg-machines.js';
import { itKeepsTo } from '../../support/machine-play.js';

const inPhase = (phase: BusinessLegPhase): BusinessLegState => ({
  ...initialBusinessLegState,
  phase,
  open: phase === 'ending' ? { wire: 'post', media: true } : initialBusinessLegState.open,
});
const describeStep = (state: BusinessLegState, event: BusinessLegEvent): string =>
  whatsAppStep(transition(state, event));

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

describe('business-initiated leg machine', () => {
  itKeepsTo({ table, events, stateOf: inPhase, transition, inWords: whatsAppStep });

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
});
