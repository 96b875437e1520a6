import { describe, expect, it } from 'vitest';
import { FrameFifo } from '../../../src/media/frame-fifo.js';

describe('frame FIFO', () => {
  it('cuts 30 ms packets into 20 ms frames and loses nothing', () => {
    const frames: number[][] = [];
    const fifo = new FrameFifo(2, (frame) => frames.push([...frame]));
    fifo.write(Int16Array.of(1, 2, 3), 3);
    expect(fifo.pending).toBe(1);
    fifo.write(Int16Array.of(4, 5, 6, 99), 3);
    expect(frames).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect(fifo.pending).toBe(0);
  });

  it('forgets an unfinished frame', () => {
    const frames: number[][] = [];
    const fifo = new FrameFifo(2, (frame) => frames.push([...frame]));
    fifo.write(Int16Array.of(1), 1);
    fifo.clear();
    fifo.write(Int16Array.of(7, 8), 2);
    expect(frames).toEqual([[7, 8]]);
  });
});
