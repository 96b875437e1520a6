import { describe, expect, it } from 'vitest';
import { ReplayWindow } from '../../../../src/media/srtp/replay-window.js';

const windowSize = 128;

/** What has to come out, told by all that was accepted. */
class Everything {
  readonly #seen = new Set<number>();
  #highest = -1;

  isNew(index: number): boolean {
    return index > this.#highest - windowSize && !this.#seen.has(index);
  }

  accept(index: number): void {
    this.#seen.add(index);
    this.#highest = Math.max(this.#highest, index);
  }
}

/** A repeatable disorder. */
function* indexes(first: number, count: number, farthest: number): Generator<number> {
  let at = first;
  let state = 1;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    const step = (state >>> 8) % farthest;
    // Mostly on, now and then back.
    at = Math.max(0, at + (state % 4 === 0 ? -step : step));
    yield at;
  }
}

describe('a replay window', () => {
  it.each([
    ['from the beginning on', 0, 3],
    ['in great disorder', 40_000, 60],
    ['in leaps over the whole window', 7, 400],
    ['around the 32nd bit of the index', 2 ** 32 - 2000, 40],
    ['near the last index', 2 ** 48 - 200_000, 30],
  ])('takes each index once and none that is too old, %s', (_how, first, farthest) => {
    const [window, everything] = [new ReplayWindow(), new Everything()];
    let refused = 0;
    for (const index of indexes(first, 3000, farthest)) {
      const isNew = window.isNew(index);
      expect([index, isNew]).toEqual([index, everything.isNew(index)]);
      if (!isNew) {
        refused++;
        continue;
      }
      window.accept(index);
      everything.accept(index);
    }
    expect(refused).toBeGreaterThan(100);
  });

  it('knows its oldest index and no older one', () => {
    const window = new ReplayWindow();
    window.accept(1000);
    expect([window.highest, window.isNew(1000 - windowSize + 1), window.isNew(1000 - windowSize)]).toEqual([
      1000,
      true,
      false,
    ]);
  });
});
