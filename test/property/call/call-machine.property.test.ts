import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  initialCallState,
  transition,
  type CallEffect,
  type CallEvent,
  type CallState,
} from '../../../src/call/call-machine.js';
import { endReason, type EndCode } from '../../../src/call/end-reason.js';

const reason = fc.constantFrom<EndCode>('hangup', 'busy', 'no_answer', 'trunk_down').map((code) => endReason(code));
const attempt = fc.integer({ min: 0, max: 3 });

const anyEvent: fc.Arbitrary<CallEvent> = fc.oneof(
  fc.record({ type: fc.constant('routed' as const), targets: fc.integer({ min: 0, max: 3 }) }),
  fc.record({ type: fc.constantFrom('refused' as const, 'a.cancelled', 'a.failed', 'a.ended'), reason }),
  fc.record({ type: fc.constantFrom('a.confirmed' as const, 'a.terminated') }),
  fc.record({ type: fc.constantFrom('b.progress' as const, 'b.earlyMedia', 'b.answered', 'b.terminated'), attempt }),
  fc.record({ type: fc.constant('b.failed' as const), attempt, reason, retry: fc.boolean() }),
  fc.record({ type: fc.constant('b.ended' as const), attempt, reason }),
  fc.record({
    type: fc.constantFrom('held' as const, 'resumed', 'mediaMoved'),
    leg: fc.constantFrom('a' as const, 'b'),
  }),
  fc.record({
    type: fc.constantFrom(
      ...(['noAnswer', 'answerAck', 'maxDuration', 'teardown', 'mediaFirst', 'mediaIdle', 'admin.hangup'] as const),
      'shutdown.force' as const,
    ),
  }),
);

interface Run {
  readonly states: readonly CallState[];
  readonly effects: readonly CallEffect[][];
}

/** Feeds events; a timer event only reaches the machine while that timer is armed, as in life. */
function run(events: readonly CallEvent[]): Run {
  const states: CallState[] = [initialCallState];
  const effects: CallEffect[][] = [];
  for (const event of events) {
    const state = states.at(-1)!;
    if (isTimer(event) && !state.armed.some((timer) => timer === event.type)) continue;
    const step = transition(state, event);
    states.push(step.next);
    effects.push([...step.effects]);
  }
  return { states, effects };
}

const isTimer = (event: CallEvent): boolean =>
  ['noAnswer', 'answerAck', 'maxDuration', 'teardown'].includes(event.type);

const count = (effects: readonly CallEffect[], match: (effect: CallEffect) => boolean): number =>
  effects.filter(match).length;

/** Brings any state to `ended` by reports that its open legs owe. */
function finish(state: CallState): { state: CallState; effects: CallEffect[] } {
  const effects: CallEffect[] = [];
  const apply = (event: CallEvent): void => {
    const step = transition(state, event);
    state = step.next;
    effects.push(...step.effects);
  };
  apply({ type: 'shutdown.force' });
  if (state.openA) apply({ type: 'a.terminated' });
  for (const open of [...state.openB]) apply({ type: 'b.terminated', attempt: open });
  return { state, effects };
}

describe('call machine invariants under random event orders', () => {
  const property = (check: (run: Run) => void) =>
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 24 }), (events) => check(run(events))),
      { numRuns: 3000 },
    );

  it('ends once, for one reason, and does nothing after that', () => {
    property(({ states, effects }) => {
      const ends = states.map((state) => state.end).filter((end) => end !== undefined);
      expect(new Set(ends).size).toBeLessThanOrEqual(1);
      const endedAt = effects.findIndex((step) => step.some((effect) => effect.type === 'ended'));
      if (endedAt >= 0) expect(effects.slice(endedAt + 1).flat()).toEqual([]);
    });
  });

  it('answers the A leg only after the B leg answered, and never twice', () => {
    property(({ states, effects }) => {
      const answers = effects.flatMap((step, index) => (step.some((e) => e.type === 'answer') ? [index] : []));
      expect(answers.length).toBeLessThanOrEqual(1);
      for (const index of answers) {
        expect(['dialing', 'alerting']).toContain(states[index]!.name);
        expect(states[index + 1]!.name).toBe('answering');
      }
    });
  });

  it('gives each leg at most one ending command, and the A leg never both reject and answer', () => {
    property(({ effects }) => {
      const all = effects.flat();
      const endsOfA = count(all, (e) => e.type === 'reject' || (e.type === 'hangup' && e.leg === 'a'));
      expect(endsOfA).toBeLessThanOrEqual(1);
      if (all.some((e) => e.type === 'answer')) expect(count(all, (e) => e.type === 'reject')).toBe(0);
      for (let n = 0; n < 4; n++) {
        expect(count(all, (e) => e.type === 'hangup' && e.leg === 'b' && e.attempt === n)).toBeLessThanOrEqual(1);
        expect(count(all, (e) => e.type === 'dial' && e.attempt === n)).toBeLessThanOrEqual(1);
      }
    });
  });

  it('reaches ended from any state by one stop and the reports its legs owe, with every timer disarmed', () => {
    property(({ states, effects }) => {
      const last = states.at(-1)!;
      const rest = finish(last);
      expect(rest.state.name).toBe('ended');
      const all = [...effects.flat(), ...rest.effects];
      expect(count(all, (e) => e.type === 'ended')).toBe(1);
      expect(rest.state.armed).toEqual([]);
      expect(rest.state.openA).toBe(false);
      expect(rest.state.openB).toEqual([]);
      const bridged = all.flatMap((e) => (e.type === 'bridge' ? [e.do] : []));
      // kept and joined again when the media of a leg moves
      expect(bridged.join(' ')).toMatch(/^(keep( keep)*( join)* part)?$/);
    });
  });

  it('keeps a timer armed exactly while its state says so', () => {
    property(({ states, effects }) => {
      const armed = new Set<string>();
      effects.forEach((step, index) => {
        const before = states[index]!.armed;
        for (const effect of step) {
          if (effect.type === 'arm') armed.add(effect.timer);
          if (effect.type === 'disarm') armed.delete(effect.timer);
        }
        for (const timer of before) if (!states[index + 1]!.armed.includes(timer)) armed.delete(timer);
        expect([...armed].sort()).toEqual([...states[index + 1]!.armed].sort());
      });
    });
  });
});
