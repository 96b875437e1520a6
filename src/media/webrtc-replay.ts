import { sequenceDelta } from './rtp-packet.js';

/** Packets behind the newest one that are told apart from replays (RFC 3711 §3.3.2 asks for 64 at least); a power of two. */
const windowSize = 128;
/** Streams of one peer that are followed at once. Meta sends one; a peer that keeps changing it must neither fall silent nor fill memory. */
const maxStreams = 8;

/** What has been received of one SSRC. */
class Window {
  /** Which sequence number, extended by the count of wraps, was seen last in each place. */
  readonly #seen = new Float64Array(windowSize);
  /** One wrap ahead, so that packets older than the first are positive too. */
  #highest: number;

  constructor(
    readonly ssrc: number,
    sequence: number,
  ) {
    this.#highest = 0x1_0000 + sequence;
  }

  isNew(sequence: number): boolean {
    const extended = this.#highest + sequenceDelta(this.#highest & 0xffff, sequence);
    const place = extended & (windowSize - 1);
    if (extended <= this.#highest - windowSize || this.#seen[place] === extended) return false;
    this.#seen[place] = extended;
    if (extended > this.#highest) this.#highest = extended;
    return true;
  }
}

/**
 * Tells new packets from replayed ones: werift authenticates a packet but takes the same one again and again. Only
 * authenticated packets may be shown to it, else a forger could move the window.
 */
export class ReplayFilter {
  /** Packets refused: seen before, or too old to tell. */
  refused = 0;
  /** The stream that was silent longest comes first. */
  readonly #windows = new Map<number, Window>();
  #last: Window | undefined;

  /** False for a packet that must not be delivered. */
  accepts(ssrc: number, sequence: number): boolean {
    const isSame = this.#last?.ssrc === ssrc;
    const window = (isSame ? this.#last : this.#windows.get(ssrc)) ?? new Window(ssrc, sequence);
    if (!window.isNew(sequence)) {
      this.refused++;
      return false;
    }
    if (!isSame) this.#follow(window);
    return true;
  }

  /** Makes this stream the last one heard; one too many takes the place of the one that was silent longest. */
  #follow(window: Window): void {
    this.#last = window;
    this.#windows.delete(window.ssrc);
    this.#windows.set(window.ssrc, window);
    const [oldest] = this.#windows.keys();
    if (this.#windows.size > maxStreams && oldest !== undefined) this.#windows.delete(oldest);
  }
}
