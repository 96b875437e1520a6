import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameBacklog, keptPauseMs } from '../../../src/media/frame-backlog.js';
import { loudnessOf } from '../../../src/media/silence-gate.js';
import { loudPcm, softPcm } from '../../support/frames.js';

const frameMs = 20;
const samples = 8;
const silent = softPcm(0, samples);

/** Speech and pauses by turns, in frames; under 10 s of speech in all. */
const talk = fc.array(fc.tuple(fc.integer({ min: 1, max: 75 }), fc.integer({ min: 1, max: 60 })), {
  minLength: 1,
  maxLength: 6,
});

/** Names of the frames, counted up from 1; 0 is silence. */
function frames(turns: readonly (readonly [number, number])[]): number[] {
  let name = 0;
  return turns.flatMap(([loud, quiet]) => [
    ...Array.from({ length: loud }, () => ++name),
    ...Array<number>(quiet).fill(0),
  ]);
}

interface Played {
  readonly names: number[];
  readonly delays: number[];
  readonly backlog: FrameBacklog<Int16Array>;
}

/** Plays what was kept and what comes live behind it, on ticks that are late by up to `lateMs`. */
function play(all: readonly number[], kept: number, lateMs: readonly number[]): Played {
  const names: number[] = [];
  const backlog = new FrameBacklog<Int16Array>({
    send: (frame) => names.push(frame[0]!),
    copy: (frame) => frame.slice(),
    loudness: loudnessOf,
    blend: () => undefined,
  });
  const put = (name: number): void => backlog.put(name === 0 ? silent : loudPcm(name, samples), frameMs);
  const delays: number[] = [];
  backlog.fallBehind(0);
  all.slice(0, kept).forEach(put);
  backlog.tick(0);
  all.slice(kept).forEach((name, i) => {
    put(name);
    backlog.tick((i + 1) * frameMs + (lateMs[i % lateMs.length] ?? 0));
    delays.push(backlog.delayMs);
  });
  return { names, delays, backlog };
}

describe('a backlog that is caught up with', () => {
  const property = (check: (played: Played, all: readonly number[], kept: number) => void) =>
    fc.assert(
      fc.property(talk, fc.nat(120), fc.array(fc.nat(15), { minLength: 1, maxLength: 20 }), (turns, count, lateMs) => {
        const all = frames(turns);
        const kept = Math.min(count, all.length);
        check(play(all, kept, lateMs), all, kept);
      }),
      { numRuns: 200 },
    );

  it('plays every frame of speech once and in order, as far as it got', () => {
    property(({ names }) => {
      const spoken = names.filter((name) => name > 0);
      expect(spoken).toEqual(spoken.map((_, i) => i + 1));
    });
  });

  it('has no more delay than at its beginning, nor ever gains any by more than a frame', () => {
    property(({ delays }, _all, kept) => {
      let least = kept * frameMs;
      for (const delayMs of delays) {
        expect(delayMs).toBeLessThanOrEqual(least + frameMs);
        least = Math.min(least, delayMs);
      }
    });
  });

  it('has no delay left once there was as much silence as it had, and then sends at once', () => {
    property((_played, all, kept) => {
      const more = [...all, ...Array<number>(kept + 10).fill(0), 30_000];
      const { names, delays, backlog } = play(more, kept, [0]);
      expect([delays.at(-1), backlog.isBehind]).toEqual([0, false]);
      expect(names.at(-1)).toBe(30_000);
    });
  });

  it('leaves of each pause what it had, or 40 ms at either end', () => {
    property(({ names }, all) => {
      const pauses = (of: readonly number[]): Map<number, number> => {
        const lengths = new Map<number, number>();
        let word = 0;
        for (const name of of) {
          if (name > 0) word = name;
          else lengths.set(word, (lengths.get(word) ?? 0) + frameMs);
        }
        return lengths;
      };
      const [before, after] = [pauses(all), pauses(names)];
      const last = Math.max(0, ...names);
      for (const [word, ms] of before) {
        if (word >= last) continue;
        expect(after.get(word) ?? 0).toBeLessThanOrEqual(ms);
        expect(after.get(word) ?? 0).toBeGreaterThanOrEqual(Math.min(ms, keptPauseMs));
      }
    });
  });
});
