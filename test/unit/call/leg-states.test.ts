import { describe, expect, it } from 'vitest';
import { legStatesAfter, noLegs, type LegStates } from '../../../src/call/leg-states.js';
import type { CallStep } from '../../../src/call/observer.js';

type Told = readonly [CallStep, Record<string, unknown>?];

const after = (...steps: Told[]): LegStates =>
  steps.reduce((states, [step, detail = {}]) => legStatesAfter(states, step, detail), noLegs);

const userCall: Told[] = [['webhook.connect'], ['sip.invite'], ['graph.pre_accept', { ok: true }], ['sip.ringing']];
const pbxCall: Told[] = [['sip.invite'], ['graph.connect', { ok: true }], ['webhook.ringing'], ['sip.ringing']];

describe('the states of legs, by the steps of a call', () => {
  it.each<[string, Told[], LegStates]>([
    ['a user calls', userCall.slice(0, 1), { whatsapp: 'trying', sip: undefined }],
    ['the PBX is called', userCall.slice(0, 2), { whatsapp: 'trying', sip: 'trying' }],
    ['it rings', userCall, { whatsapp: 'early', sip: 'early' }],
    ['the PBX answers', [...userCall, ['sip.answer'], ['sip.ack']], { whatsapp: 'early', sip: 'confirmed' }],
    [
      'both are up',
      [...userCall, ['sip.answer'], ['graph.accept', { ok: true }]],
      { whatsapp: 'confirmed', sip: 'confirmed' },
    ],
    ['Meta refuses accept', [...userCall, ['graph.accept', { ok: false }]], { whatsapp: 'early', sip: 'early' }],
    [
      'the PBX refuses',
      [['webhook.connect'], ['sip.invite'], ['sip.refused']],
      { whatsapp: 'trying', sip: 'terminated' },
    ],
    [
      'its next server is called',
      [['webhook.connect'], ['sip.invite'], ['sip.refused'], ['sip.invite']],
      { whatsapp: 'trying', sip: 'trying' },
    ],
    ['the user hangs up', [...userCall, ['webhook.terminate']], { whatsapp: 'terminated', sip: 'early' }],
    ['the PBX calls', pbxCall, { whatsapp: 'early', sip: 'early' }],
    ['Meta’s answer alone changes nothing', [...pbxCall, ['webhook.connect']], { whatsapp: 'early', sip: 'early' }],
    ['the user picks up', [...pbxCall, ['webhook.accepted']], { whatsapp: 'confirmed', sip: 'early' }],
    ['it is over', [...pbxCall, ['call.ended']], { whatsapp: 'terminated', sip: 'terminated' }],
    ['it never had another leg', [['sip.invite'], ['call.ended']], { whatsapp: undefined, sip: 'terminated' }],
  ])('%s', (_, steps, states) => {
    expect(after(...steps)).toEqual(states);
  });

  it('what ended stays so', () => {
    expect(after(...userCall, ['graph.terminate', { ok: true }], ['graph.accept', { ok: true }]).whatsapp).toBe(
      'terminated',
    );
  });
});
