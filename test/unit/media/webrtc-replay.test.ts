import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReplayFilter } from '../../../src/media/webrtc-replay.js';

describe('one stream', () => {
  it('takes each packet once', () => {
    const filter = new ReplayFilter();
    expect([10, 11, 11, 10, 12, 12].map((sequence) => filter.accepts(1, sequence))).toEqual([
      ...[true, true, false, false, true, false],
    ]);
    expect(filter.refused).toBe(3);
  });

  it('takes late packets inside the window, not behind it', () => {
    const filter = new ReplayFilter();
    filter.accepts(1, 1000);
    expect(filter.accepts(1, 1000 - 127)).toBe(true);
    expect(filter.accepts(1, 1000 - 127)).toBe(false);
    expect(filter.accepts(1, 1000 - 128)).toBe(false);
  });

  it('goes on over the wrap, also with a gap of 5000', () => {
    const filter = new ReplayFilter();
    expect([65_534, 65_535, 0, 65_535, 1].map((sequence) => filter.accepts(1, sequence))).toEqual([
      ...[true, true, true, false, true],
    ]);
    expect(filter.accepts(1, 5001)).toBe(true);
    expect(filter.accepts(1, 65_535)).toBe(false);
  });

  it('of any order delivers no packet twice and loses none that is less than a window late', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 65_535 }),
        fc.array(fc.integer({ min: -150, max: 40 }), { maxLength: 400 }),
        (first, steps) => {
          const filter = new ReplayFilter();
          const seen = new Set<number>();
          let highest = 65_536 + first;
          for (const step of [0, ...steps]) {
            const extended = highest + step;
            const expected = extended > highest - 128 && !seen.has(extended);
            expect(filter.accepts(7, extended & 0xffff)).toBe(expected);
            if (expected) seen.add(extended);
            highest = Math.max(highest, extended);
          }
        },
      ),
    );
  });
});

describe('several streams', () => {
  it('have windows of their own', () => {
    const filter = new ReplayFilter();
    expect([filter.accepts(1, 5), filter.accepts(2, 5), filter.accepts(1, 5), filter.accepts(2, 5)]).toEqual([
      ...[true, true, false, false],
    ]);
  });

  it('are followed eight at a time: a ninth takes the place of the one that was silent longest', () => {
    const filter = new ReplayFilter();
    for (let ssrc = 0; ssrc < 8; ssrc++) expect(filter.accepts(ssrc, 1)).toBe(true);
    expect(filter.accepts(0, 2)).toBe(true);
    // A replay is no sign of life.
    expect(filter.accepts(1, 1)).toBe(false);
    expect(filter.accepts(8, 1)).toBe(true);
    expect([0, 2, 3, 4, 5, 6, 7, 8].map((ssrc) => filter.accepts(ssrc, 1))).toEqual(Array<boolean>(8).fill(false));
    expect(filter.accepts(1, 1)).toBe(true);
  });

  it('may change as often as the peer likes', () => {
    const filter = new ReplayFilter();
    for (let ssrc = 0; ssrc < 100; ssrc++) {
      expect([filter.accepts(ssrc, 7), filter.accepts(ssrc, 7), filter.accepts(ssrc, 8)]).toEqual([true, false, true]);
    }
  });
});
