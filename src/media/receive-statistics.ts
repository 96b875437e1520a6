import type { ReportBlock } from './rtcp-packet.js';
import { sequenceDelta } from './rtp-packet.js';

/** A jump of sequence numbers beyond this is a restarted sender (RFC 3550 A.1: MAX_DROPOUT, MAX_MISORDER). */
const maxDropout = 3000;
const maxMisorder = 100;
/** A transit time that changes by more than this is a new timeline, not jitter. */
const maxTransitJumpMs = 1000;

/** Counts one received stream: loss and jitter as RFC 3550 A.3 and A.8 have it. A new SSRC begins a new stream. */
export class ReceiveStatistics {
  /** Packets of all streams. */
  packets = 0;
  #clockRate: number;
  #ssrc: number | undefined;
  #baseSequence = 0;
  #highest = 0;
  #cycles = 0;
  #received = 0;
  #lostBefore = 0;
  #jitter = 0;
  #lastTransit: number | undefined;
  #priorExpected = 0;
  #priorReceived = 0;

  /** @param clockRate RTP clock in Hz */
  constructor(clockRate: number) {
    this.#clockRate = clockRate;
  }

  /** RTP clock in Hz; another one when the codec changes. Jitter so far stays what it was in milliseconds. */
  get clockRate(): number {
    return this.#clockRate;
  }

  set clockRate(clockRate: number) {
    if (clockRate === this.#clockRate) return;
    this.#jitter *= clockRate / this.#clockRate;
    this.#clockRate = clockRate;
    // Transit times in ticks of two clocks have no difference that means anything.
    this.#lastTransit = undefined;
  }

  /** Source of the current stream. */
  get ssrc(): number | undefined {
    return this.#ssrc;
  }

  /** Packets lost so far, all streams together; never negative. */
  get lost(): number {
    return this.#lostBefore + Math.max(0, this.#expected() - this.#received);
  }

  /** Interarrival jitter in milliseconds. */
  get jitterMs(): number {
    return (this.#jitter * 1000) / this.#clockRate;
  }

  /** Takes note of a packet that arrived at `nowMs`. Its timestamp counts for jitter only if it is `timed` audio. */
  receive(ssrc: number, sequence: number, timestamp: number, nowMs: number, timed: boolean): void {
    this.packets++;
    const ahead = sequenceDelta(this.#highest, sequence);
    if (ssrc !== this.#ssrc || ahead > maxDropout || ahead < -maxMisorder) this.#begin(ssrc, sequence);
    else if (ahead > 0) {
      if (sequence < this.#highest) this.#cycles += 0x1_0000;
      this.#highest = sequence;
    }
    this.#received++;
    if (timed) this.#measureJitter(timestamp, nowMs);
  }

  /** A report block about the current stream; resets the interval that `fractionLost` speaks of. */
  report(lastSenderReport: number, delaySinceLastReport: number): ReportBlock | undefined {
    if (this.#ssrc === undefined) return undefined;
    const expected = this.#expected();
    const expectedSince = expected - this.#priorExpected;
    const lostSince = expectedSince - (this.#received - this.#priorReceived);
    this.#priorExpected = expected;
    this.#priorReceived = this.#received;
    return {
      ssrc: this.#ssrc,
      fractionLost:
        expectedSince > 0 && lostSince > 0 ? Math.min(255, Math.floor((lostSince * 256) / expectedSince)) : 0,
      cumulativeLost: expected - this.#received,
      highestSequence: (this.#cycles + this.#highest) >>> 0,
      jitter: Math.floor(this.#jitter),
      lastSenderReport,
      delaySinceLastReport,
    };
  }

  #begin(ssrc: number, sequence: number): void {
    this.#lostBefore = this.lost;
    this.#ssrc = ssrc;
    this.#baseSequence = sequence;
    this.#highest = sequence;
    this.#cycles = 0;
    this.#received = 0;
    this.#priorExpected = 0;
    this.#priorReceived = 0;
    this.#lastTransit = undefined;
  }

  #expected(): number {
    return this.#ssrc === undefined ? 0 : this.#cycles + this.#highest - this.#baseSequence + 1;
  }

  #measureJitter(timestamp: number, nowMs: number): void {
    const arrival = Math.round((nowMs * this.#clockRate) / 1000);
    const transit = (arrival - timestamp) | 0;
    const last = this.#lastTransit;
    this.#lastTransit = transit;
    if (last === undefined) return;
    const change = Math.abs((transit - last) | 0);
    if (change <= (maxTransitJumpMs * this.#clockRate) / 1000) this.#jitter += (change - this.#jitter) / 16;
  }
}
