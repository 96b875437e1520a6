import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CountedAudio, type Heard } from '../../support/counted-audio.js';
import { runsOf } from '../../support/runs.js';

const frameMs = 20;
/** 200 ms may wait because of jitter, a beat may be 100 ms ahead, and a packet may wait for an earlier one meanwhile. */
const longestStayMs = 300;
const { runs, timeoutMs } = runsOf(60, 60_000);

const network = fc.record({
  /** How much later than its time each packet comes; `null`: never. */
  delays: fc.array(
    fc.oneof(
      { weight: 12, arbitrary: fc.nat(30) },
      { weight: 4, arbitrary: fc.nat(150) },
      { weight: 1, arbitrary: fc.nat(600) },
      { weight: 2, arbitrary: fc.constant(null) },
    ),
    { minLength: 60, maxLength: 300 },
  ),
  repeated: fc.nat(10),
  spurtFrames: fc.integer({ min: 3, max: 80 }),
  pauseFrames: fc.nat(30),
});

type Network = typeof network extends fc.Arbitrary<infer T> ? T : never;

interface Run {
  readonly heard: readonly Heard[];
  readonly arrivedAtMs: ReadonlyMap<number, number>;
}

function run(to: 'whatsapp' | 'pbx', { delays, repeated, spurtFrames, pauseFrames }: Network): Run {
  const audio = new CountedAudio(to);
  const arrivals = delays
    .flatMap((delay, i) => {
      if (delay === null) return [];
      const isLoud = i % (spurtFrames + pauseFrames) < spurtFrames;
      const arrival = { number: i, name: isLoud ? i + 1 : 0, atMs: 100 + i * frameMs + delay };
      return repeated > 0 && i % (repeated + 5) === 0 ? [arrival, { ...arrival, atMs: arrival.atMs + 7 }] : [arrival];
    })
    .sort((a, b) => a.atMs - b.atMs);
  const arrivedAtMs = new Map<number, number>();
  for (const { number, name, atMs } of arrivals) {
    if (!arrivedAtMs.has(name)) arrivedAtMs.set(name, atMs);
    audio.arrive(number, name, atMs);
  }
  audio.clock.advance(1000);
  audio.close();
  return { heard: audio.heard.filter(({ name }) => name > 0), arrivedAtMs };
}

describe.each(['whatsapp', 'pbx'] as const)('any network, towards %s', (to) => {
  const property = (check: (run: Run) => void): void =>
    fc.assert(
      fc.property(network, (scene) => check(run(to, scene))),
      { numRuns: runs },
    );

  it('no packet is played twice, and none before an earlier one', { timeout: timeoutMs }, () => {
    property(({ heard }) => {
      for (let i = 1; i < heard.length; i++) expect(heard[i]!.name).toBeGreaterThan(heard[i - 1]!.name);
    });
  });

  it('none is played before it came, and none waits longer than the cap', { timeout: timeoutMs }, () => {
    property(({ heard, arrivedAtMs }) => {
      for (const { name, atMs } of heard) {
        const stayMs = atMs - arrivedAtMs.get(name)!;
        expect(stayMs).toBeGreaterThanOrEqual(0);
        expect(stayMs).toBeLessThanOrEqual(longestStayMs);
      }
    });
  });
});
