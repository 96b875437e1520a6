import type { Clock, Timer } from '../lib/clock.js';
import { DigitQueue, type DigitQueueLimits } from './digit-queue.js';
import { dtmfCode, dtmfEventBytes, writeDtmfEvent, type DtmfEvent } from './dtmf-event.js';

/** Takes packets of an event to the wire. They carry the timestamp of its beginning, or of that of their segment of it. */
export interface DtmfWire {
  /** An event begins: the stream's timestamp of now is that of all its packets. */
  begin(): void;
  /** Sends one packet, `offset` ticks behind the beginning; `payload` is valid during the call. */
  packet(payload: Uint8Array, marker: boolean, offset: number): void;
  /** The event is over; `durationMs` of the stream's time have passed since it began. */
  finish(durationMs: number): void;
}

export interface DtmfSenderOptions {
  readonly clock: Clock;
  /** Clock of the event's durations in Hz, as it is when an event begins. */
  readonly clockRate: () => number;
  readonly wire: DtmfWire;
  /** Called once, with the first digit that is dropped as too many wait. */
  readonly onDropped?: () => void;
}

/** One update each 20 ms; the last packet goes out three times (RFC 4733 §2.5.1.2, §2.5.1.4). */
const updateMs = 20;
const endPackets = 3;
/** Shorter tones are missed by telephones (Q.24 asks 40 ms; gateways want more); longer ones are a key that got stuck. */
export const digitLimits: DigitQueueLimits = {
  leastMs: 80,
  mostMs: 5000,
  // So that the same digit twice is heard as two.
  pauseMs: 60,
};
/** The most that the duration field holds: what is longer goes on in another segment (RFC 4733 §2.5.1.3). */
const segmentTicks = 0xffff;

interface Digit {
  readonly code: number;
  readonly durationMs: number;
}

/**
 * Plays digits as RFC 4733 events, one after the other:
 *
 *     start (marker) · update · update … end end end · pause · next
 */
export class DtmfSender {
  readonly #queue: DigitQueue<number>;
  readonly #payload = new Uint8Array(dtmfEventBytes);
  #current: Digit | undefined;
  #beganAtMs = 0;
  #ticksPerMs = 8;
  #segment = 0;
  #sentEnds = 0;
  #timer: Timer | undefined;
  #closed = false;

  constructor(private readonly options: DtmfSenderOptions) {
    this.#queue = new DigitQueue(digitLimits, options.onDropped);
  }

  /** Digits dropped so far, since too many waited. */
  get dropped(): number {
    return this.#queue.dropped;
  }

  /** An event is on the wire: audio has to wait. */
  get active(): boolean {
    return this.#current !== undefined;
  }

  /** Queues a digit. Its length is kept between 80 and 5000 ms. False if it is no digit, or too many wait already. */
  play(digit: string, durationMs: number): boolean {
    const code = dtmfCode(digit);
    const isIdle = !this.#current && !this.#timer;
    if (code === undefined || this.#closed || !this.#queue.add(code, durationMs, isIdle)) return false;
    if (isIdle) this.#next();
    return true;
  }

  /** Stops at once, without end packets. */
  close(): void {
    this.#closed = true;
    this.#queue.clear();
    this.#current = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #next(): void {
    this.#timer = undefined;
    const next = this.#queue.take();
    this.#current = next && { code: next.digit, durationMs: next.durationMs };
    if (!this.#current) return;
    this.#beganAtMs = this.options.clock.monotonicMs();
    this.#sentEnds = 0;
    this.#segment = 0;
    this.#ticksPerMs = this.options.clockRate() / 1000;
    this.options.wire.begin();
    this.#send(this.#current.code, updateMs, false, true);
    this.#after(updateMs, () => this.#update());
  }

  /** Durations follow the clock, not the count of packets, so that a late timer does not stretch the tone. */
  #update(): void {
    const digit = this.#current;
    if (!digit) return;
    const elapsedMs = this.options.clock.monotonicMs() - this.#beganAtMs;
    const end = elapsedMs >= digit.durationMs;
    this.#send(digit.code, end ? digit.durationMs : Math.min(digit.durationMs, elapsedMs + updateMs), end, false);
    if (end && ++this.#sentEnds === endPackets) {
      this.#finish(digit);
      return;
    }
    // The repeated end packets need no time of the tone; a few ms apart they do not share one lost burst.
    this.#after(end ? updateMs / 2 : Math.min(updateMs, digit.durationMs - elapsedMs), () => this.#update());
  }

  #finish(digit: Digit): void {
    this.#current = undefined;
    this.options.wire.finish(digit.durationMs);
    this.#after(digitLimits.pauseMs, () => this.#next());
  }

  #send(code: number, durationMs: number, end: boolean, marker: boolean): void {
    const ticks = Math.round(durationMs * this.#ticksPerMs);
    for (; ticks > this.#segment + segmentTicks; this.#segment += segmentTicks) {
      this.#sendPacket({ code, end: false, duration: segmentTicks }, false);
    }
    this.#sendPacket({ code, end, duration: ticks - this.#segment }, marker);
  }

  #sendPacket(event: DtmfEvent, marker: boolean): void {
    writeDtmfEvent(this.#payload, event);
    try {
      this.options.wire.packet(this.#payload, marker, this.#segment);
    } catch (error) {
      // A digit that cannot be sent must not keep audio away for the rest of the call.
      this.#current = undefined;
      this.#after(digitLimits.pauseMs, () => this.#next());
      throw error;
    }
  }

  #after(delayMs: number, callback: () => void): void {
    if (!this.#closed) this.#timer = this.options.clock.after(delayMs, callback);
  }
}
