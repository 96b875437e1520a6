import { beforeEach, describe, expect, it } from 'vitest';
import { FrameBacklog, maxJitterWaitMs, unbrokenMs } from '../../../src/media/frame-backlog.js';
import { loudnessOf, SilenceGate } from '../../../src/media/silence-gate.js';
import { speech } from '../../../src/sandbox/audio/programme.js';
import { toInt16 } from '../../../src/sandbox/audio/pcm.js';
import { loudPcm, softPcm } from '../../support/frames.js';

const frameMs = 20;
const silent = softPcm(0);

describe('backlog of frames', () => {
  let sent: { readonly name: number; readonly atMs: number }[];
  let blended: [number, number][];
  let nowMs: number;
  let backlog: FrameBacklog<Int16Array>;

  /** The name of a frame is its first sample; 0 is silence. */
  const named = (name: number): Int16Array => (name === 0 ? silent : loudPcm(name));

  beforeEach(() => {
    sent = [];
    blended = [];
    nowMs = 0;
    backlog = new FrameBacklog<Int16Array>({
      send: (frame) => sent.push({ name: frame[0]!, atMs: nowMs }),
      copy: (frame) => frame.slice(),
      loudness: loudnessOf,
      blend: (left, right) => blended.push([left[0]!, right[0]!]),
    });
  });

  /** One frame comes in and 20 ms pass. */
  const step = (name: number): void => {
    backlog.put(named(name), frameMs);
    nowMs += frameMs;
    backlog.tick(nowMs);
  };
  const names = (): number[] => sent.map(({ name }) => name);

  it('sends at once what comes while nothing waits', () => {
    backlog.put(named(1), frameMs);
    expect(sent).toEqual([{ name: 1, atMs: 0 }]);
    backlog.tick(100);
    expect([sent.length, backlog.delayMs, backlog.isBehind]).toEqual([1, 0, false]);
  });

  it('makes a pause no longer than may wait, however late the clock is after a stall', () => {
    let copies = 0;
    const stalled = new FrameBacklog<Int16Array>({
      send: () => undefined,
      copy: (frame) => {
        if (++copies > 1000) throw new Error('it never ends');
        return frame;
      },
      loudness: loudnessOf,
      blend: () => undefined,
    });
    stalled.arrived(60, 0, 0, 0);
    stalled.arrived(60, 0, 0, 2000);
    stalled.put(silent, frameMs);
    stalled.arrived(60, 0, 0, 5000);
    stalled.put(silent, frameMs);
    expect(stalled.delayMs).toBe(maxJitterWaitMs);
  });

  it('plays what waits in real time, and what comes meanwhile behind it', () => {
    backlog.fallBehind(nowMs);
    for (let name = 1; name <= 10; name++) backlog.put(named(name), frameMs);
    backlog.tick(nowMs);
    expect(names()).toEqual([1]);
    for (let name = 11; name <= 30; name++) step(name);
    expect(names()).toEqual(Array.from({ length: 21 }, (_, i) => i + 1));
    expect(sent.slice(1).map(({ atMs }) => atMs)).toEqual(Array.from({ length: 20 }, (_, i) => 20 * (i + 1)));
    expect(backlog.delayMs).toBe(180);
  });

  it('leaves a pause 40 ms behind a word and 40 ms before the next', () => {
    backlog.fallBehind(nowMs);
    const spoken = [1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 5, 6, 0, 0, 0, 7, 8, 9];
    for (const name of spoken) backlog.put(named(name), frameMs);
    for (let i = 0; i < 40; i++) backlog.tick((nowMs += frameMs));
    expect(names()).toEqual([1, 2, 3, 0, 0, 0, 0, 4, 5, 6, 0, 0, 0, 7, 8, 9]);
    expect(backlog.isBehind).toBe(false);
  });

  it('is back to no delay as soon as a pause as long as the delay has come to its turn', () => {
    backlog.fallBehind(nowMs);
    for (let name = 1; name <= 35; name++) backlog.put(named(name), frameMs);
    for (let name = 36; name <= 60; name++) step(name);
    expect(backlog.delayMs).toBeGreaterThan(600);
    for (let i = 0; i < 70; i++) step(0);
    expect([backlog.delayMs, backlog.isBehind]).toEqual([0, false]);
    const before = sent.length;
    backlog.put(named(61), frameMs);
    expect(sent.slice(before)).toEqual([{ name: 61, atMs: nowMs }]);
    expect(names().filter((name) => name > 0)).toEqual(Array.from({ length: 61 }, (_, i) => i + 1));
  });

  it('hands out the next frame for a place that would be empty, and counts it as played', () => {
    backlog.fallBehind(nowMs);
    for (let name = 1; name <= 6; name++) backlog.put(named(name), frameMs);
    backlog.tick(nowMs);
    expect(backlog.take(10)).toBeUndefined();
    expect(backlog.take(frameMs)?.[0]).toBe(2);
    backlog.tick((nowMs += frameMs));
    expect(names()).toEqual([1]);
    backlog.tick((nowMs += frameMs));
    expect(names()).toEqual([1, 3]);
  });

  it('makes up for a stall of the process, but not for a long one', () => {
    backlog.fallBehind(nowMs);
    for (let name = 1; name <= 100; name++) backlog.put(named(name), frameMs);
    backlog.tick((nowMs = 200));
    expect(sent).toHaveLength(11);
    backlog.tick((nowMs = 5000));
    expect(sent).toHaveLength(11 + 21);
  });

  it('shortens sound without a pause by one frame in a second, from 10 s on', () => {
    backlog.fallBehind(nowMs);
    for (let i = 0; i < 20; i++) backlog.put(named(1 + (i % 7)), frameMs);
    const delayAfter = (ms: number): number => {
      for (const endMs = nowMs + ms; nowMs < endMs;) step(1 + ((nowMs / 20) % 7));
      return backlog.delayMs;
    };
    expect(delayAfter(unbrokenMs - 100)).toBe(380);
    expect(delayAfter(5100)).toBe(380 - 6 * frameMs);
    expect(blended).toHaveLength(6);
    expect(delayAfter(20_000)).toBe(frameMs);
  });

  it('holds 6 s and no more', () => {
    backlog.fallBehind(nowMs);
    for (let i = 0; i < 1000; i++) backlog.put(named(1), frameMs);
    expect(backlog.delayMs).toBe(6000);
  });
});

describe('silence gate', () => {
  const isSilent = (gate: SilenceGate, dbfs: number): boolean => gate.isSilent(loudnessOf(softPcm(dbfs)));

  it('hears a plosive of 5 ms in a silent frame', () => {
    const frame = new Int16Array(160);
    frame.set(loudPcm(1000).subarray(0, 40), 60);
    expect(new SilenceGate().isSilent(loudnessOf(frame))).toBe(false);
  });

  it('takes the noise of a line for silence once it has heard it for a while, and speech never', () => {
    const gate = new SilenceGate();
    const noisy = Array.from({ length: 200 }, () => isSilent(gate, -48));
    expect([noisy[0], noisy.at(-1)]).toEqual([false, true]);
    for (let i = 0; i < 2000; i++) expect(isSilent(gate, -30)).toBe(false);
  });

  it('finds the pauses of a spoken sentence and nothing of its words', () => {
    const samples = toInt16(speech(8000).samples);
    const gate = new SilenceGate();
    const frames = Array.from({ length: Math.floor(samples.length / 160) }, (_, i) =>
      samples.subarray(i * 160, (i + 1) * 160),
    );
    const energy = (pcm: Int16Array): number => pcm.reduce((sum, value) => sum + value * value, 0);
    const quiet = frames.filter((frame) => gate.isSilent(loudnessOf(frame)));
    const share = quiet.reduce((sum, frame) => sum + energy(frame), 0) / energy(samples);
    expect(quiet.length / frames.length).toBeGreaterThan(0.05);
    expect(share).toBeLessThan(1e-4);
  });
});
