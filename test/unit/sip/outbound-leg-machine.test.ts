import { describe } from 'vitest';
import {
  outboundTransition,
  type OutboundLegEvent,
  type OutboundLegState,
  type OutboundLegTransition,
} from '../../../src/sip/outbound-leg-machine.js';
import { outboundLegEvents, sipWord } from '../../support/leg-machines.js';
import { itKeepsTo } from '../../support/machine-play.js';

type Row = Partial<Record<OutboundLegEvent['type'], string>>;

const invited: Row = {
  ringing: 'proceeding: progress',
  earlyMedia: 'proceeding: earlyMedia',
  refused: 'closing: failed+retry closeMedia',
  silent: 'closing: failed+retry sendCancel closeMedia',
  accepted: 'answering: applyAnswer',
  hangup: 'cancelling: sendCancel',
  remoteEnded: 'closing: failed closeMedia',
  mediaFailed: 'cancelling: failed sendCancel',
  linkLost: 'closing: failed+retry closeMedia',
};

/** Every pair of state and event that does something; all other pairs must change nothing. */
const table: Record<OutboundLegState, Row> = {
  idle: {
    dial: 'preparing: prepare',
    hangup: 'closing: closeMedia',
    linkLost: 'closing: failed+retry closeMedia',
  },
  preparing: {
    prepared: 'inviting: sendInvite',
    refused: 'closing: failed+retry closeMedia',
    hangup: 'closing: closeMedia',
    mediaFailed: 'closing: failed closeMedia',
    linkLost: 'closing: failed+retry closeMedia',
  },
  inviting: invited,
  proceeding: invited,
  answering: {
    answerUsable: 'confirmed: answered',
    answerUnusable: 'hangingUp: failed sendBye',
    hangup: 'hangingUp: sendBye',
    remoteEnded: 'closing: failed closeMedia',
    mediaFailed: 'hangingUp: failed sendBye',
    linkLost: 'closing: failed closeMedia',
  },
  confirmed: {
    hangup: 'hangingUp: sendBye',
    remoteEnded: 'closing: ended closeMedia',
    mediaFailed: 'hangingUp: ended sendBye',
    linkLost: 'closing: ended closeMedia',
  },
  cancelling: {
    refused: 'closing: closeMedia',
    silent: 'closing: closeMedia',
    accepted: 'hangingUp: sendBye',
    remoteEnded: 'closing: closeMedia',
    linkLost: 'closing: closeMedia',
    wireDone: 'closing: closeMedia',
  },
  hangingUp: {
    remoteEnded: 'closing: closeMedia',
    linkLost: 'closing: closeMedia',
    wireDone: 'closing: closeMedia',
  },
  closing: { accepted: 'closing: sendBye', mediaClosed: 'terminated: terminated' },
  terminated: { accepted: 'terminated: sendBye' },
};

const inWords = ({ next, effects }: OutboundLegTransition): string => {
  const words = effects.map((effect) => {
    const retries = effect.type === 'report' && effect.event.type === 'failed' && effect.event.retry;
    return sipWord(effect) + (retries ? '+retry' : '');
  });
  return [`${next}:`, ...words].join(' ');
};

describe('outboundTransition', () => {
  itKeepsTo({ table, events: outboundLegEvents, stateOf: (name) => name, transition: outboundTransition, inWords });
});
