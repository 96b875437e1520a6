import type { MediaPacket } from './packet-port.js';
import { sequenceDelta, timestampDelta } from './rtp-packet.js';

/** What becomes of a stream once its packets are in order. */
export interface PlayoutSink {
  /** Plays a packet's audio; returns its length in ticks of the stream's RTP clock, 0 if it is unusable. */
  play(payload: Uint8Array): number;
  /** Stands in for `ticks` of missing audio. `next` is what follows at once, if it is there. */
  conceal(ticks: number, next: Uint8Array | undefined): void;
  /** What comes next does not continue what came before. */
  restart(): void;
}

export interface SequencerOptions {
  /** RTP clock in Hz. */
  readonly clockRate: number;
  /** How long a packet may wait for an earlier one that is missing; 0 never waits. */
  readonly holdMs: number;
  /** The sink has no beat of its own: silence of the source is filled in by `tick`. */
  readonly fill: boolean;
  /** How long what was played still waits to be heard, in ms: patience that costs nothing. Absent: none. */
  readonly aheadMs?: () => number;
}

export interface SequencerStats {
  readonly played: number;
  /** Milliseconds of audio that were made up. */
  readonly concealedMs: number;
  /** Packets that came after their place had been filled. */
  readonly late: number;
  readonly restarts: number;
}

interface Slot {
  readonly bytes: Uint8Array;
  length: number;
  timestamp: number;
  sequence: number;
}

const fillFrameMs = 20;
/** Filling stays two frames behind the end of what was played, in real time, so that late packets find room. */
const fillLagMs = 2 * fillFrameMs;
/** Without a packet for this long, and longer behind a long one, filling begins. */
const fillAfterMs = fillFrameMs + fillLagMs;
/** After a stall of our own only so much is filled in one go. */
const maxFillFrames = 10;
/** Longer gaps are not covered: the stream begins anew behind them. */
const maxConcealMs = 100;
/** Jumps beyond this are another timeline, not loss or delay. */
const jumpMs = 1000;
/** Nothing but late packets for this long means that the path has become slower for good; a burst after a stall does not. */
const maxLateMs = 80;
/** Numbers so little behind are packets that later ones overtook (RFC 3550 A.1), unless so many come in order and nothing else. */
const maxMisorder = 100;
const maxOvertaken = 5;
const slotCount = 8;
const slotBytes = 1500;

/**
 * Puts one stream's packets in order by their timestamps, with as little waiting as can be: packets in order are played as
 * they arrive; behind a gap they wait `holdMs` at most. Allocates nothing per packet.
 */
export class PlayoutSequencer {
  #played = 0;
  #concealedMs = 0;
  #late = 0;
  #restarts = 0;
  readonly #slots: Slot[] = Array.from({ length: slotCount }, () => ({
    bytes: new Uint8Array(slotBytes),
    length: 0,
    timestamp: 0,
    sequence: 0,
  }));
  readonly #ticksPerMs: number;
  readonly #fills: boolean;
  /** Held packets are slots 0 to #held - 1, earliest first. */
  #held = 0;
  #heldSinceMs = 0;
  #started = false;
  #filling = false;
  /** Timestamp of what comes next, its bits as a signed number: half of all timestamps would else be objects of their own. */
  #expected = 0;
  #nextSequence = 0;
  #lateSinceMs: number | undefined;
  #overtaken = 0;
  #nextOvertaken = -1;
  #fillDueMs: number;

  constructor(
    private readonly options: SequencerOptions,
    private readonly sink: PlayoutSink,
    nowMs: number,
  ) {
    this.#ticksPerMs = options.clockRate / 1000;
    this.#fills = options.fill;
    this.#fillDueMs = nowMs + fillAfterMs;
  }

  get stats(): SequencerStats {
    return { played: this.#played, concealedMs: this.#concealedMs, late: this.#late, restarts: this.#restarts };
  }

  /** Takes a packet as it arrives; its payload is not needed afterwards. */
  accept(packet: MediaPacket, nowMs: number): void {
    const { payload, timestamp, sequence } = packet;
    if (payload.length > slotBytes) return;
    const ahead = this.#started ? timestampDelta(this.#expected, timestamp) : 0;
    if (ahead < 0) {
      this.#acceptLate(packet, ahead, nowMs);
      return;
    }
    this.#lateSinceMs = undefined;
    if (ahead === 0 || !this.#started) this.#play(payload, timestamp, sequence, nowMs);
    else if (ahead > jumpMs * this.#ticksPerMs) this.#restartAt(payload, timestamp, sequence, nowMs);
    else if (this.#mayWait(packet)) this.#hold(packet, nowMs);
    else this.#playBehindGap(payload, timestamp, sequence, nowMs);
    if (this.#held > 0) this.#drain(nowMs);
  }

  /** To be called every 20 ms or so: lets go what waited too long, and fills silence. */
  tick(nowMs: number): void {
    if (this.#held > 0 && nowMs - this.#heldSinceMs >= this.#patienceMs) this.#releaseAll(nowMs);
    if (this.#fills) this.#fill(nowMs);
  }

  /** Nothing is left to be heard: lets go what waits, or fills in a frame. */
  runDry(nowMs: number): void {
    if (this.#held > 0) this.#releaseAll(nowMs);
    else if (this.#fills) this.#fillFrame();
  }

  /** Whether `tick` has nothing to do until another packet comes. */
  get isResting(): boolean {
    return this.#held === 0 && !this.#fills;
  }

  /** A packet of this number was no audio: it leaves no gap. */
  pass(sequence: number): void {
    if (this.#started && sequence === this.#nextSequence) this.#nextSequence = (sequence + 1) & 0xffff;
  }

  get #patienceMs(): number {
    const { holdMs, aheadMs } = this.options;
    return aheadMs ? Math.max(holdMs, aheadMs()) : holdMs;
  }

  #mayWait(packet: MediaPacket): boolean {
    // No packet is missing when the number follows: the sender paused, and a marker says so (RFC 3551 §4.1).
    if (packet.sequence === this.#nextSequence || packet.marker) return false;
    return this.#patienceMs > 0 && !this.#filling;
  }

  #acceptLate(packet: MediaPacket, ahead: number, nowMs: number): void {
    this.#lateSinceMs ??= nowMs;
    const isOvertaken = this.#isOvertaken(packet.sequence);
    const isJump = -ahead > jumpMs * this.#ticksPerMs && !isOvertaken;
    const isSlower = nowMs - this.#lateSinceMs >= maxLateMs && !isOvertaken;
    if (isJump || isSlower || this.#overtaken >= maxOvertaken) {
      this.#restartAt(packet.payload, packet.timestamp, packet.sequence, nowMs);
      return;
    }
    this.#late++;
  }

  #isOvertaken(sequence: number): boolean {
    const behind = sequenceDelta(this.#nextSequence, sequence);
    if (behind >= 0 || behind < -maxMisorder) return false;
    this.#overtaken = sequence === this.#nextOvertaken ? this.#overtaken + 1 : 1;
    this.#nextOvertaken = (sequence + 1) & 0xffff;
    return true;
  }

  #play(payload: Uint8Array, timestamp: number, sequence: number, nowMs: number): void {
    const ticks = this.sink.play(payload);
    this.#started = true;
    this.#filling = false;
    this.#lateSinceMs = undefined;
    this.#overtaken = 0;
    this.#expected = (timestamp + ticks) | 0;
    this.#nextSequence = (sequence + 1) & 0xffff;
    if (this.#fills) this.#fillDueMs = nowMs + Math.max(fillAfterMs, ticks / this.#ticksPerMs + fillLagMs);
    this.#played++;
  }

  #playBehindGap(payload: Uint8Array, timestamp: number, sequence: number, nowMs: number): void {
    const gap = timestampDelta(this.#expected, timestamp);
    if (gap > maxConcealMs * this.#ticksPerMs) this.#restart();
    else if (gap > 0) {
      const lost = sequenceDelta(this.#nextSequence, sequence) > 0;
      this.#conceal(gap, lost ? payload : undefined);
    }
    this.#play(payload, timestamp, sequence, nowMs);
  }

  #restartAt(payload: Uint8Array, timestamp: number, sequence: number, nowMs: number): void {
    this.#held = 0;
    this.#restart();
    this.#play(payload, timestamp, sequence, nowMs);
  }

  #restart(): void {
    this.#restarts++;
    this.sink.restart();
  }

  #conceal(ticks: number, next: Uint8Array | undefined): void {
    this.sink.conceal(ticks, next);
    this.#concealedMs += ticks / this.#ticksPerMs;
  }

  #hold(packet: MediaPacket, nowMs: number): void {
    if (this.#held === slotCount) this.#releaseAll(nowMs);
    let place = this.#held;
    while (place > 0) {
      const order = timestampDelta(this.#slots[place - 1]?.timestamp ?? 0, packet.timestamp);
      if (order === 0) return;
      if (order > 0) break;
      place--;
    }
    if (this.#held === 0) this.#heldSinceMs = nowMs;
    this.#insert(place, packet);
    // The span waiting is itself a clock: what comes two frames later says that the time is up.
    const last = this.#slots[this.#held - 1];
    const first = this.#slots[0];
    if (first && last && last.timestamp !== first.timestamp) {
      const spanMs = timestampDelta(first.timestamp, last.timestamp) / this.#ticksPerMs;
      if (spanMs >= this.#patienceMs) this.#releaseAll(nowMs);
    }
  }

  #insert(place: number, packet: MediaPacket): void {
    const slot = this.#slots[this.#held];
    if (!slot) return;
    for (let i = this.#held; i > place; i--) {
      const before = this.#slots[i - 1];
      if (before) this.#slots[i] = before;
    }
    this.#slots[place] = slot;
    slot.bytes.set(packet.payload);
    slot.length = packet.payload.length;
    slot.timestamp = packet.timestamp;
    slot.sequence = packet.sequence;
    this.#held++;
  }

  /** Plays held packets as long as they follow on. */
  #drain(nowMs: number): void {
    while (this.#held > 0) {
      const ahead = timestampDelta(this.#expected, this.#slots[0]?.timestamp ?? 0);
      if (ahead > 0) return;
      const slot = this.#shift();
      if (slot && ahead === 0) this.#play(slot.bytes.subarray(0, slot.length), slot.timestamp, slot.sequence, nowMs);
    }
  }

  #releaseAll(nowMs: number): void {
    while (this.#held > 0) {
      const slot = this.#shift();
      if (slot) this.#playBehindGap(slot.bytes.subarray(0, slot.length), slot.timestamp, slot.sequence, nowMs);
    }
  }

  #shift(): Slot | undefined {
    const slot = this.#slots[0];
    if (!slot) return undefined;
    this.#held--;
    for (let i = 0; i < this.#held; i++) {
      const after = this.#slots[i + 1];
      if (after) this.#slots[i] = after;
    }
    this.#slots[this.#held] = slot;
    return slot;
  }

  #fill(nowMs: number): void {
    for (let frames = 0; this.#fillDueMs + (this.options.aheadMs?.() ?? 0) <= nowMs; frames++) {
      if (frames === maxFillFrames) {
        this.#fillDueMs = nowMs + fillFrameMs;
        return;
      }
      this.#fillFrame();
    }
  }

  #fillFrame(): void {
    const ticks = fillFrameMs * this.#ticksPerMs;
    this.#filling = true;
    this.#conceal(ticks, undefined);
    this.#expected = (this.#expected + ticks) | 0;
    this.#fillDueMs += fillFrameMs;
  }
}
