import { sequenceDelta } from './rtp-packet.js';

/** Packets behind the newest one that are told apart from replays (RFC 3711 §3.3.2 asks for 64 at least); a power of two. */
const windowSize = 128;
/** Streams of one peer that are followed. Meta sends one; more than this is no telephone call. */
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
  /** Packets refused: seen before, too old to tell, or of one SSRC too many. */
  refused = 0;
  readonly #windows = new Map<number, Window>();
  #last: Window | undefined;

  /** False for a packet that must not be delivered. */
  accepts(ssrc: number, sequence: number): boolean {
    const window = this.#last?.ssrc === ssrc ? this.#last : this.#windowOf(ssrc, sequence);
    if (!window?.isNew(sequence)) {
      this.refused++;
      return false;
    }
    this.#last = window;
    return true;
  }

  #windowOf(ssrc: number, sequence: number): Window | undefined {
    const known = this.#windows.get(ssrc);
    if (known || this.#windows.size >= maxStreams) return known;
    const window = new Window(ssrc, sequence);
    this.#windows.set(ssrc, window);
    return window;
  }
}
