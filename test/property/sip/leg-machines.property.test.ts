import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inboundTransition, type InboundLegEvent } from '../../../src/sip/inbound-leg-machine.js';
import { outboundTransition, type OutboundLegEvent } from '../../../src/sip/outbound-leg-machine.js';
import { inboundLegEvents, outboundLegEvents, sipWord } from '../../support/leg-machines.js';
import { count, played } from '../../support/machine-play.js';

/** What a leg did, in words and in order, and where it ended. */
const dialledLife = (events: readonly OutboundLegEvent[]) => {
  const { state, effects } = played(outboundTransition, 'idle', events);
  return { state, log: effects.map(sipWord) };
};
const arrivingLife = (events: readonly InboundLegEvent[]) => {
  const { state, effects } = played(inboundTransition, 'preparing', events);
  return { state, log: effects.map(sipWord) };
};

/** Checks any events in any order. */
const inAnyOrder =
  <Event>(all: Readonly<Record<string, Event>>) =>
  (check: (events: Event[]) => void): void =>
    fc.assert(fc.property(fc.array(fc.constantFrom(...Object.values(all)), { maxLength: 40 }), check), {
      numRuns: 2_000,
    });

/** What holds of every leg, whatever happens to it. */
function checkCommon(log: readonly string[], isOver: boolean): void {
  expect(count(log, 'failed', 'cancelled', 'ended')).toBeLessThanOrEqual(1);
  expect(count(log, 'terminated')).toBe(isOver ? 1 : 0);
  expect(count(log, 'closeMedia')).toBeLessThanOrEqual(1);
  if (!isOver) return;
  expect(log.indexOf('closeMedia')).toBeLessThan(log.indexOf('terminated'));
  const reports = ['progress', 'earlyMedia', 'answered', 'confirmed', 'failed', 'cancelled', 'ended'];
  for (const type of reports) expect(log.lastIndexOf(type)).toBeLessThan(log.indexOf('terminated'));
}

describe('the dialled leg', () => {
  const property = inAnyOrder(outboundLegEvents);

  it('reports one end and one terminated, invites once, and hangs up only what was accepted', () => {
    property((events) => {
      const { state, log } = dialledLife(events);
      checkCommon(log, state === 'terminated');
      expect(count(log, 'sendInvite')).toBeLessThanOrEqual(1);
      expect(count(log, 'sendCancel')).toBeLessThanOrEqual(1);
      expect(count(log, 'answered')).toBeLessThanOrEqual(1);
      const accepted = events.filter((event) => event.type === 'accepted').length;
      expect(count(log, 'sendBye')).toBeLessThanOrEqual(accepted);
      if (log.includes('sendCancel')) expect(log.indexOf('sendInvite')).toBeLessThan(log.indexOf('sendCancel'));
    });
  });

  it('leaves no ghost: a 200 that is not taken up is hung up', () => {
    property((events) => {
      const { state } = dialledLife(events);
      if (!['inviting', 'proceeding', 'cancelling', 'closing', 'terminated'].includes(state)) return;
      const { effects } = outboundTransition(state, { type: 'accepted' });
      const isTakenUp = state === 'inviting' || state === 'proceeding';
      expect(effects.map(sipWord)).toEqual([isTakenUp ? 'applyAnswer' : 'sendBye']);
    });
  });

  it('can always be ended by a hang-up and what follows from it', () => {
    const { hangup, wireDone, mediaClosed } = outboundLegEvents;
    property((events) => {
      expect(dialledLife([...events, hangup, wireDone, mediaClosed]).state).toBe('terminated');
    });
  });
});

describe('the arriving leg', () => {
  const property = inAnyOrder(inboundLegEvents);

  it('reports one end and one terminated, and gives one final response', () => {
    property((events) => {
      const { state, log } = arrivingLife(events);
      checkCommon(log, state === 'terminated');
      expect(count(log, 'announce')).toBeLessThanOrEqual(1);
      expect(count(log, 'sendAnswer', 'sendRefusal')).toBeLessThanOrEqual(1);
      expect(count(log, 'sendRinging')).toBeLessThanOrEqual(1);
      if (log.includes('confirmed')) expect(log.indexOf('sendAnswer')).toBeLessThan(log.indexOf('confirmed'));
    });
  });

  it('never lets BYE overtake the ACK', () => {
    property((events) => {
      const firstAck = events.findIndex(({ type }) => type === 'acked' || type === 'ackUnusable');
      const before = firstAck < 0 ? events : events.slice(0, firstAck);
      expect(arrivingLife(before).log).not.toContain('sendBye');
    });
  });

  it('can always be ended by a hang-up and what follows from it', () => {
    const { hangup, wireDone, mediaClosed } = inboundLegEvents;
    property((events) => {
      expect(arrivingLife([...events, hangup, wireDone, mediaClosed]).state).toBe('terminated');
    });
  });
});
