import type { Clock } from '../lib/clock.js';
import { DtmfClock } from './dtmf-clock.js';
import { dtmfDigit, parseDtmfEvent, type DtmfEvent } from './dtmf-event.js';
import type { MediaPacket } from './packet-port.js';
import { timestampDelta } from './rtp-packet.js';

export interface DtmfRecogniserOptions {
  readonly clock: Clock;
  /**
   * RTP clock of the audio stream in Hz. A stream at 48000 Hz may count an event's duration in its own clock (Chromium) or in
   * telephone-event's 8000 Hz (Meta's text): which one is told by comparing with the time that passes.
   */
  readonly clockRate: number;
  /** A digit is complete; `durationMs` is how long it was pressed. */
  readonly onDigit: (digit: string, durationMs: number) => void;
}

interface Pressed {
  readonly code: number;
  /** When it was pressed, on the RTP timeline. */
  readonly began: number;
  readonly firstTicks: number;
  readonly firstAtMs: number;
  /** Timestamp of the segment that its packets are of now: the beginning, unless it is a long event (RFC 4733 §2.5.1.3). */
  segment: number;
  /** Ticks of the segments before. */
  before: number;
  /** The longest duration told of this segment. */
  duration: number;
  /** When the duration last grew: repeated end packets do not count. */
  lastAtMs: number;
  /** The sender has said that it is over. */
  ended: boolean;
}

/** Updates come every 20 to 50 ms; after so long without one the end packets were lost (RFC 4733 §2.5.1.4). */
const lostEndMs = 200;
/** A key held for so long is passed on, whatever follows. */
const maxPressMs = 5000;
/** Events that lie behind the last one by less than this are stragglers, not a new timeline. */
const stragglerMs = 5000;
/** The longest duration a packet can tell; the next segment begins there. */
const segmentTicks = 0xffff;
/** How far behind the end of what was told of one segment the next may begin: the packets between were lost. */
const segmentSlackMs = 20;

/**
 * Recognises digits in telephone-event packets (RFC 4733) by timestamp and event code: lost, repeated and reordered packets
 * change nothing, and each press is reported once, when it ends.
 */
export class DtmfRecogniser {
  #pressed: Pressed | undefined;
  /** The last press that was reported. */
  #reported: Pressed | undefined;
  readonly #ticks: DtmfClock;

  constructor(private readonly options: DtmfRecogniserOptions) {
    this.#ticks = new DtmfClock(options.clockRate);
  }

  /** A key is down: audio that still comes along is the tone itself. */
  get active(): boolean {
    return this.#pressed !== undefined;
  }

  /** Takes one packet; anything that is no event is ignored. */
  accept(packet: MediaPacket): void {
    const event = parseDtmfEvent(packet.payload);
    if (!event || dtmfDigit(event.code) === undefined) return;
    const pressed = this.#pressed;
    if (pressed && this.#isOf(pressed, packet, event)) {
      this.#update(pressed, packet.timestamp, event);
      return;
    }
    if (this.#isOld(packet, event)) return;
    if (pressed) this.#release(pressed);
    this.#press(packet.timestamp, event);
  }

  /** To be called every 20 ms or so: ends a press whose end packets were lost. */
  tick(nowMs: number): void {
    const pressed = this.#pressed;
    if (!pressed) return;
    if (nowMs - pressed.lastAtMs >= lostEndMs || nowMs - pressed.firstAtMs >= maxPressMs) this.#release(pressed);
  }

  #press(timestamp: number, event: DtmfEvent): void {
    const nowMs = this.options.clock.monotonicMs();
    const pressed: Pressed = {
      code: event.code,
      began: timestamp,
      firstTicks: event.duration,
      firstAtMs: nowMs,
      segment: timestamp,
      before: 0,
      duration: event.duration,
      lastAtMs: nowMs,
      ended: event.end,
    };
    this.#pressed = pressed;
    if (event.end) this.#release(pressed);
  }

  /** Whether a packet goes on with a press: of the same segment, or of the one behind it. */
  #isOf(pressed: Pressed, { timestamp, marker }: MediaPacket, { code, end }: DtmfEvent): boolean {
    if (pressed.code !== code) return false;
    const ahead = timestampDelta(pressed.segment, timestamp);
    if (ahead === 0) return true;
    // Packets of a segment before the last one may be late.
    if (ahead < 0) return timestampDelta(pressed.began, timestamp) >= 0;
    // Only a beginning is marked, and behind an end only its repetitions come.
    if (marker || (pressed.ended && !end)) return false;
    const slack = (segmentSlackMs * this.options.clockRate) / 1000;
    return ahead === segmentTicks || ahead <= pressed.duration + slack;
  }

  #update(pressed: Pressed, timestamp: number, event: DtmfEvent): void {
    const ahead = timestampDelta(pressed.segment, timestamp);
    if (ahead < 0) return;
    if (ahead > 0) {
      // Some senders move the timestamp along and count from the beginning all the same.
      if (event.duration <= pressed.duration) pressed.before += ahead === segmentTicks ? ahead : pressed.duration;
      pressed.segment = timestamp;
      pressed.duration = 0;
    }
    // Reordered updates must not shorten the tone.
    if (event.duration > pressed.duration) {
      pressed.duration = event.duration;
      pressed.lastAtMs = this.options.clock.monotonicMs();
    }
    pressed.ended ||= event.end;
    if (event.end && pressed === this.#pressed) this.#release(pressed);
  }

  #release(pressed: Pressed): void {
    this.#pressed = undefined;
    this.#reported = pressed;
    const digit = dtmfDigit(pressed.code);
    if (digit === undefined) return;
    const ticks = pressed.before + pressed.duration;
    const perMs = this.#ticks.perMs({
      firstTicks: pressed.firstTicks,
      ticks: ticks - pressed.firstTicks,
      elapsedMs: pressed.lastAtMs - pressed.firstAtMs,
    });
    this.options.onDigit(digit, Math.min(maxPressMs, Math.round(ticks / perMs)));
  }

  /** Of the press that was just reported, or of one before it. */
  #isOld(packet: MediaPacket, event: DtmfEvent): boolean {
    const last = this.#reported;
    if (!last) return false;
    if (this.#isOf(last, packet, event)) {
      // It was reported since it was held for so long, or its packets stayed away for so long.
      this.#update(last, packet.timestamp, event);
      return true;
    }
    const ahead = timestampDelta(last.segment, packet.timestamp);
    if (ahead === 0) return event.code === last.code;
    return ahead < 0 && -ahead < (stragglerMs * this.options.clockRate) / 1000;
  }
}
