/** What is known of one press when it ends. */
export interface PressedTicks {
  /** Duration in its first packet. */
  readonly firstTicks: number;
  /** By how much it grew since. */
  readonly ticks: number;
  /** Between the arrival of both. */
  readonly elapsedMs: number;
}

const eventTicksPerMs = 8;
/** Arrival times of a shorter span say little: packets come in bursts. */
const surelyMs = 60;
const barelyMs = 10;
/** Nobody presses a key for less. */
const shortestPressMs = 40;
const updateMs = 20;

/**
 * Which clock a sender counts durations in: the RTP stream's own (Chromium), or telephone-event's 8000 Hz on a stream of another
 * clock (Meta's text). A sender keeps its habit: once it was seen clearly, it decides for presses too short to tell.
 */
export class DtmfClock {
  readonly #fast: number;
  #habit: number | undefined;

  /** @param clockRate RTP clock of the stream in Hz */
  constructor(clockRate: number) {
    this.#fast = clockRate / 1000;
  }

  /** Ticks in a millisecond of this press. */
  perMs(press: PressedTicks): number {
    if (this.#fast <= eventTicksPerMs) return eventTicksPerMs;
    const { firstTicks, ticks, elapsedMs } = press;
    // Its updates are whole from the first one on, whatever held them up on the way; at 8000 Hz the first would say 120 ms.
    if (ticks > 0 && this.#isWhole(firstTicks) && this.#isWhole(ticks)) {
      if (elapsedMs >= barelyMs) this.#habit = this.#fast;
      return this.#fast;
    }
    // Half way between the two, as ratios go.
    const measured = ticks / elapsedMs > Math.sqrt(eventTicksPerMs * this.#fast) ? this.#fast : eventTicksPerMs;
    if (ticks > 0 && elapsedMs >= surelyMs) return (this.#habit = measured);
    if (this.#habit !== undefined) return this.#habit;
    return ticks > 0 && elapsedMs >= barelyMs ? measured : this.#guess(firstTicks + ticks);
  }

  /** A single packet, or all at once: only the number is left to judge by; Chromium's are whole updates of its clock. */
  #guess(ticks: number): number {
    return this.#isWhole(ticks) && ticks > shortestPressMs * this.#fast ? this.#fast : eventTicksPerMs;
  }

  #isWhole(ticks: number): boolean {
    return ticks > 0 && ticks % (updateMs * this.#fast) === 0;
  }
}
