import { beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import type { MediaPacket } from '../../../src/media/packet-port.js';
import { WebRtcBeat } from '../../../src/media/webrtc-beat.js';

interface Sent extends MediaPacket {
  readonly kind: 'audio' | 'event';
  readonly atMs: number;
}

const silence = Uint8Array.of(0xf8, 0xff, 0xfe);
const frame = Uint8Array.of(0x78, 1, 2, 3);

let clock: FakeClock;
let sent: Sent[];
let beat: WebRtcBeat;

beforeEach(() => {
  clock = new FakeClock();
  sent = [];
  beat = new WebRtcBeat(clock, (kind, packet) => sent.push({ kind, atMs: clock.monotonicMs(), ...packet }), {
    sequence: 65_530,
    timestamp: 2 ** 32 - 1000,
  });
});

const isFrame = (packet: Sent) => packet.payload === frame;
const isSilence = (packet: Sent) => packet.kind === 'audio' && Buffer.from(packet.payload).equals(silence);

/** Sequence numbers count by one, wrap included. */
function expectOneSequence(): void {
  const broken = sent.filter((packet, i) => i > 0 && ((packet.sequence - sent[i - 1]!.sequence) & 0xffff) !== 1);
  expect(broken).toEqual([]);
}

/** Audio timestamps count by 20 ms, wrap included. */
function expectSteadyTimestamps(packets: readonly Sent[]): void {
  const broken = packets.filter((packet, i) => i > 0 && (packet.timestamp - packets[i - 1]!.timestamp) >>> 0 !== 960);
  expect(broken).toEqual([]);
}

/** Hands over a frame every 20 ms, `offsetMs` into each slot, for so many slots. */
function play(slots: number, offsetMs = 0, jitterMs: (slot: number) => number = () => 0): void {
  const startMs = clock.monotonicMs();
  for (let slot = 0; slot < slots; slot++) {
    clock.advance(startMs + slot * 20 + offsetMs + jitterMs(slot) - clock.monotonicMs());
    beat.sendAudio(frame, 20);
  }
}

describe('before start', () => {
  it('sends nothing and keeps no timer', () => {
    beat.sendAudio(frame, 20);
    beat.sendDtmf('1', 100);
    clock.advance(1000);
    expect(sent).toEqual([]);
    expect(clock.armed).toBe(0);
    expect(beat.isRunning).toBe(false);
  });
});

describe('silence', () => {
  it('goes out at once, marked, then every 20 ms for ten minutes without drift', () => {
    beat.start();
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatchObject({ kind: 'audio', sequence: 65_530, timestamp: 2 ** 32 - 1000, marker: true });
    clock.advance(600_000);
    // One more than the slots: a quiet stream runs ahead by one.
    expect(sent).toHaveLength(30_002);
    expect(sent.every(isSilence)).toBe(true);
    expect(sent.slice(1).some(({ marker }) => marker)).toBe(false);
    expectOneSequence();
    expectSteadyTimestamps(sent);
    expect(sent.at(-1)?.atMs).toBe(600_000);
  });

  it('is started once', () => {
    beat.start();
    beat.start();
    clock.advance(100);
    expect(sent).toHaveLength(7);
  });

  it('stops', () => {
    beat.start();
    beat.stop();
    clock.advance(1000);
    expect(sent).toHaveLength(1);
    expect(clock.armed).toBe(0);
  });
});

describe('audio', () => {
  it('goes out when it is handed over, with no silence between', () => {
    beat.start();
    clock.advance(10);
    play(100);
    expect(sent.filter(isFrame)).toHaveLength(100);
    expect(sent.filter(isSilence).length).toBeLessThanOrEqual(2);
    expect(sent.find(isFrame)?.atMs).toBe(10);
    expectOneSequence();
    expectSteadyTimestamps(sent);
  });

  it.each([0, 5, 10, 15, 19])('that starts %i ms into a slot costs one slot of silence at most', (offsetMs) => {
    beat.start();
    play(200, offsetMs);
    expect(sent.filter(isFrame)).toHaveLength(200);
    expect(sent.filter(isSilence).length).toBeLessThanOrEqual(2);
    expectSteadyTimestamps(sent);
  });

  it('that jitters within the slack is not interrupted', () => {
    beat.start();
    clock.advance(20);
    play(200, 0, (slot) => (slot % 7 === 3 ? 14 : 0));
    expect(sent.filter(isFrame)).toHaveLength(200);
    const before = sent.filter(isSilence).length;
    expect(before).toBeLessThanOrEqual(3);
    expectSteadyTimestamps(sent);
  });

  it('that jitters more is interrupted until the stream has got the lead it needs', () => {
    beat.start();
    clock.advance(20);
    play(400, 0, (slot) => (slot % 3 === 0 ? 19 : 0));
    expect(sent.filter(isFrame)).toHaveLength(400);
    expect(sent.slice(20).filter(isSilence).length).toBeLessThanOrEqual(2);
    expectSteadyTimestamps(sent);
  });

  it.each([
    [20, 10],
    [30, 10],
    [60, 15],
  ])('in spurts, %i ms packets up to %i ms late: no hole inside a spurt, nothing dropped', (ptimeMs, jitterMs) => {
    beat.start();
    let seed = 7;
    const random = (): number => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31;
    for (let spurt = 0; spurt < 50; spurt++) {
      clock.advance(500 + 20 * random());
      const startMs = clock.monotonicMs();
      const first = sent.length;
      let pendingMs = 0;
      for (let packet = 0; packet < 1000 / ptimeMs; packet++) {
        clock.advance(startMs + packet * ptimeMs + jitterMs * random() - clock.monotonicMs());
        for (pendingMs += ptimeMs; pendingMs >= 20; pendingMs -= 20) beat.sendAudio(frame, 20);
      }
      const inSpurt = sent.slice(first);
      const speech = inSpurt.slice(inSpurt.findIndex(isFrame), inSpurt.findLastIndex(isFrame));
      expect(speech.filter(isSilence)).toEqual([]);
    }
    expect(beat.dropped).toBe(0);
    expectSteadyTimestamps(sent);
  });

  it('gives way to silence when it stops, on the same beat', () => {
    beat.start();
    clock.advance(20);
    play(50);
    const count = sent.length;
    clock.advance(1000);
    expect(sent.length - count).toBeGreaterThanOrEqual(49);
    expect(sent.length - count).toBeLessThanOrEqual(51);
    expect(sent.slice(count).every(isSilence)).toBe(true);
    expectOneSequence();
    expectSteadyTimestamps(sent);
  });

  it('never goes out at double rate: what is over five frames ahead is dropped', () => {
    beat.start();
    for (let i = 0; i < 50; i++) beat.sendAudio(frame, 20);
    expect(sent.filter(isFrame).length).toBeLessThanOrEqual(6);
    expect(beat.dropped).toBe(50 - sent.filter(isFrame).length);
    for (let ms = 0; ms < 10_000; ms += 10) {
      clock.advance(10);
      beat.sendAudio(frame, 20);
    }
    expect(sent.length).toBeLessThanOrEqual(500 + 8);
    expect(sent.length).toBeGreaterThanOrEqual(500);
    expectOneSequence();
    expectSteadyTimestamps(sent);
  });

  it('follows a sender whose clock is 0.1 % slow or fast, ten minutes each', () => {
    beat.start();
    for (const periodMs of [20.02, 19.98]) {
      const startMs = clock.monotonicMs();
      const countBefore = sent.length;
      const droppedBefore = beat.dropped;
      for (let i = 1; i <= 30_000; i++) {
        clock.advance(startMs + i * periodMs - clock.monotonicMs());
        beat.sendAudio(frame, 20);
      }
      const elapsedMs = clock.monotonicMs() - startMs;
      expect(Math.abs(sent.length - countBefore - elapsedMs / 20)).toBeLessThanOrEqual(5);
      expect(beat.dropped - droppedBefore).toBeLessThanOrEqual(periodMs < 20 ? 33 : 0);
    }
    expectSteadyTimestamps(sent);
  });

  it('counts longer frames by their length', () => {
    beat.start();
    clock.advance(10);
    beat.sendAudio(frame, 60);
    clock.advance(100);
    const after = sent[sent.findIndex(isFrame) + 1];
    expect((after!.timestamp - sent.find(isFrame)!.timestamp) >>> 0).toBe(2880);
  });
});

describe('a stall of the process', () => {
  /** A clock that stands still for the code and then jumps: a blocked event loop. */
  class StallClock extends FakeClock {
    stalledMs = 0;

    override monotonicMs(): number {
      return super.monotonicMs() + this.stalledMs;
    }
  }

  let stalling: StallClock;
  beforeEach(() => {
    stalling = new StallClock();
    beat = new WebRtcBeat(stalling, (kind, packet) => sent.push({ kind, atMs: stalling.monotonicMs(), ...packet }), {
      sequence: 1,
      timestamp: 0,
    });
    beat.start();
    stalling.advance(100);
    sent.length = 0;
  });

  it('of 200 ms: frames that waited in the socket fill the missed slots, no silence before them', () => {
    stalling.stalledMs = 200;
    stalling.advance(20);
    const early = sent.length;
    for (let i = 0; i < 9; i++) beat.sendAudio(frame, 20);
    stalling.advance(100);
    expect(early).toBeLessThanOrEqual(1);
    expect(sent.filter(isFrame)).toHaveLength(9);
    expect(sent.length).toBeLessThanOrEqual(17);
    expectSteadyTimestamps(sent);
  });

  it('of 200 ms: the slots are made up for by silence', () => {
    stalling.stalledMs = 200;
    stalling.advance(100);
    expect(sent.length).toBeGreaterThanOrEqual(14);
    expect(sent.length).toBeLessThanOrEqual(16);
    expectSteadyTimestamps(sent);
  });

  it('of 30 s: the slots are skipped in the timestamps, the sequence goes on', () => {
    stalling.stalledMs = 30_000;
    stalling.advance(100);
    expect(sent.length).toBeLessThanOrEqual(8);
    expectOneSequence();
    const [first] = sent;
    expect(first?.marker).toBe(true);
    expect(first!.timestamp).toBeGreaterThan(30_000 * 48);
    expect(first!.timestamp).toBeLessThan(30_300 * 48);
  });
});

describe('a digit', () => {
  const events = () => sent.filter(({ kind }) => kind === 'event');
  const duration = ({ payload }: Sent) => ((payload[2] ?? 0) << 8) | (payload[3] ?? 0);

  it('is sent as one event of 8 kHz durations on the 48 kHz timeline, its end three times', () => {
    beat.start();
    clock.advance(1000);
    const before = sent.at(-1)!;
    beat.sendDtmf('5', 160);
    clock.advance(1000);
    expect(events()).toHaveLength(8 - 1 + 3);
    expect(new Set(events().map(({ timestamp }) => timestamp)).size).toBe(1);
    expect(events()[0]!.timestamp).toBe((before.timestamp + 960) >>> 0);
    expect(events().map(({ marker }) => marker)).toEqual([true, ...Array<boolean>(9).fill(false)]);
    expect(events().map(({ payload }) => payload[0])).toEqual(Array(10).fill(5));
    expect(events().map(duration)).toEqual([160, 320, 480, 640, 800, 960, 1120, 1280, 1280, 1280]);
    expect(events().map(({ payload }) => (payload[1] ?? 0) >= 0x80)).toEqual([
      ...Array<boolean>(7).fill(false),
      ...Array<boolean>(3).fill(true),
    ]);
    expectOneSequence();
    const after = sent[sent.indexOf(events().at(-1)!) + 1]!;
    expect((after.timestamp - events()[0]!.timestamp) >>> 0).toBe(160 * 48);
  });

  it('takes the place of audio, and no slot is left empty', () => {
    beat.start();
    clock.advance(20);
    play(10);
    beat.sendDtmf('#', 100);
    play(20);
    const slots = sent.filter(({ kind }, i) => kind === 'audio' || sent[i - 1]?.timestamp !== sent[i]!.timestamp);
    expect(events().map(({ payload }) => payload[0])).toContain(11);
    const first = sent.indexOf(events()[0]!);
    const last = sent.indexOf(events().at(-1)!);
    expect(sent.slice(first, last + 1).every(({ kind }) => kind === 'event')).toBe(true);
    expect(sent.slice(last + 1).filter(isFrame).length).toBeGreaterThan(8);
    expect(slots.length).toBeGreaterThan(20);
    expectOneSequence();
  });

  it('is followed by a pause before the next', () => {
    beat.start();
    for (const digit of '12A') beat.sendDtmf(digit, 100);
    clock.advance(2000);
    const starts = events().filter(({ marker }) => marker);
    expect(starts.map(({ payload }) => payload[0])).toEqual([1, 2, 12]);
    expect((starts[1]!.timestamp - starts[0]!.timestamp) >>> 0).toBe((100 + 60) * 48);
    expect((starts[2]!.timestamp - starts[1]!.timestamp) >>> 0).toBe((100 + 60) * 48);
  });

  it('does not wait for the audio to stop, the second one either', () => {
    beat.start();
    clock.advance(10);
    beat.sendDtmf('1', 100);
    play(25);
    beat.sendDtmf('2', 100);
    play(25);
    expect(new Set(events().map(({ payload }) => payload[0]))).toEqual(new Set([1, 2]));
    expect(events().filter(({ payload }) => payload[0] === 2 && (payload[1]! & 0x80) !== 0)).toHaveLength(3);
  });

  it.each([
    [10, 100],
    [100, 100],
    [110, 120],
    [60_000, 5000],
  ])('of %i ms lasts %i ms', (asked, played) => {
    beat.start();
    beat.sendDtmf('0', asked);
    clock.advance(8000);
    expect(duration(events().at(-1)!)).toBe(played * 8);
  });

  it.each(['', 'x', '12', ' ', '\u0661'])('%j is none', (digit) => {
    beat.start();
    beat.sendDtmf(digit, 100);
    clock.advance(1000);
    expect(events()).toEqual([]);
  });

  it('is not kept for later when the stream stops', () => {
    beat.start();
    for (let i = 0; i < 10; i++) beat.sendDtmf('1', 100);
    beat.stop();
    clock.advance(1000);
    expect(events().length).toBe(0);
  });
});

describe('for reports', () => {
  it('counts packets and payload octets', () => {
    beat.start();
    beat.sendAudio(frame, 20);
    expect(beat.sent).toEqual({ packets: 2, octets: 7 });
  });

  it('tells the RTP time of now between two packets', () => {
    beat.start();
    const origin = beat.timestampNow;
    clock.advance(7);
    expect((beat.timestampNow - origin) >>> 0).toBe(7 * 48);
    clock.advance(93);
    expect((beat.timestampNow - origin) >>> 0).toBe(100 * 48);
  });
});

describe('a fault', () => {
  it('of the encoder costs its slot and not the stream', () => {
    let isBroken = false;
    const faulty = new WebRtcBeat(
      clock,
      (kind, packet) => sent.push({ kind, atMs: clock.monotonicMs(), ...packet }),
      { sequence: 1, timestamp: 0 },
      () => {
        if (isBroken) throw new Error('encoder');
        return silence;
      },
    );
    faulty.start();
    isBroken = true;
    expect(() => clock.advance(40)).toThrow('encoder');
    isBroken = false;
    const before = sent.length;
    clock.advance(200);
    expect(sent.length - before).toBeGreaterThanOrEqual(9);
    faulty.stop();
  });
});
