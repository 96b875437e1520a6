import { describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import {
  outboundTransition,
  type OutboundLegEvent,
  type OutboundLegState,
} from '../../../src/sip/outbound-leg-machine.js';

const reason = endReason('hangup');
const events: OutboundLegEvent[] = [
  { type: 'dial' },
  { type: 'prepared' },
  { type: 'ringing' },
  { type: 'earlyMedia' },
  { type: 'refused', reason, retry: true },
  { type: 'silent', reason },
  { type: 'accepted' },
  { type: 'answerUsable' },
  { type: 'answerUnusable', reason },
  { type: 'hangup', reason },
  { type: 'remoteEnded', reason },
  { type: 'mediaFailed', reason },
  { type: 'linkLost', reason },
  { type: 'wireDone' },
  { type: 'mediaClosed' },
];

type Row = Partial<Record<OutboundLegEvent['type'], string>>;

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
  inviting: {
    ringing: 'proceeding: progress',
    earlyMedia: 'proceeding: earlyMedia',
    refused: 'closing: failed+retry closeMedia',
    silent: 'closing: failed+retry sendCancel closeMedia',
    accepted: 'answering: applyAnswer',
    hangup: 'cancelling: sendCancel',
    remoteEnded: 'closing: failed closeMedia',
    mediaFailed: 'cancelling: failed sendCancel',
    linkLost: 'closing: failed+retry closeMedia',
  },
  proceeding: {
    ringing: 'proceeding: progress',
    earlyMedia: 'proceeding: earlyMedia',
    refused: 'closing: failed+retry closeMedia',
    silent: 'closing: failed+retry sendCancel closeMedia',
    accepted: 'answering: applyAnswer',
    hangup: 'cancelling: sendCancel',
    remoteEnded: 'closing: failed closeMedia',
    mediaFailed: 'cancelling: failed sendCancel',
    linkLost: 'closing: failed+retry closeMedia',
  },
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

const told = (state: OutboundLegState, event: OutboundLegEvent): string => {
  const { next, effects } = outboundTransition(state, event);
  const words = effects.map((effect) => {
    if (effect.type !== 'report') return effect.type;
    return effect.event.type === 'failed' && effect.event.retry ? 'failed+retry' : effect.event.type;
  });
  return [`${next}:`, ...words].join(' ');
};

describe('outboundTransition', () => {
  const states = Object.keys(table) as OutboundLegState[];
  it.each(states.flatMap((state) => events.map((event) => [state, event] as const)))('%s, %o', (state, event) => {
    expect(told(state, event)).toBe(table[state][event.type] ?? `${state}:`);
  });
});
