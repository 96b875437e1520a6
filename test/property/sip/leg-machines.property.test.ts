import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import { inboundTransition, type InboundLegEvent, type InboundLegState } from '../../../src/sip/inbound-leg-machine.js';
import {
  outboundTransition,
  type OutboundLegEvent,
  type OutboundLegState,
} from '../../../src/sip/outbound-leg-machine.js';

const reason = endReason('hangup');

const outboundEvent = fc.constantFrom<OutboundLegEvent>(
  { type: 'dial' },
  { type: 'prepared' },
  { type: 'ringing' },
  { type: 'earlyMedia' },
  { type: 'refused', reason, retry: false },
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
);

const inboundEvent = fc.constantFrom<InboundLegEvent>(
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
);

interface Effect {
  readonly type: string;
  readonly event?: { readonly type: string };
}

/** All effects of a run, reports by their own names. */
function run<S, E>(
  initial: S,
  events: readonly E[],
  transition: (s: S, e: E) => { next: S; effects: readonly Effect[] },
) {
  let state = initial;
  const log: string[] = [];
  for (const event of events) {
    const { next, effects } = transition(state, event);
    state = next;
    log.push(...effects.map((effect) => effect.event?.type ?? effect.type));
  }
  return { state, log };
}

const count = (log: readonly string[], what: string): number => log.filter((word) => word === what).length;

/** What holds of every leg, whatever happens to it. */
function checkCommon(log: readonly string[], isOver: boolean): void {
  const ends = ['failed', 'cancelled', 'ended'].reduce((sum, type) => sum + count(log, type), 0);
  expect(ends).toBeLessThanOrEqual(1);
  expect(count(log, 'terminated')).toBe(isOver ? 1 : 0);
  expect(count(log, 'closeMedia')).toBeLessThanOrEqual(1);
  if (!isOver) return;
  expect(log.indexOf('closeMedia')).toBeLessThan(log.indexOf('terminated'));
  const reports = ['progress', 'earlyMedia', 'answered', 'confirmed', 'failed', 'cancelled', 'ended'];
  for (const type of reports) expect(log.lastIndexOf(type)).toBeLessThan(log.indexOf('terminated'));
}

const runs = { numRuns: 2_000 };

describe('the dialled leg', () => {
  it('reports one end and one terminated, invites once, and hangs up only what was accepted', () => {
    fc.assert(
      fc.property(fc.array(outboundEvent, { maxLength: 40 }), (events) => {
        const { state, log } = run<OutboundLegState, OutboundLegEvent>('idle', events, outboundTransition);
        checkCommon(log, state === 'terminated');
        expect(count(log, 'sendInvite')).toBeLessThanOrEqual(1);
        expect(count(log, 'sendCancel')).toBeLessThanOrEqual(1);
        expect(count(log, 'answered')).toBeLessThanOrEqual(1);
        const accepted = events.filter((event) => event.type === 'accepted').length;
        expect(count(log, 'sendBye')).toBeLessThanOrEqual(accepted);
        if (log.includes('sendCancel')) expect(log.indexOf('sendInvite')).toBeLessThan(log.indexOf('sendCancel'));
      }),
      runs,
    );
  });

  it('leaves no ghost: a 200 that is not taken up is hung up', () => {
    fc.assert(
      fc.property(fc.array(outboundEvent, { maxLength: 30 }), (events) => {
        const { state } = run<OutboundLegState, OutboundLegEvent>('idle', events, outboundTransition);
        if (!['inviting', 'proceeding', 'cancelling', 'closing', 'terminated'].includes(state)) return;
        const { effects } = outboundTransition(state, { type: 'accepted' });
        expect(effects.map(({ type }) => type)).toEqual([
          state === 'inviting' || state === 'proceeding' ? 'applyAnswer' : 'sendBye',
        ]);
      }),
      runs,
    );
  });

  it('can always be ended by a hang-up and what follows from it', () => {
    fc.assert(
      fc.property(fc.array(outboundEvent, { maxLength: 30 }), (events) => {
        const end: OutboundLegEvent[] = [{ type: 'hangup', reason }, { type: 'wireDone' }, { type: 'mediaClosed' }];
        const { state } = run<OutboundLegState, OutboundLegEvent>('idle', [...events, ...end], outboundTransition);
        expect(state).toBe('terminated');
      }),
      runs,
    );
  });
});

describe('the arriving leg', () => {
  it('reports one end and one terminated, and gives one final response', () => {
    fc.assert(
      fc.property(fc.array(inboundEvent, { maxLength: 40 }), (events) => {
        const { state, log } = run<InboundLegState, InboundLegEvent>('preparing', events, inboundTransition);
        checkCommon(log, state === 'terminated');
        expect(count(log, 'announce')).toBeLessThanOrEqual(1);
        expect(count(log, 'sendAnswer') + count(log, 'sendRefusal')).toBeLessThanOrEqual(1);
        expect(count(log, 'sendRinging')).toBeLessThanOrEqual(1);
        if (log.includes('confirmed')) expect(log.indexOf('sendAnswer')).toBeLessThan(log.indexOf('confirmed'));
      }),
      runs,
    );
  });

  it('never lets BYE overtake the ACK', () => {
    fc.assert(
      fc.property(fc.array(inboundEvent, { maxLength: 40 }), (events) => {
        const firstAck = events.findIndex(({ type }) => type === 'acked' || type === 'ackUnusable');
        const before = firstAck < 0 ? events : events.slice(0, firstAck);
        const { log } = run<InboundLegState, InboundLegEvent>('preparing', before, inboundTransition);
        expect(log).not.toContain('sendBye');
      }),
      runs,
    );
  });

  it('can always be ended by a hang-up and what follows from it', () => {
    fc.assert(
      fc.property(fc.array(inboundEvent, { maxLength: 30 }), (events) => {
        const end: InboundLegEvent[] = [{ type: 'hangup', reason }, { type: 'wireDone' }, { type: 'mediaClosed' }];
        const { state } = run<InboundLegState, InboundLegEvent>('preparing', [...events, ...end], inboundTransition);
        expect(state).toBe('terminated');
      }),
      runs,
    );
  });
});
