import { describe, expect, it } from 'vitest';
import { RecentPackets } from '../../../src/media/recent-packets.js';

/** Packets named by their times, 20 ms apart. */
function heard(recent: RecentPackets<number>, fromMs: number, toMs: number): void {
  for (let atMs = fromMs; atMs < toMs; atMs += 20) recent.add(atMs, atMs);
}

describe('packets around the answer', () => {
  it('are all kept when the stream began shortly before the answer', () => {
    const recent = new RecentPackets<number>(300);
    heard(recent, 1000, 1120);
    recent.answered(1110);
    heard(recent, 1120, 1200);
    expect(recent.take(1200)).toEqual([1000, 1020, 1040, 1060, 1080, 1100, 1120, 1140, 1160, 1180]);
  });

  it('are kept from 60 ms before the answer when the stream is older: ringback', () => {
    const recent = new RecentPackets<number>(300);
    heard(recent, 0, 1000);
    recent.answered(1000);
    heard(recent, 1000, 1060);
    expect(recent.take(1060)).toEqual([940, 960, 980, 1000, 1020, 1040]);
  });

  it('are no more than three from before the answer when a stall made many come at once', () => {
    const recent = new RecentPackets<number>(300);
    heard(recent, 0, 800);
    for (let i = 0; i < 10; i++) recent.add(800 + i * 20, 999);
    recent.answered(1000);
    expect(recent.take(1001)).toEqual([940, 960, 980]);
  });

  it('are not lost however long the news of the answer takes', () => {
    const recent = new RecentPackets<number>(300);
    heard(recent, 1000, 1100);
    recent.answered(1100);
    heard(recent, 1100, 2000);
    expect(recent.take(2000)).toHaveLength(50);
  });

  it('take the moment they are asked for as the answer when nobody named it', () => {
    const recent = new RecentPackets<number>(1000);
    heard(recent, 0, 500);
    expect(recent.take(500)).toHaveLength(25);
    const old = new RecentPackets<number>(1000);
    heard(old, 0, 5000);
    expect(old.take(5000)).toEqual([4940, 4960, 4980]);
  });

  it('are bounded, and gone once taken', () => {
    const recent = new RecentPackets<number>(300);
    recent.answered(0);
    for (let i = 0; i < 1000; i++) recent.add(i, i / 100);
    expect(recent.take(10)).toHaveLength(128);
    expect(recent.take(10)).toEqual([]);
  });
});
