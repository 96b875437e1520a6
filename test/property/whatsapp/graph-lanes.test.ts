import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  breakerStep,
  closedBreaker,
  refusedForMs,
  wantsProbe,
  type BreakerState,
} from '../../../src/whatsapp/graph-breaker.js';
import { LaneQueue, type Queued } from '../../../src/whatsapp/graph-queue.js';
import { lanes, type Lane } from '../../../src/whatsapp/graph-request.js';
import { readUsage } from '../../../src/whatsapp/graph-usage.js';

interface Entry extends Queued {
  readonly order: number;
}

const marks = { end: 8, answer: 6, connect: 4, other: 4 };
const lane = fc.constantFrom(...lanes);
const numberId = fc.constantFrom('a', 'b', 'c');
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('add' as const), lane, numberId }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('finish' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('abort' as const), which: fc.nat() }) },
);

/** The rules by themselves, without the queue's data structures. */
class Model {
  readonly waiting: Entry[] = [];
  readonly flying: Entry[] = [];

  mayStart(wanted: Lane, number: string): boolean {
    const ofNumber = this.flying.filter((entry) => entry.numberId === number).length;
    return this.flying.length < marks[wanted] && ofNumber < marks[wanted] * 0.75;
  }

  /** Lanes that must wait for the one that was chosen. */
  readyBefore(chosen: Lane): Entry[] {
    const earlier = lanes.slice(0, lanes.indexOf(chosen));
    return this.waiting.filter((entry) => earlier.includes(entry.lane) && this.mayStart(entry.lane, entry.numberId));
  }

  ready(): Entry[] {
    return this.waiting.filter((entry) => this.mayStart(entry.lane, entry.numberId));
  }
}

describe('the queue of requests', () => {
  it('keeps the order of lanes, the cap, the turn of the numbers, and loses nobody', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const queue = new LaneQueue<Entry>(marks);
        const model = new Model();
        let order = 0;
        const startAll = (): void => {
          for (let entry = queue.start(); entry; entry = queue.start()) {
            const started = entry;
            expect(model.readyBefore(started.lane)).toEqual([]);
            expect(model.mayStart(started.lane, started.numberId)).toBe(true);
            const own = model.waiting.filter((e) => e.lane === started.lane && e.numberId === started.numberId);
            expect(own[0]).toBe(started);
            model.waiting.splice(model.waiting.indexOf(started), 1);
            model.flying.push(started);
          }
          // Whoever may start has started: nobody is left waiting beside a free place.
          expect(model.ready()).toEqual([]);
          expect(queue.inFlight).toBe(model.flying.length);
          expect(queue.waiting()).toBe(model.waiting.length);
          expect(queue.inFlight).toBeLessThanOrEqual(marks.end);
        };
        for (const one of steps) {
          if (one.do === 'add') {
            const entry: Entry = { lane: one.lane, numberId: one.numberId, order: order++ };
            queue.add(entry);
            model.waiting.push(entry);
          } else if (one.do === 'finish' && model.flying.length > 0) {
            queue.finish(model.flying.splice(one.which % model.flying.length, 1)[0]!);
          } else if (one.do === 'abort' && model.waiting.length > 0) {
            const gone = model.waiting.splice(one.which % model.waiting.length, 1)[0]!;
            expect([queue.remove(gone), queue.remove(gone)]).toEqual([true, false]);
          }
          startAll();
        }
        // With places coming free, everybody gets one.
        for (let left = model.waiting.length + model.flying.length; left > 0; left--) {
          const done = model.flying.shift();
          if (!done) break;
          queue.finish(done);
          startAll();
        }
        expect([queue.waiting(), queue.inFlight, queue.all()]).toEqual([0, 0, []]);
      }),
      { numRuns: 1000 },
    );
  });

  it('gives the numbers of a lane their turns, however many one of them asks for', () => {
    fc.assert(
      fc.property(lane, fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 5 }), (asked, many, few) => {
        const queue = new LaneQueue<Entry>(marks);
        for (let order = 0; order < many; order++) queue.add({ lane: asked, numberId: 'greedy', order });
        for (let order = 0; order < few; order++) queue.add({ lane: asked, numberId: 'modest', order });
        const started: string[] = [];
        for (let left = many + few; left > 0; left--) {
          const entry = queue.start();
          if (!entry) throw new Error('nobody starts although all places are free');
          started.push(entry.numberId);
          queue.finish(entry);
        }
        // The modest one waits for one turn of the greedy one each time, not for all of them.
        const last = started.lastIndexOf('modest');
        expect(last).toBeLessThanOrEqual(2 * few);
      }),
      { numRuns: 200 },
    );
  });

  it('a number whose requests hang leaves room to the others, and new work to what ends calls', () => {
    const queue = new LaneQueue<Entry>(marks);
    const add = (which: Lane, id: string): void => queue.add({ lane: which, numberId: id, order: 0 });
    for (let i = 0; i < 20; i++) add('connect', 'hangs');
    for (let i = 0; i < 20; i++) add('answer', 'hangs');
    const startAll = (): Entry[] => {
      const started: Entry[] = [];
      for (let entry = queue.start(); entry; entry = queue.start()) started.push(entry);
      return started;
    };
    expect(startAll()).toHaveLength(5);
    add('answer', 'works');
    expect(startAll()).toMatchObject([{ numberId: 'works' }]);
    add('end', 'works');
    add('end', 'hangs');
    expect(startAll()).toMatchObject([{ numberId: 'works' }, { numberId: 'hangs' }]);
  });
});

describe('a breaker', () => {
  const event = fc.oneof(
    fc.record({ type: fc.constantFrom('answered' as const, 'faulted' as const, 'unsent' as const) }),
    fc.record({
      type: fc.constant('limited' as const),
      namedMs: fc.option(fc.integer({ min: -1000, max: 1e9 }), { nil: undefined }),
      baseMs: fc.integer({ min: 1, max: 60_000 }),
    }),
  );
  const moves = fc.array(
    fc.record({ event, waitMs: fc.integer({ min: 0, max: 100_000 }), asks: fc.boolean(), ofProbe: fc.boolean() }),
    { maxLength: 60 },
  );

  it('refuses for a bounded time, lets one probe go, and closes when that is answered', () => {
    fc.assert(
      fc.property(moves, (steps) => {
        let state: BreakerState = closedBreaker;
        let [nowMs, probing] = [0, false];
        for (const { event: what, waitMs, asks, ofProbe } of steps) {
          nowMs += waitMs;
          if (asks && wantsProbe(state, nowMs)) {
            expect(refusedForMs(state, nowMs)).toBeUndefined();
            state = breakerStep(state, { type: 'probe_sent' }, nowMs);
            probing = true;
            expect(refusedForMs(state, nowMs)).toBeGreaterThan(0);
          }
          const isProbe = probing && ofProbe;
          if (isProbe) probing = false;
          state = breakerStep(state, { ...what, isProbe }, nowMs);
          const forMs = refusedForMs(state, nowMs);
          expect(forMs === undefined || (forMs > 0 && forMs <= 3_600_000)).toBe(true);
          if (state.phase === 'closed') expect(forMs).toBeUndefined();
        }
        // From any state: time passes, one probe is answered, all is well.
        nowMs += 3_600_000;
        state = breakerStep(state, { type: 'probe_sent' }, nowMs);
        expect(breakerStep(state, { type: 'answered', isProbe: true }, nowMs)).toEqual(closedBreaker);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('usage headers', () => {
  const headerText = fc
    .oneof(
      fc.json(),
      fc.string(),
      fc.record({ call_count: fc.anything() }).map((value) => JSON.stringify(value)),
    )
    .map((text) => text.replace(/[^\x20-\x7e]/g, ''));

  it('of any form give a figure or nothing', () => {
    fc.assert(
      fc.property(headerText, headerText, (app, account) => {
        const headers = new Headers({ 'x-app-usage': app, 'x-business-use-case-usage': account });
        for (const { percent, refusedForMs: forMs } of readUsage(headers)) {
          expect(percent >= 0 && percent <= 1e6).toBe(true);
          expect(forMs === undefined || (forMs > 0 && Number.isFinite(forMs))).toBe(true);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
