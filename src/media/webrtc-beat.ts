import { reusableTimer, type Clock, type ReusableTimer } from '../lib/clock.js';
import { DigitQueue } from './digit-queue.js';
import { dtmfCode, dtmfEventBytes, writeDtmfEvent } from './dtmf-event.js';
import type { MediaPacket } from './packet-port.js';

/** What the beat puts out: audio or a telephone-event, numbered and timed, one stream. */
export type BeatSink = (kind: 'audio' | 'event', packet: MediaPacket) => void;

/** Where the stream's counting starts: random, RFC 3550 §5.1. */
export interface BeatOrigin {
  readonly sequence: number;
  readonly timestamp: number;
}

/** RTP clock of Opus (RFC 7587 §4.1), which is what most calls have. */
const opusClockRate = 48_000;
const frameMs = 20;
/** How much later than its slot a frame may come before silence takes the slot: one network's ordinary jitter. */
const slackMs = 15;
/** After so many empty slots nobody is speaking. */
const quietSlots = 3;
/** Then silence goes out this much before its slot, so that the next word, too, may come a little late without a hole in it. */
const quietLeadMs = 5;
/** Frames further ahead of the clock than this are dropped: after a stall Meta must not get them at double rate. */
const maxLeadMs = 100;
/** Slots missed by more than this are skipped in the timestamps instead of being sent in one burst. */
const maxCatchUpMs = 500;
/** 20 ms of Opus silence, for Opus streams that no encoder speaks in yet: mono, CELT, fullband, and a silence flag (RFC 6716 §3.1, §4.3). */
export const silenceFrame = Uint8Array.of(0xf8, 0xff, 0xfe);

/** Meta counts a telephone-event's duration at 8 kHz, whatever the clock of the timestamps it stands on. */
const eventTicksPerMs = 8;
const minEventMs = 100;
const maxEventMs = 5000;
/** RFC 4733 §2.5.1.4: the last packet three times. */
const endRepeats = 3;
/** Silence after a digit, so that the next one is heard as another. */
const eventGapSlots = 3;

interface PlayingEvent {
  readonly code: number;
  readonly timestamp: number;
  readonly totalMs: number;
  elapsedMs: number;
}

/**
 * The one RTP stream towards Meta: one sequence and one timeline for the whole call, a packet in every 20 ms slot from `start`
 * on. Frames go out when they are handed over; a slot that stays empty gets silence, on an absolute beat that does not drift;
 * digits take the place of audio. Meta ends a call that it hears nothing from.
 *
 * ```
 *  slots     |    0    |    1    |    2    |    3    |    4
 *  frames      F         F                             F
 *  sent        F         F         (slack) S       S   F        S: silence, a slack after its slot began
 * ```
 */
export class WebRtcBeat {
  /** When the next slot begins, on the monotonic clock. */
  #dueMs = 0;
  #sequence: number;
  #timestamp: number;
  #isMarked = true;
  #isDeferred = false;
  #isRunning = false;
  readonly #timer: ReusableTimer;
  #packets = 0;
  #octets = 0;
  #dropped = 0;
  #event: PlayingEvent | undefined;
  #gapSlots = 0;
  #emptyInARow = 0;
  #ticksPerMs = opusClockRate / 1000;
  readonly #queue: DigitQueue<number>;

  constructor(
    private readonly clock: Clock,
    private readonly sink: BeatSink,
    origin: BeatOrigin,
    /** Makes the silence of an empty slot: 20 ms of it. */
    private readonly silence: () => Uint8Array = () => silenceFrame,
    /** Called once, with the first digit that is dropped as too many wait. */
    onDigitsDropped: () => void = () => undefined,
  ) {
    const limits = { leastMs: minEventMs, mostMs: maxEventMs, pauseMs: eventGapSlots * frameMs };
    this.#queue = new DigitQueue(limits, onDigitsDropped);
    this.#timer = reusableTimer(clock, () => this.#beat());
    this.#sequence = origin.sequence & 0xffff;
    this.#timestamp = origin.timestamp >>> 0;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** RTP clock of the audio in Hz, to be set before the stream begins; default: that of Opus. */
  set clockRate(clockRate: number) {
    this.#ticksPerMs = clockRate / 1000;
  }

  /** Digits dropped so far, since too many waited. */
  get droppedDigits(): number {
    return this.#queue.dropped;
  }

  /** RTP packets and payload octets sent so far, for sender reports (RFC 3550 §6.4.1). */
  get sent(): { readonly packets: number; readonly octets: number } {
    return { packets: this.#packets, octets: this.#octets };
  }

  /** Frames handed over and not sent: too far ahead of the clock, or in the place of a digit. */
  get dropped(): number {
    return this.#dropped;
  }

  /** The stream's RTP time of this moment, for sender reports. */
  get timestampNow(): number {
    return (this.#timestamp + Math.round((this.clock.monotonicMs() - this.#dueMs) * this.#ticksPerMs)) >>> 0;
  }

  /** How far ahead of the clock the next slot is, in ms; below zero once its time has come. */
  get leadMs(): number {
    return this.#dueMs - this.clock.monotonicMs();
  }

  /** Sends the first packet at once. Idempotent. */
  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#dueMs = this.clock.monotonicMs() - this.#slackMs;
    this.#fill(this.clock.monotonicMs());
    this.#arm();
  }

  stop(): void {
    this.#timer.cancel();
    this.#isRunning = false;
    this.#queue.clear();
  }

  /** Sends one frame of `durationMs` at once, unless the stream does not run, is ahead of the clock or plays a digit. */
  sendAudio(payload: Uint8Array, durationMs: number): void {
    if (!this.#isRunning) return;
    if (this.#event || (!this.#queue.isEmpty && this.#gapSlots === 0) || this.leadMs >= maxLeadMs) {
      this.#dropped++;
      return;
    }
    if (this.#gapSlots > 0) this.#gapSlots--;
    this.#emptyInARow = 0;
    this.#emit('audio', payload, this.#timestamp);
    this.#advance(durationMs);
  }

  /** Queues a digit (0-9, *, #, A-D); anything else is ignored. Length in ms, 100 at least. */
  sendDtmf(digit: string, durationMs: number): void {
    const code = dtmfCode(digit);
    if (code !== undefined && this.#isRunning) this.#queue.add(code, durationMs, !this.#event && this.#gapSlots === 0);
  }

  get #slackMs(): number {
    return this.#emptyInARow < quietSlots ? slackMs : -quietLeadMs;
  }

  #arm(): void {
    const waitMs = this.#dueMs + this.#slackMs - this.clock.monotonicMs();
    if (this.#isRunning) this.#timer.arm(Math.max(1, Math.ceil(waitMs)));
  }

  #beat(): void {
    const nowMs = this.clock.monotonicMs();
    // After a stall of this process the frames for the missed slots lie in the sockets: they are read before silence goes out.
    if (nowMs - this.#dueMs - this.#slackMs >= frameMs && !this.#isDeferred) {
      this.#isDeferred = true;
      this.#timer.arm(1);
      return;
    }
    this.#isDeferred = false;
    try {
      this.#fill(nowMs);
    } finally {
      this.#arm();
    }
  }

  #fill(nowMs: number): void {
    const lateMs = nowMs - this.#slackMs - this.#dueMs;
    if (lateMs > maxCatchUpMs) {
      this.#advance(Math.floor(lateMs / frameMs) * frameMs);
      this.#isMarked = true;
    }
    while (this.#dueMs + this.#slackMs <= nowMs) {
      try {
        this.#fillSlot();
      } finally {
        this.#advance(frameMs);
      }
    }
  }

  #fillSlot(): void {
    if (this.#gapSlots > 0) this.#gapSlots--;
    else this.#event ??= this.#nextEvent();
    if (this.#event) return this.#playEvent(this.#event);
    this.#emptyInARow++;
    this.#emit('audio', this.silence(), this.#timestamp);
  }

  #nextEvent(): PlayingEvent | undefined {
    const next = this.#queue.take();
    if (!next) return undefined;
    this.#isMarked = true;
    return { code: next.digit, totalMs: next.durationMs, timestamp: this.#timestamp, elapsedMs: 0 };
  }

  #playEvent(event: PlayingEvent): void {
    event.elapsedMs += frameMs;
    const isEnd = event.elapsedMs >= event.totalMs;
    const payload = new Uint8Array(dtmfEventBytes);
    writeDtmfEvent(payload, { code: event.code, end: isEnd, duration: event.elapsedMs * eventTicksPerMs });
    for (let i = 0; i < (isEnd ? endRepeats : 1); i++) this.#emit('event', payload, event.timestamp);
    if (!isEnd) return;
    this.#event = undefined;
    this.#gapSlots = eventGapSlots;
  }

  #emit(kind: 'audio' | 'event', payload: Uint8Array, timestamp: number): void {
    this.#packets++;
    this.#octets += payload.length;
    const sequence = this.#sequence;
    const marker = this.#isMarked;
    this.#sequence = (sequence + 1) & 0xffff;
    this.#isMarked = false;
    this.sink(kind, { sequence, timestamp, marker, payload });
  }

  #advance(durationMs: number): void {
    this.#dueMs += durationMs;
    this.#timestamp = (this.#timestamp + durationMs * this.#ticksPerMs) >>> 0;
  }
}
