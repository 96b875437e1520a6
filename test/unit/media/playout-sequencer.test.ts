import { describe, expect, it } from 'vitest';
import { PlayoutSequencer, type PlayoutSink } from '../../../src/media/playout-sequencer.js';

/** 20 ms packets at 8 kHz, each with its number as payload; what is played is a line of text. */
class Scene implements PlayoutSink {
  readonly log: string[] = [];
  readonly sequencer: PlayoutSequencer;
  nowMs = 0;

  constructor(options: { fill?: boolean; holdMs?: number } = {}) {
    const { fill = false, holdMs = 40 } = options;
    this.sequencer = new PlayoutSequencer({ clockRate: 8000, holdMs, fill }, this, 0);
  }

  play(payload: Uint8Array): number {
    this.log.push(String(payload[0]));
    return 160;
  }

  conceal(ticks: number, next: Uint8Array | undefined): void {
    this.log.push(next ? `gap ${ticks / 8} before ${next[0]}` : `gap ${ticks / 8}`);
  }

  restart(): void {
    this.log.push('restart');
  }

  /** Packet `n` of a steady stream that begins at 0. */
  packet(n: number, options: { timestamp?: number; sequence?: number; marker?: boolean } = {}): void {
    const { timestamp = n * 160, sequence = n, marker = false } = options;
    const payload = Uint8Array.of(n);
    this.sequencer.accept({ sequence: sequence & 0xffff, timestamp: timestamp >>> 0, marker, payload }, this.nowMs);
    payload[0] = 255;
  }

  /** Time passes in ticks of 20 ms. */
  pass(ms: number): void {
    for (const end = this.nowMs + ms; this.nowMs < end;) {
      this.nowMs += 20;
      this.sequencer.tick(this.nowMs);
    }
  }
}

describe('playout sequencer', () => {
  it('plays packets in order as they arrive', () => {
    const scene = new Scene();
    for (const n of [0, 1, 2, 3]) scene.packet(n);
    expect(scene.log).toEqual(['0', '1', '2', '3']);
  });

  it('puts two swapped packets in order without a gap', () => {
    const scene = new Scene();
    for (const n of [0, 2, 1, 3]) scene.packet(n);
    expect(scene.log).toEqual(['0', '1', '2', '3']);
  });

  it('covers a lost packet once the one two places on is there, with the copy in the next', () => {
    const scene = new Scene();
    for (const n of [0, 2, 3]) scene.packet(n);
    expect(scene.log).toEqual(['0']);
    scene.packet(4);
    expect(scene.log).toEqual(['0', 'gap 20 before 2', '2', '3', '4']);
    expect(scene.sequencer.stats).toMatchObject({ played: 4, concealedMs: 20 });
  });

  it('waits 40 ms at most when nothing more comes', () => {
    const scene = new Scene();
    scene.packet(0);
    scene.packet(2);
    scene.pass(20);
    expect(scene.log).toEqual(['0']);
    scene.pass(20);
    expect(scene.log).toEqual(['0', 'gap 20 before 2', '2']);
  });

  it('never waits with a hold of 0', () => {
    const scene = new Scene({ holdMs: 0 });
    for (const n of [0, 2, 1, 3]) scene.packet(n);
    expect(scene.log).toEqual(['0', 'gap 20 before 2', '2', '3']);
    expect(scene.sequencer.stats.late).toBe(1);
  });

  it('plays duplicates once, held ones too', () => {
    const scene = new Scene();
    for (const n of [0, 0, 2, 2, 1, 1, 3]) scene.packet(n);
    expect(scene.log).toEqual(['0', '1', '2', '3']);
  });

  it('follows sequence and timestamp across their wrap', () => {
    const scene = new Scene();
    for (const n of [0, 1, 2, 3]) scene.packet(n, { timestamp: 0xffff_ff00 + n * 160, sequence: 0xfffe + n });
    expect(scene.log).toEqual(['0', '1', '2', '3']);
  });

  it('begins anew behind a gap that is too long to cover', () => {
    const scene = new Scene();
    scene.packet(0);
    scene.packet(20, { sequence: 1 });
    expect(scene.log).toEqual(['0', 'restart', '20']);
  });

  it('follows a timestamp that jumps, either way', () => {
    const scene = new Scene();
    for (const n of [0, 1]) scene.packet(n);
    for (const n of [2, 3]) scene.packet(n, { timestamp: 4_000_000 + n * 160 });
    for (const n of [4, 5]) scene.packet(n, { timestamp: n * 160 });
    expect(scene.log).toEqual(['0', '1', 'restart', '2', '3', 'restart', '4', '5']);
  });

  it('takes a pause that the sender marked for silence, not for loss', () => {
    const scene = new Scene();
    scene.packet(0);
    scene.packet(3, { marker: true });
    expect(scene.log).toEqual(['0', 'gap 40 before 3', '3']);
    scene.packet(6, { sequence: 4 });
    expect(scene.log.slice(3)).toEqual(['gap 40', '6']);
  });

  it('drops what comes after its place is filled, and gives in when the path has become slower', () => {
    const scene = new Scene({ fill: true });
    scene.packet(0);
    scene.pass(200);
    // Filled up to 160 ms: packets 1 to 8 have lost their place, however many come at once.
    for (const n of [1, 2, 3, 4, 5, 6, 7, 8]) scene.packet(n);
    expect(scene.log).toEqual(['0', ...Array<string>(8).fill('gap 20')]);
    scene.packet(9);
    expect(scene.log.at(-1)).toBe('9');
    scene.pass(200);
    const filled = scene.log.length;
    // From here on every packet is 200 ms late; 80 ms of that are enough.
    for (const n of [10, 11, 12, 13]) {
      scene.packet(n);
      scene.nowMs += 20;
    }
    expect(scene.log).toHaveLength(filled);
    scene.packet(14);
    scene.packet(15);
    expect(scene.log.slice(filled)).toEqual(['restart', '14', '15']);
  });

  it('fills silence two frames behind real time, from the first moment on', () => {
    const scene = new Scene({ fill: true });
    scene.pass(100);
    expect(scene.log).toEqual(['gap 20', 'gap 20', 'gap 20']);
    scene.packet(0);
    scene.pass(40);
    expect(scene.log.slice(3)).toEqual(['0']);
    scene.pass(60);
    expect(scene.log.slice(4)).toEqual(['gap 20', 'gap 20', 'gap 20']);
  });

  it.each([20, 40, 60, 120])('drops nothing of a stream of %i ms packets with 10 ms of jitter', (lengthMs) => {
    for (let phaseMs = 0; phaseMs < 20; phaseMs++) {
      const sink = { play: () => lengthMs * 48, conceal: () => undefined, restart: () => undefined };
      const sequencer = new PlayoutSequencer({ clockRate: 48_000, holdMs: 40, fill: true }, sink, 0);
      // The worst case of jitter: every other packet is 10 ms late.
      const arrivals = Array.from({ length: 50 }, (_, n) => n * lengthMs + (n % 2) * 10);
      let next = 0;
      for (let nowMs = 0; next < arrivals.length; nowMs++) {
        if (nowMs % 20 === phaseMs) sequencer.tick(nowMs);
        if (arrivals[next] !== nowMs) continue;
        const timestamp = next * lengthMs * 48;
        sequencer.accept({ sequence: next++, timestamp, marker: false, payload: Uint8Array.of(1) }, nowMs);
      }
      expect(sequencer.stats).toEqual({ played: 50, concealedMs: 0, late: 0, restarts: 0 });
    }
  });

  it('fills the pause behind a long packet 40 ms after its end', () => {
    const log: string[] = [];
    const sink = {
      play: () => (log.push('play'), 480),
      conceal: (ticks: number) => log.push(`gap ${ticks / 8}`),
      restart: () => undefined,
    };
    const sequencer = new PlayoutSequencer({ clockRate: 8000, holdMs: 40, fill: true }, sink, 0);
    sequencer.accept({ sequence: 0, timestamp: 0, marker: false, payload: Uint8Array.of(1) }, 0);
    sequencer.tick(99);
    expect(log).toEqual(['play']);
    sequencer.tick(100);
    expect(log).toEqual(['play', 'gap 20']);
  });

  it('joins up exactly when packets come back after a lost stretch', () => {
    const scene = new Scene({ fill: true });
    scene.packet(0);
    scene.pass(120);
    scene.packet(6);
    expect(scene.log).toEqual(['0', 'gap 20', 'gap 20', 'gap 20', 'gap 20', 'gap 20 before 6', '6']);
  });

  it('fills no more than 10 frames after a stall of the process', () => {
    const scene = new Scene({ fill: true });
    scene.packet(0);
    scene.nowMs = 5000;
    scene.sequencer.tick(scene.nowMs);
    expect(scene.log.filter((line) => line === 'gap 20')).toHaveLength(10);
  });

  it('goes on with the next packet when one is unusable', () => {
    const log: number[] = [];
    const sink = {
      play: (p: Uint8Array) => (log.push(p[0]!), p[0] === 1 ? 0 : 160),
      conceal: () => log.push(-1),
      restart: () => undefined,
    };
    const sequencer = new PlayoutSequencer({ clockRate: 8000, holdMs: 40, fill: false }, sink, 0);
    for (const n of [0, 1, 2, 3]) {
      sequencer.accept({ sequence: n, timestamp: n * 160, marker: false, payload: Uint8Array.of(n) }, n * 20);
    }
    expect(log).toEqual([0, 1, -1, 2, 3]);
  });
});
