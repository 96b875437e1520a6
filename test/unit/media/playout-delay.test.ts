import { describe, expect, it } from 'vitest';
import { JitterMeter } from '../../../src/media/jitter-meter.js';
import { CountedAudio, madeUp } from '../../support/counted-audio.js';
import { runsOf } from '../../support/runs.js';

const frameMs = 20;
/** A repeatable disorder. */
const lag = (i: number, mostMs: number): number => (Math.imul(i + 1, 2_654_435_761) >>> 8) % (mostMs + 1);
/** 2 s of sound and 0.4 s of pause by turns; frames of sound are told apart. */
const talk = (i: number): number => (i % 120 < 100 ? 1 + (i % 30_000) : 0);

function meterAfter(packets: number, lagMs: (i: number) => number, meter = new JitterMeter(8), from = 0): JitterMeter {
  for (let i = from; i < from + packets; i++) meter.accept((i * 160) >>> 0, i * frameMs + lagMs(i));
  return meter;
}

describe('measured jitter', () => {
  it('asks for no delay where packets come evenly, or nearly', () => {
    expect(meterAfter(500, () => 0).delayMs).toBe(0);
    expect(meterAfter(500, (i) => lag(i, 9)).delayMs).toBe(0);
  });

  it.each([
    [30, 30, 35],
    [60, 60, 65],
    [200, 80, 80],
  ])('asks for as much as packets lag: up to %i ms', (mostMs, from, to) => {
    const { delayMs } = meterAfter(1000, (i) => lag(i, mostMs));
    expect(delayMs).toBeGreaterThanOrEqual(from - 5);
    expect(delayMs).toBeLessThanOrEqual(to);
  });

  it('takes a single stall for no reason, and gives the delay up when the path is calm again', () => {
    expect(meterAfter(500, (i) => (i === 400 ? 90 : 0)).delayMs).toBe(0);
    const meter = meterAfter(500, (i) => lag(i, 60));
    expect(meter.delayMs).toBeGreaterThan(40);
    expect(meterAfter(2500, () => 0, meter, 500).delayMs).toBe(0);
  });

  it('does not count what held the packet up here', () => {
    const [held, half] = [new JitterMeter(8), new JitterMeter(8)];
    for (let i = 0; i < 500; i++) {
      const lagMs = i % 3 === 0 ? 30 : 0;
      held.accept((i * 160) >>> 0, i * frameMs + lagMs, lagMs);
      half.accept((i * 160) >>> 0, i * frameMs + lagMs, 2);
      if (i === 300) expect([held.lagMs, held.delayMs]).toEqual([30, 0]);
    }
    expect(held.delayMs).toBe(0);
    expect(half.delayMs).toBeGreaterThan(20);
  });

  it('soon gives up what the beginning of a call asked for', () => {
    const unsettled = (i: number): number => (i < 50 ? lag(i, 60) : 0);
    expect(meterAfter(50, unsettled).delayMs).toBeGreaterThan(40);
    expect(meterAfter(300, unsettled).delayMs).toBe(0);
  });

  it('takes neither a clock that differs nor a new timeline for jitter', () => {
    expect(meterAfter(20_000, (i) => i * frameMs * 200e-6).delayMs).toBe(0);
    const meter = meterAfter(200, () => 0);
    for (let i = 0; i < 200; i++) meter.accept((9_000_000 + i * 160) >>> 0, (200 + i) * frameMs + 7);
    expect([meter.delayMs, Math.round(meter.lagMs)]).toEqual([0, 0]);
  });
});

describe.each(['whatsapp', 'pbx'] as const)('jitter of 60 ms on the way, towards %s', (to) => {
  const audio = new CountedAudio(to);
  const arrivals = Array.from({ length: 2000 }, (_, i) => ({ i, atMs: 100 + i * frameMs + lag(i, 60) }));
  // One path does not reorder here: who is held up holds up who comes behind.
  arrivals.forEach((arrival, k) => (arrival.atMs = Math.max(arrival.atMs, arrivals[k - 1]?.atMs ?? 0)));
  for (const { i, atMs } of arrivals) audio.arrive(i, talk(i), atMs);
  audio.close();
  const late = audio.heard.filter(({ atMs }) => atMs > 10_000);

  it('is heard no more after the first seconds: sound comes whole, in steps of 20 ms', () => {
    const sound = late.filter(({ name }) => name > 0);
    const inOneSpurt = sound.slice(1).map((frame, i) => [sound[i]!, frame] as const);
    const steps = inOneSpurt.filter(([a, b]) => b.name === a.name + 1);
    const expected = late.length * (100 / 120);
    expect(sound.length).toBeGreaterThan(0.97 * expected);
    const even = steps.filter(([a, b]) => Math.abs(b.atMs - a.atMs - frameMs) <= 1).length;
    expect(even / steps.length).toBeGreaterThan(0.97);
    expect(late.filter(({ name }) => name === madeUp).length / late.length).toBeLessThan(0.03);
  });

  it('costs a delay of 60 to 100 ms', () => {
    const delays = late.flatMap(({ atMs, name }) => {
      const i = arrivals.find((arrival) => name > 0 && talk(arrival.i) === name)?.i;
      return i === undefined ? [] : [atMs - (100 + i * frameMs)];
    });
    delays.sort((a, b) => a - b);
    expect(delays[delays.length >> 1]).toBeGreaterThan(45);
    expect(delays.at(-1)).toBeLessThan(125);
  });
});

/** 10 minutes; an hour with `SIP2WA_RUNS=6`. */
const { runs: packets, timeoutMs } = runsOf(30_000, 60_000);

describe('a clock of the PBX that differs', () => {
  it.each([
    [200, 0],
    [-200, 0],
    [200, 40],
    [-200, 40],
  ])('%i ppm with %i ms of jitter is made up for in pauses alone', { timeout: timeoutMs }, (ppm, mostMs) => {
    const audio = new CountedAudio('whatsapp');
    let lastMs = 0;
    for (let i = 0; i < packets; i++) {
      lastMs = Math.max(lastMs, 100 + i * frameMs * (1 - ppm * 1e-6) + lag(i, mostMs));
      audio.arrive(i, talk(i), lastMs);
    }
    audio.close();
    const settled = audio.heard.filter(({ atMs }) => atMs > 20_000);
    const sound = settled.filter(({ name }) => name > 0);
    // Every frame of sound went out once, in order: names count up to the end of a spurt.
    const breaks = sound.slice(1).filter((frame, i) => frame.name !== sound[i]!.name + 1);
    expect(breaks.every(({ name }) => (name - 1) % 120 === 0)).toBe(true);
    // What the clocks differ by is all that pauses are longer or shorter by, but for the delay's own.
    const pausedFrames = settled.length - sound.length;
    const wrongFrames = settled.length * ppm * 1e-6;
    expect(Math.abs(pausedFrames - sound.length * (20 / 100) + wrongFrames)).toBeLessThan(25);
    expect(audio.dropped).toBe(0);
    const leads = audio.leads.slice(1000);
    expect(leads.reduce((a, b) => Math.min(a, b))).toBeGreaterThan(-16 - mostMs);
    expect(leads.reduce((a, b) => Math.max(a, b))).toBeLessThan(60);
  });
});
