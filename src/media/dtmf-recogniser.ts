import type { Clock } from '../lib/clock.js';
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
  readonly timestamp: number;
  readonly firstDuration: number;
  readonly firstAtMs: number;
  lastDuration: number;
  /** When the duration last grew: repeated end packets do not count. */
  lastAtMs: number;
}

const eventClockRate = 8000;
/** Updates come every 20 to 50 ms; after so long without one the end packets were lost (RFC 4733 §2.5.1.4). */
const lostEndMs = 200;
/** A key held for so long is passed on, whatever follows. */
const maxPressMs = 5000;
/** Events that lie behind the last one by less than this are stragglers, not a new timeline. */
const stragglerMs = 5000;

/**
 * Recognises digits in telephone-event packets (RFC 4733) by timestamp and event code: lost, repeated and reordered packets
 * change nothing, and each press is reported once, when it ends.
 */
export class DtmfRecogniser {
  #pressed: Pressed | undefined;
  #lastTimestamp: number | undefined;
  #lastCode = -1;

  constructor(private readonly options: DtmfRecogniserOptions) {}

  /** A key is down: audio that still comes along is the tone itself. */
  get active(): boolean {
    return this.#pressed !== undefined;
  }

  /** Takes one packet; anything that is no event is ignored. */
  accept(packet: MediaPacket): void {
    const event = parseDtmfEvent(packet.payload);
    if (!event || dtmfDigit(event.code) === undefined) return;
    const pressed = this.#pressed;
    if (pressed && pressed.timestamp === packet.timestamp && pressed.code === event.code) {
      this.#update(pressed, event);
      return;
    }
    if (this.#isOld(packet.timestamp, event.code)) return;
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
      timestamp,
      firstDuration: event.duration,
      firstAtMs: nowMs,
      lastDuration: event.duration,
      lastAtMs: nowMs,
    };
    this.#pressed = pressed;
    if (event.end) this.#release(pressed);
  }

  #update(pressed: Pressed, event: DtmfEvent): void {
    // Reordered updates must not shorten the tone.
    if (event.duration > pressed.lastDuration) {
      pressed.lastDuration = event.duration;
      pressed.lastAtMs = this.options.clock.monotonicMs();
    }
    if (event.end) this.#release(pressed);
  }

  #release(pressed: Pressed): void {
    this.#pressed = undefined;
    this.#lastTimestamp = pressed.timestamp;
    this.#lastCode = pressed.code;
    const digit = dtmfDigit(pressed.code);
    if (digit !== undefined) this.options.onDigit(digit, Math.round(pressed.lastDuration / this.#ticksPerMs(pressed)));
  }

  /** The event that was just reported, or one before it. */
  #isOld(timestamp: number, code: number): boolean {
    if (this.#lastTimestamp === undefined) return false;
    const ahead = timestampDelta(this.#lastTimestamp, timestamp);
    if (ahead === 0) return code === this.#lastCode;
    return ahead < 0 && -ahead < (stragglerMs * this.options.clockRate) / 1000;
  }

  #ticksPerMs(pressed: Pressed): number {
    const slow = eventClockRate / 1000;
    const fast = this.options.clockRate / 1000;
    if (fast <= slow) return slow;
    const ticks = pressed.lastDuration - pressed.firstDuration;
    const elapsedMs = pressed.lastAtMs - pressed.firstAtMs;
    // Half way between the two, as ratios go.
    const threshold = Math.sqrt(slow * fast);
    if (ticks > 0 && elapsedMs >= 10) return ticks / elapsedMs > threshold ? fast : slow;
    // A single packet, or all at once: only the number itself is left to judge by; Chromium's are multiples of 20 ms at 48000 Hz.
    return pressed.firstDuration >= 20 * fast && pressed.firstDuration % (20 * fast) === 0 ? fast : slow;
  }
}
