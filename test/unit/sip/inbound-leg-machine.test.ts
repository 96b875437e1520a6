import { describe } from 'vitest';
import { inboundTransition, type InboundLegEvent, type InboundLegState } from '../../../src/sip/inbound-leg-machine.js';
import { inboundLegEvents, sipWord } from '../../support/leg-machines.js';
import { itKeepsTo } from '../../support/machine-play.js';

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

describe('inboundTransition', () => {
  itKeepsTo({
    table,
    events: inboundLegEvents,
    stateOf: (name) => name,
    transition: inboundTransition,
    inWords: ({ next, effects }) => [`${next}:`, ...effects.map(sipWord)].join(' '),
  });
});
