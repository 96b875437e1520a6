import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import type { LegEvent } from '../../../src/call/leg.js';
import {
  initialTransferState,
  transferTransition,
  type TransferEffect,
  type TransferEvent,
  type TransferState,
} from '../../../src/sip/transfer/transfer-machine.js';

const reason = endReason('hangup');

/** What may happen next; `leg` picks one of those that live. */
type Move =
  | { readonly do: 'refer' | 'replace' | 'hangup' | 'noAnswer'; readonly leg?: undefined }
  | {
      readonly do: 'stand' | 'ring' | 'fail' | 'end' | 'vanish' | 'terminate' | 'overdue' | 'hold';
      readonly leg: number;
    };

type LegMove = Extract<Move, { leg: number }>['do'];

const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('refer' as const, 'replace', 'noAnswer') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('hangup' as const) }) },
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constantFrom('stand' as const, 'ring', 'fail', 'end', 'vanish', 'terminate', 'overdue', 'hold'),
      leg: fc.nat({ max: 5 }),
    }),
  },
);

/** A leg as it is bound to behave: call/leg.ts. */
interface Leg {
  stands: boolean;
  /** It has said that it failed or ended, or was told to. */
  isEnding: boolean;
  hangups: number;
}

/** Plays moves against the machine, with legs that keep to their contract, and keeps what it does. */
class Play {
  state: TransferState = initialTransferState;
  readonly live = new Map<number, Leg>([[0, { stands: false, isEnding: false, hangups: 0 }]]);
  readonly over: Leg[] = [];
  readonly reports: LegEvent['type'][] = [];
  readonly finals = new Map<number, number>();
  readonly answered = new Set<number>();
  readonly asked = new Set<number>();
  /** Departing legs whose BYE is waited for. */
  readonly awaited = new Set<number>();
  isArmed = false;
  #next = 1;

  make(what: Move): void {
    if (what.do === 'refer' || what.do === 'replace') {
      const leg = this.#next++;
      this.asked.add(leg);
      return this.post({ type: what.do === 'refer' ? 'referred' : 'replaced', leg });
    }
    if (what.do === 'hangup') return this.post({ type: 'hangup', reason });
    if (what.do === 'noAnswer') {
      if (this.isArmed) this.post({ type: 'noAnswer' });
      return;
    }
    if (what.leg === undefined) return;
    const [number, leg] = [...this.live][what.leg % Math.max(1, this.live.size)] ?? [];
    if (number !== undefined && leg) this.#legMoves(number, leg, what.do);
  }

  #legMoves(number: number, leg: Leg, what: LegMove): void {
    const say = (event: LegEvent): void => this.post({ type: 'fromLeg', leg: number, event });
    switch (what) {
      case 'stand':
        if (leg.stands || leg.isEnding) return;
        leg.stands = true;
        return say({ type: 'answered' });
      case 'ring':
        return leg.stands || leg.isEnding ? undefined : say({ type: 'progress' });
      case 'hold':
        return leg.stands && !leg.isEnding ? say({ type: 'held' }) : undefined;
      case 'fail':
      case 'end':
        if (leg.isEnding) return;
        leg.isEnding = true;
        return say(leg.stands ? { type: 'ended', reason } : { type: 'failed', reason, retry: false });
      case 'overdue':
        return this.awaited.has(number) ? this.post({ type: 'overdue', leg: number }) : undefined;
      case 'terminate':
        return leg.isEnding ? this.terminate(number, leg) : undefined;
      case 'vanish': // hung up by somebody else of ours, as when the daemon stops
        return this.terminate(number, leg);
    }
  }

  terminate(number: number, leg: Leg): void {
    this.live.delete(number);
    this.over.push(leg);
    this.post({ type: 'fromLeg', leg: number, event: { type: 'terminated' } });
  }

  post(event: TransferEvent): void {
    const { next, effects } = transferTransition(this.state, event);
    this.state = next;
    for (const effect of effects) this.#do(effect);
  }

  #do(effect: TransferEffect): void {
    switch (effect.type) {
      case 'follow':
      case 'adopt':
        this.#settle(effect.leg);
        this.live.set(effect.leg, { stands: false, isEnding: false, hangups: 0 });
        return;
      case 'refuse':
        return this.#settle(effect.leg);
      case 'hangup': {
        const leg = this.live.get(effect.leg);
        expect(leg, 'hung up only while it lives').toBeDefined();
        leg!.hangups++;
        leg!.isEnding = true;
        return;
      }
      case 'notify':
        if (typeof effect.news === 'object' || effect.news === 'answered') {
          this.finals.set(effect.leg, (this.finals.get(effect.leg) ?? 0) + 1);
        }
        return;
      case 'timer':
        this.isArmed = effect.do === 'arm';
        return;
      case 'report':
        expect(this.reports.at(-1), 'nothing after the end').not.toBe('terminated');
        this.reports.push(effect.event.type);
        return;
      case 'awaitBye':
        this.awaited.add(effect.leg);
        return;
    }
  }

  #settle(leg: number): void {
    expect(this.answered.has(leg), 'answered once').toBe(false);
    this.answered.add(leg);
  }

  /** Everything is hung up, and every leg goes. */
  finish(): void {
    this.post({ type: 'hangup', reason });
    for (const [number, leg] of [...this.live]) {
      expect(leg.isEnding, 'no ghost').toBe(true);
      this.terminate(number, leg);
    }
  }
}

const play = (moves: readonly Move[], check: (played: Play) => void): void => {
  const played = new Play();
  for (const what of moves) {
    played.make(what);
    check(played);
  }
  played.finish();
  check(played);
};

const property = (check: (played: Play) => void, atEnd: (played: Play) => void = () => undefined): void =>
  fc.assert(
    fc.property(fc.array(move, { maxLength: 40 }), (moves) => {
      let last: Play | undefined;
      play(moves, (played) => {
        last = played;
        check(played);
      });
      if (last) atEnd(last);
    }),
    { numRuns: 3000 },
  );

describe('transfers under any order of events', () => {
  it('ends every leg once at most, and the whole exactly once and last', () => {
    property(
      ({ live, over }) => expect([...live.values(), ...over].every(({ hangups }) => hangups <= 1)).toBe(true),
      ({ reports, state }) => {
        expect(reports.filter((type) => type === 'terminated')).toHaveLength(1);
        expect(reports.at(-1)).toBe('terminated');
        expect(state.legs.size).toBe(0);
        const ends = reports.filter((type) => ['failed', 'cancelled', 'ended'].includes(type));
        expect(ends.length).toBeLessThanOrEqual(1);
      },
    );
  });

  it('knows the legs that live, and has one more than the one that stands at most: the one that departs or comes', () => {
    property(({ live, state }) => {
      expect([...state.legs.keys()].sort()).toEqual([...live.keys()].sort());
      if (state.phase === 'over') expect([...live.values()].every(({ isEnding }) => isEnding)).toBe(true);
      if (state.phase === 'single') expect(live.get(state.current)?.isEnding).toBe(false);
      if (state.phase === 'moving') expect(state.moving && live.has(state.moving.leg)).toBe(true);
    });
  });

  it('answers every REFER and INVITE once, and tells a referrer the outcome once at most', () => {
    property(
      ({ finals }) => expect([...finals.values()].every((count) => count === 1)).toBe(true),
      ({ asked, answered }) => expect([...answered].sort()).toEqual([...asked].sort()),
    );
  });

  it('leaves no timer running once it is over or nothing moves', () => {
    property(({ isArmed, state }) => expect(isArmed).toBe(state.phase === 'moving'));
  });
});
