import { describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import { inboundTransition, type InboundLegEvent, type InboundLegState } from '../../../src/sip/inbound-leg-machine.js';

const reason = endReason('hangup');
const events: InboundLegEvent[] = [
  { type: 'prepared' },
  { type: 'unusable', reason },
  { type: 'ring' },
  { type: 'answer' },
  { type: 'reject', reason },
  { type: 'hangup', reason },
  { type: 'cancelled', reason },
  { type: 'answerFailed', reason },
  { type: 'acked' },
  { type: 'ackUnusable', reason },
  { type: 'remoteEnded', reason },
  { type: 'mediaFailed', reason },
  { type: 'linkLost', reason },
  { type: 'wireDone' },
  { type: 'mediaClosed' },
];

type Row = Partial<Record<InboundLegEvent['type'], string>>;

const unanswered: Row = {
  unusable: 'refusing: sendRefusal',
  reject: 'refusing: sendRefusal',
  hangup: 'refusing: sendRefusal',
  cancelled: 'closing: cancelled closeMedia',
  remoteEnded: 'closing: failed closeMedia',
  mediaFailed: 'refusing: failed sendRefusal',
  linkLost: 'closing: failed closeMedia',
};

/** Every pair of state and event that does something; all other pairs must change nothing. */
const table: Record<InboundLegState, Row> = {
  preparing: { ...unanswered, prepared: 'trying: announce' },
  trying: { ...unanswered, ring: 'ringing: sendRinging', answer: 'answering: sendAnswer' },
  ringing: { ...unanswered, answer: 'answering: sendAnswer' },
  refusing: {
    cancelled: 'closing: closeMedia',
    remoteEnded: 'closing: closeMedia',
    linkLost: 'closing: closeMedia',
    wireDone: 'closing: closeMedia',
  },
  answering: {
    acked: 'confirmed: confirmed',
    ackUnusable: 'hangingUp: failed sendBye',
    reject: 'awaitingAck: awaitAck',
    hangup: 'awaitingAck: awaitAck',
    cancelled: 'closing: cancelled closeMedia',
    answerFailed: 'closing: failed closeMedia',
    remoteEnded: 'closing: failed closeMedia',
    mediaFailed: 'awaitingAck: failed awaitAck',
    linkLost: 'closing: failed closeMedia',
  },
  awaitingAck: {
    acked: 'hangingUp: sendBye',
    ackUnusable: 'hangingUp: sendBye',
    cancelled: 'closing: closeMedia',
    answerFailed: 'closing: closeMedia',
    remoteEnded: 'closing: closeMedia',
    linkLost: 'closing: closeMedia',
    wireDone: 'closing: closeMedia',
  },
  confirmed: {
    reject: 'hangingUp: sendBye',
    hangup: 'hangingUp: sendBye',
    remoteEnded: 'closing: ended closeMedia',
    mediaFailed: 'hangingUp: ended sendBye',
    linkLost: 'closing: ended closeMedia',
  },
  hangingUp: {
    cancelled: 'closing: closeMedia',
    remoteEnded: 'closing: closeMedia',
    linkLost: 'closing: closeMedia',
    wireDone: 'closing: closeMedia',
  },
  closing: {
    acked: 'closing: sendBye',
    ackUnusable: 'closing: sendBye',
    mediaClosed: 'terminated: terminated',
  },
  terminated: { acked: 'terminated: sendBye', ackUnusable: 'terminated: sendBye' },
};

const told = (state: InboundLegState, event: InboundLegEvent): string => {
  const { next, effects } = inboundTransition(state, event);
  return [`${next}:`, ...effects.map((effect) => (effect.type === 'report' ? effect.event.type : effect.type))].join(
    ' ',
  );
};

describe('inboundTransition', () => {
  const states = Object.keys(table) as InboundLegState[];
  it.each(states.flatMap((state) => events.map((event) => [state, event] as const)))('%s, %o', (state, event) => {
    expect(told(state, event)).toBe(table[state][event.type] ?? `${state}:`);
  });
});
