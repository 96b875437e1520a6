import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { dtmfCode, dtmfDigit, parseDtmfEvent } from '../../../src/media/dtmf-event.js';
import { DtmfRecogniser } from '../../../src/media/dtmf-recogniser.js';
import { DtmfSender } from '../../../src/media/dtmf-sender.js';

const digits = '0123456789*#ABCD';

describe('DTMF events', () => {
  it('maps digits to RFC 4733 codes and back, and nothing else', () => {
    expect(digits.split('').map(dtmfCode)).toEqual(Array.from({ length: 16 }, (_, code) => code));
    expect(Array.from({ length: 16 }, (_, code) => dtmfDigit(code)).join('')).toBe(digits);
    expect(['', 'E', '12', ' ', 'é'].map(dtmfCode)).toEqual(Array(5).fill(undefined));
    expect([dtmfCode('d'), dtmfDigit(16), dtmfDigit(-1)]).toEqual([15, undefined, undefined]);
  });

  it('reads nothing from a cut-off payload', () => {
    expect(parseDtmfEvent(Uint8Array.of(1, 2, 3))).toBeUndefined();
    expect(parseDtmfEvent(Uint8Array.of(5, 0x8a, 0x01, 0x02))).toEqual({ code: 5, end: true, duration: 258 });
  });
});

class SenderScene {
  readonly clock = new FakeClock();
  readonly log: string[] = [];
  /** Packets that the network refuses, counted from 1. */
  readonly failAt = new Set<number>();
  #packets = 0;
  clockRate = 8000;
  readonly sender = new DtmfSender({
    clock: this.clock,
    clockRate: () => this.clockRate,
    wire: {
      begin: () => this.log.push(`begin @${this.clock.monotonicMs()}`),
      packet: (payload, marker, offset) => {
        if (this.failAt.has(++this.#packets)) throw new Error('cannot be sent');
        const event = parseDtmfEvent(payload)!;
        const segment = offset > 0 ? ` @+${offset}` : '';
        this.log.push(`${event.code}${marker ? ' marker' : ''}${event.end ? ' end' : ''} ${event.duration}${segment}`);
      },
      finish: (durationMs) => this.log.push(`finish ${durationMs}`),
    },
  });
}

describe('DTMF sender', () => {
  it('sends start with marker, updates of 20 ms and three end packets', () => {
    const { sender, clock, log } = new SenderScene();
    expect(sender.play('5', 100)).toBe(true);
    clock.advance(1000);
    expect(log).toEqual([
      'begin @0',
      ...['5 marker 160', '5 320', '5 480', '5 640', '5 800', '5 end 800', '5 end 800', '5 end 800'],
      'finish 100',
    ]);
    expect([sender.active, clock.armed]).toEqual([false, 0]);
  });

  it('plays digits one after the other, with a pause', () => {
    const { sender, clock, log } = new SenderScene();
    for (const digit of '1#') sender.play(digit, 80);
    expect(sender.active).toBe(true);
    clock.advance(500);
    expect(log.filter((line) => line.startsWith('begin'))).toEqual(['begin @0', 'begin @160']);
    expect(log.filter((line) => line.includes('end'))).toEqual([
      ...Array<string>(3).fill('1 end 640'),
      ...Array<string>(3).fill('11 end 640'),
    ]);
  });

  it('keeps the length between 80 ms and 5 s, whatever is asked', () => {
    for (const [asked, ticks] of [
      [0, 640],
      [-5, 640],
      [NaN, 640],
      [90, 720],
      [60_000, 40_000],
    ] as const) {
      const { sender, clock, log } = new SenderScene();
      sender.play('0', asked);
      clock.advance(6000);
      expect(log.at(-2)).toBe(`0 end ${ticks}`);
    }
  });

  it('goes on in another segment where the duration does not hold a long key, and is understood', () => {
    const scene = new SenderScene();
    scene.clockRate = 48_000;
    scene.sender.play('9', 3000);
    scene.clock.advance(4000);
    expect(scene.log.filter((line) => line.startsWith('9 65535'))).toEqual(['9 65535', '9 65535 @+65535']);
    expect(scene.log.slice(-4)).toEqual([...Array<string>(3).fill('9 end 12930 @+131070'), 'finish 3000']);
    const listener = new RecogniserScene(48_000);
    for (const line of scene.log.slice(1, -1)) {
      const [, end, duration, offset] = /^9(?: marker)?( end)? (\d+)(?: @\+(\d+))?$/.exec(line)!;
      listener.pass(20);
      listener.packet(7000 + Number(offset ?? 0), 9, Number(duration), end !== undefined);
    }
    expect(listener.heard).toEqual(['9 3000']);
  });

  it('refuses what is no digit, and a flood', () => {
    const { sender } = new SenderScene();
    expect([sender.play('x', 100), sender.play('', 100), sender.play('12', 100)]).toEqual([false, false, false]);
    const accepted = Array.from({ length: 100 }, () => sender.play('1', 100)).filter(Boolean);
    // One plays, and 3 s of others wait, pauses counted.
    expect([accepted.length, sender.dropped]).toEqual([19, 81]);
  });

  it.each([1, 3, 8])('gives a digit up whose packet %i cannot be sent, and plays the next', (broken) => {
    const { sender, clock, log, failAt } = new SenderScene();
    failAt.add(broken);
    const play = (): void => {
      sender.play('5', 100);
      clock.advance(150);
    };
    expect(play).toThrow('cannot be sent');
    expect(sender.active).toBe(false);
    log.length = 0;
    sender.play('6', 100);
    clock.advance(1000);
    expect(log.slice(1, 2)).toEqual(['6 marker 160']);
    expect([log.at(-1), sender.active, clock.armed]).toEqual(['finish 100', false, 0]);
  });

  it('stops at once when closed', () => {
    const { sender, clock, log } = new SenderScene();
    sender.play('1', 100);
    sender.play('2', 100);
    sender.close();
    const before = log.length;
    clock.advance(1000);
    expect([log.length, clock.armed, sender.active, sender.play('3', 100)]).toEqual([before, 0, false, false]);
  });
});

class RecogniserScene {
  readonly clock = new FakeClock();
  readonly heard: string[] = [];
  readonly recogniser: DtmfRecogniser;

  constructor(clockRate = 8000) {
    this.recogniser = new DtmfRecogniser({
      clock: this.clock,
      clockRate,
      onDigit: (digit, durationMs) => this.heard.push(`${digit} ${durationMs}`),
    });
  }

  packet(timestamp: number, code: number, duration: number, end = false, marker = false): void {
    const payload = Uint8Array.of(code, end ? 0x8a : 0x0a, duration >> 8, duration & 0xff);
    this.recogniser.accept({ sequence: 0, timestamp, marker, payload });
  }

  pass(ms: number): void {
    this.clock.advance(ms);
    this.recogniser.tick(this.clock.monotonicMs());
  }
}

describe('DTMF recogniser', () => {
  it('reports a digit once, when it is released', () => {
    const scene = new RecogniserScene();
    for (const duration of [160, 320, 480]) {
      scene.packet(1000, 5, duration);
      expect([scene.recogniser.active, scene.heard.length]).toEqual([true, 0]);
      scene.pass(20);
    }
    for (let i = 0; i < 3; i++) scene.packet(1000, 5, 640, true);
    expect(scene.heard).toEqual(['5 80']);
    expect(scene.recogniser.active).toBe(false);
  });

  it('hears the same digit twice when it is pressed twice', () => {
    const scene = new RecogniserScene();
    for (const timestamp of [1000, 3000]) {
      scene.packet(timestamp, 7, 160);
      scene.pass(80);
      scene.packet(timestamp, 7, 800, true);
    }
    expect(scene.heard).toEqual(['7 100', '7 100']);
  });

  it('counts durations in either clock on a stream of 48000 Hz', () => {
    const meta = new RecogniserScene(48_000);
    const chromium = new RecogniserScene(48_000);
    for (let i = 1; i <= 5; i++) {
      meta.packet(9000, 1, i * 160, i === 5);
      chromium.packet(9000, 1, i * 960, i === 5);
      meta.pass(20);
      chromium.pass(20);
    }
    expect([meta.heard, chromium.heard]).toEqual([['1 100'], ['1 100']]);
  });

  it('knows the clock of a burst that arrives all at once by its numbers', () => {
    const scene = new RecogniserScene(48_000);
    for (let i = 1; i <= 8; i++) scene.packet(9000, 1, i * 960, i === 8);
    for (let i = 1; i <= 8; i++) scene.packet(99_000, 2, i * 160, i === 8);
    expect(scene.heard).toEqual(['1 160', '2 160']);
  });

  it('is not misled by an update that was held up on the way', () => {
    const scene = new RecogniserScene(48_000);
    scene.packet(9000, 1, 960, false, true);
    scene.pass(100);
    scene.packet(9000, 1, 1920, true);
    scene.pass(300);
    scene.packet(29_000, 2, 960, false, true);
    scene.pass(20);
    scene.packet(29_000, 2, 1920, true);
    expect(scene.heard).toEqual(['1 40', '2 40']);
  });

  it('ends a digit whose end packets were all lost', () => {
    const scene = new RecogniserScene();
    scene.packet(1000, 9, 160);
    scene.pass(20);
    scene.packet(1000, 9, 320);
    scene.pass(180);
    expect(scene.heard).toEqual([]);
    scene.pass(20);
    expect(scene.heard).toEqual(['9 40']);
    scene.packet(1000, 9, 480, true);
    expect(scene.heard).toHaveLength(1);
  });

  it('ends a digit when the next one begins', () => {
    const scene = new RecogniserScene();
    scene.packet(1000, 1, 800);
    scene.packet(3000, 2, 160);
    expect(scene.heard).toEqual(['1 100']);
    scene.packet(1000, 1, 960, true);
    expect([scene.heard, scene.recogniser.active]).toEqual([['1 100'], true]);
  });

  it('hears a digit of which only one end packet arrives', () => {
    const scene = new RecogniserScene();
    scene.packet(1000, 11, 1280, true);
    expect(scene.heard).toEqual(['# 160']);
  });

  it('is not shortened by updates out of order', () => {
    const scene = new RecogniserScene();
    for (const duration of [160, 480, 320]) scene.packet(1000, 3, duration);
    scene.packet(1000, 3, 480, true);
    expect(scene.heard).toEqual(['3 60']);
  });

  it('lets go of a key that is held for 5 s', () => {
    const scene = new RecogniserScene();
    for (let ms = 20; ms <= 6000; ms += 20) {
      scene.packet(1000, 4, Math.min(0xffff, ms * 8));
      scene.pass(20);
    }
    expect(scene.heard).toHaveLength(1);
  });

  it('ignores flash hooks, tones and junk', () => {
    const scene = new RecogniserScene();
    scene.packet(1000, 16, 800, true);
    scene.packet(2000, 200, 800, true);
    scene.recogniser.accept({ sequence: 0, timestamp: 0, marker: false, payload: new Uint8Array(2) });
    expect([scene.heard, scene.recogniser.active]).toEqual([[], false]);
  });

  it('goes on hearing after the sender started a new timeline', () => {
    const scene = new RecogniserScene();
    scene.packet(3_000_000_000, 1, 800, true);
    scene.packet(5, 2, 800, true);
    expect(scene.heard).toEqual(['1 100', '2 100']);
  });
});

/** A key of `ms` in updates of 20 ms, as a sender of that clock splits it into segments (RFC 4733 §2.5.1.3). */
function pressInSegments(
  scene: RecogniserScene,
  ms: number,
  ticksPerMs: number,
  lost: (ticks: number) => boolean,
): void {
  let segment = 50_000;
  const end = segment + ms * ticksPerMs;
  for (let at = segment + 20 * ticksPerMs; at <= end; at += 20 * ticksPerMs) {
    if (at - segment > 0xffff) {
      if (!lost(0xffff)) scene.packet(segment, 6, 0xffff);
      segment += 0xffff;
    }
    scene.pass(20);
    if (!lost(at - segment)) scene.packet(segment, 6, at - segment);
  }
  for (let i = 0; i < 3; i++) scene.packet(segment, 6, end - segment, true);
}

describe('DTMF of odd senders', () => {
  it.each([2000, 3000, 4600])('a key of %i ms at 48000 Hz, in segments, is one key', (ms) => {
    const scene = new RecogniserScene(48_000);
    pressInSegments(scene, ms, 48, () => false);
    scene.pass(1000);
    expect(scene.heard).toEqual([`6 ${ms}`]);
  });

  it('a key in segments whose last and first packets are lost is one key of the right length', () => {
    const scene = new RecogniserScene(48_000);
    pressInSegments(scene, 2000, 48, (ticks) => ticks > 62_000 || ticks < 2000);
    scene.pass(1000);
    expect(scene.heard).toEqual(['6 2000']);
  });

  it('a key in segments that is let go of after 5 s is not heard again in the next segment', () => {
    const scene = new RecogniserScene(48_000);
    pressInSegments(scene, 9000, 48, () => false);
    scene.pass(1000);
    expect(scene.heard).toHaveLength(1);
    expect(Number(scene.heard[0]?.split(' ')[1])).toBeGreaterThan(4900);
  });

  it.each(['from the beginning', 'of each packet alone'])(
    'a timestamp that moves along with every packet, durations %s, is one key',
    (counted) => {
      const scene = new RecogniserScene();
      const duration = (i: number): number => (counted === 'from the beginning' ? i * 160 : 160);
      for (let i = 1; i <= 6; i++) {
        scene.packet(7000 + i * 160, 2, duration(i), i >= 5);
        scene.pass(20);
      }
      scene.pass(1000);
      expect(scene.heard).toHaveLength(1);
      expect(Number(scene.heard[0]?.split(' ')[1])).toBeGreaterThanOrEqual(100);
    },
  );

  it('the same key again, the end of the first one lost, with or without a marker, is two keys', () => {
    for (const marker of [true, false]) {
      const scene = new RecogniserScene();
      scene.packet(1000, 8, 160, false, marker);
      scene.pass(60);
      scene.packet(1000, 8, 640);
      scene.pass(60);
      scene.packet(1000 + 640 + 320, 8, 160, false, marker);
      scene.pass(60);
      scene.packet(1000 + 640 + 320, 8, 640, true);
      expect(scene.heard).toEqual(['8 80', '8 80']);
    }
  });

  it('all sixteen digits, in either clock, whatever the order and number of the packets', () => {
    for (const ticksPerMs of [8, 48]) {
      const scene = new RecogniserScene(48_000);
      for (let code = 0; code < 16; code++) {
        const began = 100_000 * code;
        for (const [i, update] of [1, 1, 3, 2, 4, 6, 5, 5].entries()) {
          scene.packet(began, code, update * 20 * ticksPerMs, i >= 5);
          scene.pass(20);
        }
        scene.pass(80);
      }
      expect(scene.heard).toEqual(digits.split('').map((digit) => `${digit} 120`));
    }
  });

  it('a key of which one end packet came is judged by what the sender did before', () => {
    for (const [ticksPerMs, said] of [
      [8, 2880],
      [48, 5760 + 1],
    ] as const) {
      const scene = new RecogniserScene(48_000);
      for (let i = 1; i <= 5; i++) {
        scene.packet(9000, 1, i * 20 * ticksPerMs, i === 5);
        scene.pass(20);
      }
      scene.packet(99_000, 2, said, true);
      expect(scene.heard).toEqual(['1 100', `2 ${Math.round(said / ticksPerMs)}`]);
    }
  });
});
