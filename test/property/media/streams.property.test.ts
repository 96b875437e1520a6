import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { DtmfRecogniser } from '../../../src/media/dtmf-recogniser.js';
import { DtmfSender } from '../../../src/media/dtmf-sender.js';
import { FrameFifo } from '../../../src/media/frame-fifo.js';
import { MediaError } from '../../../src/media/media-error.js';
import { PlayoutSequencer } from '../../../src/media/playout-sequencer.js';
import { PortPool } from '../../../src/media/port-pool.js';
import { ReceiveStatistics } from '../../../src/media/receive-statistics.js';

/** Packets 0 to n-1, some lost, some delayed by up to `jitterMs`, some twice: [number, arrival in ms], by arrival. */
const arrivals = (count: number, jitterMs: number) =>
  fc
    .array(fc.record({ lost: fc.boolean(), delayMs: fc.integer({ min: 0, max: jitterMs }), twice: fc.boolean() }), {
      minLength: count,
      maxLength: count,
    })
    .map((fates) =>
      fates
        .flatMap(({ lost, delayMs, twice }, n) => {
          if (lost && n % 3 === 1) return [];
          const at = { n, atMs: n * 20 + delayMs };
          return twice ? [at, { n, atMs: at.atMs + 5 }] : [at];
        })
        .sort((a, b) => a.atMs - b.atMs),
    );

describe('playout sequencer', () => {
  it('plays each packet at most once and in order; played, covered and silent audio make up the time that passed', () => {
    fc.assert(
      fc.property(arrivals(60, 70), fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.boolean(), (packets, base, fill) => {
        const played: number[] = [];
        let ticks = 0;
        const sink = {
          play: (payload: Uint8Array) => {
            played.push(payload[0]!);
            ticks += 160;
            return 160;
          },
          conceal: (count: number) => (ticks += count),
          restart: () => undefined,
        };
        const sequencer = new PlayoutSequencer({ clockRate: 8000, holdMs: 40, fill }, sink, 0);
        let next = 0;
        for (let nowMs = 0; nowMs <= 1400; nowMs++) {
          for (; next < packets.length && packets[next]!.atMs <= nowMs; next++) {
            const { n } = packets[next]!;
            sequencer.accept(
              {
                sequence: (65_500 + n) & 0xffff,
                timestamp: (base + n * 160) >>> 0,
                marker: false,
                payload: Uint8Array.of(n),
              },
              nowMs,
            );
          }
          if (nowMs % 20 === 0) sequencer.tick(nowMs);
        }
        expect(played).toEqual([...new Set(played)].sort((a, b) => a - b));
        const arrived = new Set(packets.map(({ n }) => n)).size;
        expect(sequencer.stats.played).toBe(played.length);
        expect(played.length).toBeLessThanOrEqual(arrived);
        // Towards a PBX the stream is whole: what went out is the time that passed, less the lag of filling (60 ms at the start,
        // and at the end 60 ms behind a packet that itself was held 40 ms and late by 70), plus what the jitter hurried at most.
        if (!fill || sequencer.stats.restarts > 0) return;
        expect(ticks / 8).toBeGreaterThanOrEqual(1400 - 250);
        expect(ticks / 8).toBeLessThanOrEqual(1400 + 100);
      }),
      { numRuns: 300 },
    );
  });

  it('never throws or plays more than it was given, whatever numbers come', () => {
    const packet = fc.record({
      sequence: fc.integer({ min: 0, max: 65_535 }),
      timestamp: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      marker: fc.boolean(),
      payload: fc.uint8Array({ maxLength: 20 }),
      waitMs: fc.integer({ min: 0, max: 500 }),
    });
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 100 }), fc.boolean(), (packets, fill) => {
        let [played, concealed, nowMs] = [0, 0, 0];
        const sink = {
          play: (payload: Uint8Array) => (played++, payload.length),
          conceal: (ticks: number) => (concealed += ticks),
          restart: () => undefined,
        };
        const sequencer = new PlayoutSequencer({ clockRate: 8000, holdMs: 40, fill }, sink, 0);
        for (const { waitMs, ...rest } of packets) {
          nowMs += waitMs;
          sequencer.accept(rest, nowMs);
          sequencer.tick(nowMs);
        }
        expect(played).toBeLessThanOrEqual(packets.length);
        expect(concealed / 8).toBeLessThanOrEqual(packets.length * 100 + (fill ? nowMs + 200 : 0));
      }),
    );
  });
});

describe('frame FIFO', () => {
  it('puts out exactly what was put in, in frames', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.array(fc.array(fc.integer({ min: -32_768, max: 32_767 }), { maxLength: 300 })),
        (size, chunks) => {
          const out: number[] = [];
          const fifo = new FrameFifo(size, (frame) => out.push(...frame));
          for (const chunk of chunks) fifo.write(Int16Array.from(chunk), chunk.length);
          const all = chunks.flat();
          expect(out).toEqual(all.slice(0, Math.floor(all.length / size) * size));
          expect(fifo.pending).toBe(all.length % size);
        },
      ),
    );
  });
});

describe('DTMF', () => {
  it('digits arrive whole, once, in order and with their length over a path that loses, repeats and swaps', () => {
    const digits = fc.string({ unit: fc.constantFrom(...'0123456789*#ABCD'.split('')), minLength: 1, maxLength: 6 });
    const fate = fc.record({ lost: fc.boolean(), twice: fc.boolean(), delayMs: fc.integer({ min: 0, max: 15 }) });
    fc.assert(
      fc.property(
        digits,
        fc.integer({ min: 80, max: 400 }),
        fc.array(fate, { minLength: 200, maxLength: 200 }),
        (dialled, lengthMs, fates) => {
          const clock = new FakeClock();
          const heard: string[] = [];
          const lengths: number[] = [];
          const recogniser = new DtmfRecogniser({
            clock,
            clockRate: 8000,
            onDigit: (digit, durationMs) => {
              heard.push(digit);
              lengths.push(durationMs);
            },
          });
          let [timestamp, count] = [0xffff_f000, 0];
          const sender = new DtmfSender({
            clock,
            clockRate: () => 8000,
            wire: {
              begin: () => (timestamp = (timestamp + 4000) >>> 0),
              packet: (payload, marker) => {
                const { lost, twice, delayMs } = fates[count++ % fates.length]!;
                // Two of three end packets may be lost, and every other update.
                if (lost && count % 3 !== 0) return;
                const packet = { sequence: count, timestamp, marker, payload: Uint8Array.from(payload) };
                for (let i = 0; i < (twice ? 2 : 1); i++) clock.after(delayMs, () => recogniser.accept(packet));
              },
              finish: () => undefined,
            },
          });
          for (const digit of dialled) sender.play(digit, lengthMs);
          for (let ms = 0; ms < dialled.length * 700 + 1000; ms += 20) {
            clock.advance(20);
            recogniser.tick(clock.monotonicMs());
          }
          expect(heard.join('')).toBe(dialled);
          expect(lengths).toEqual(lengths.map(() => lengthMs));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('is not confused by junk', () => {
    const packet = fc.record({
      timestamp: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      payload: fc.uint8Array({ maxLength: 8 }),
    });
    fc.assert(
      fc.property(fc.array(packet), fc.constantFrom(8000, 48_000), (packets, clockRate) => {
        const clock = new FakeClock();
        let heard = 0;
        const recogniser = new DtmfRecogniser({
          clock,
          clockRate,
          onDigit: (digit, durationMs) => {
            heard++;
            expect('0123456789*#ABCD').toContain(digit);
            expect(durationMs).toBeLessThanOrEqual(8192);
          },
        });
        for (const { timestamp, payload } of packets) {
          recogniser.accept({ sequence: 0, timestamp, marker: false, payload });
          clock.advance(20);
          recogniser.tick(clock.monotonicMs());
        }
        expect(heard).toBeLessThanOrEqual(packets.length);
      }),
    );
  });
});

describe('receive statistics', () => {
  it('counts received and lost packets exactly, in whatever order they come within 100', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 65_535 }), arrivals(80, 300), (base, packets) => {
        const unique = packets.filter(({ n }, i) => packets.findIndex((other) => other.n === n) === i);
        // The first packet sets the base; what lies before it was never expected.
        const known = unique.filter(({ n }) => n >= unique[0]!.n);
        const statistics = new ReceiveStatistics(8000);
        for (const { n, atMs } of known) statistics.receive(1, (base + n) & 0xffff, n * 160, atMs, true);
        const highest = Math.max(...known.map(({ n }) => n));
        expect(statistics.packets).toBe(known.length);
        expect(statistics.lost).toBe(highest - unique[0]!.n + 1 - known.length);
        expect(statistics.jitterMs).toBeLessThanOrEqual(300);
      }),
    );
  });
});

describe('port pool', () => {
  it('never hands out a pair twice, nor within 5 s of its release, and loses none', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('take' as const), value: fc.double({ min: 0, max: 0.999, noNaN: true }) }),
      fc.record({ kind: fc.constant('give' as const), value: fc.double({ min: 0, max: 0.999, noNaN: true }) }),
      fc.record({ kind: fc.constant('wait' as const), value: fc.integer({ min: 0, max: 6000 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const clock = new FakeClock();
        let chance = 0;
        const pool = new PortPool({ range: [10_000, 10_011], clock, random: () => chance });
        const taken: number[] = [];
        const releasedAt = new Map<number, number>();
        for (const { kind, value } of steps) {
          if (kind === 'wait') clock.advance(value);
          else if (kind === 'give') {
            const [port] = taken.splice(Math.floor(value * taken.length), 1);
            if (port === undefined) continue;
            pool.release(port);
            releasedAt.set(port, clock.monotonicMs());
          } else {
            chance = value;
            const resting = [...releasedAt].filter(([, at]) => clock.monotonicMs() - at < 5000).length;
            if (taken.length + resting === 6) {
              expect(() => pool.acquire()).toThrow(MediaError);
              continue;
            }
            const port = pool.acquire();
            expect(taken).not.toContain(port);
            expect(clock.monotonicMs() - (releasedAt.get(port) ?? -5000)).toBeGreaterThanOrEqual(5000);
            releasedAt.delete(port);
            taken.push(port);
          }
        }
        expect(pool.taken).toBe(taken.length);
      }),
    );
  });
});
