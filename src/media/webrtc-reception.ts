/** What a report block says about a received stream (RFC 3550 §6.4.1). */
export interface ReceptionReport {
  readonly ssrc: number;
  /** Share lost since the last report, in 256ths. */
  readonly fractionLost: number;
  readonly packetsLost: number;
  readonly highestSequence: number;
  /** In the stream's clock. */
  readonly jitter: number;
}

/** Packets behind the newest one that are told apart from replays (RFC 3711 §3.3.2 asks for 64 at least). */
const windowSize = 128;
/** Streams of one peer that are followed. Meta sends one; more than this is no telephone call. */
const maxStreams = 8;
const cycle = 65_536;

/** One SSRC: replay window, loss and jitter. */
class Stream {
  /** Extended sequence number seen last in each place of the window. */
  readonly #seen = new Float64Array(windowSize);
  /** Extended by the count of wraps, one ahead so that it stays positive. */
  #highest: number;
  readonly #first: number;
  #received = 0;
  #jitter = 0;
  #transit: number | undefined;
  #expectedBefore = 0;
  #receivedBefore = 0;

  constructor(
    readonly ssrc: number,
    sequence: number,
  ) {
    this.#highest = cycle + sequence;
    this.#first = this.#highest;
  }

  accepts(sequence: number): boolean {
    const delta = ((sequence - this.#highest) << 16) >> 16;
    const extended = this.#highest + delta;
    const place = extended & (windowSize - 1);
    if (extended <= this.#highest - windowSize || this.#seen[place] === extended) return false;
    this.#seen[place] = extended;
    if (extended > this.#highest) this.#highest = extended;
    this.#received++;
    return true;
  }

  /** RFC 3550 appendix A.8; both arguments in ticks of the stream's clock. */
  measure(timestamp: number, arrival: number): void {
    const transit = (arrival - timestamp) | 0;
    if (this.#transit !== undefined) this.#jitter += (Math.abs((transit - this.#transit) | 0) - this.#jitter) / 16;
    this.#transit = transit;
  }

  get jitter(): number {
    return this.#jitter;
  }

  get received(): number {
    return this.#received;
  }

  get lost(): number {
    return Math.max(0, this.#expected - this.#received);
  }

  /** RFC 3550 appendix A.3; starts the next interval. */
  report(): ReceptionReport {
    const expected = this.#expected - this.#expectedBefore;
    const received = this.#received - this.#receivedBefore;
    this.#expectedBefore = this.#expected;
    this.#receivedBefore = this.#received;
    return {
      ssrc: this.ssrc,
      fractionLost: expected > received ? Math.min(255, Math.floor(((expected - received) * 256) / expected)) : 0,
      packetsLost: Math.min(0x7f_ffff, this.lost),
      highestSequence: (this.#highest - cycle) >>> 0,
      jitter: Math.round(this.#jitter),
    };
  }

  get #expected(): number {
    return this.#highest - this.#first + 1;
  }
}

/** All that came from the peer: refuses replays, counts loss and jitter. Only authenticated packets may be shown to it. */
export class Reception {
  readonly #streams = new Map<number, Stream>();
  #current: Stream | undefined;
  #replayed = 0;

  /** @param clockRate of the audio stream, in Hz. */
  constructor(private readonly clockRate: number) {}

  /** Packets that came a second time, or so late that this cannot be told. */
  get replayed(): number {
    return this.#replayed;
  }

  get received(): number {
    let sum = 0;
    for (const stream of this.#streams.values()) sum += stream.received;
    return sum;
  }

  get lost(): number {
    let sum = 0;
    for (const stream of this.#streams.values()) sum += stream.lost;
    return sum;
  }

  /** Of the stream heard last. */
  get jitterMs(): number {
    return ((this.#current?.jitter ?? 0) * 1000) / this.clockRate;
  }

  /** False for a packet that must not be delivered. */
  accepts(ssrc: number, sequence: number): boolean {
    const stream = this.#streamOf(ssrc, sequence);
    if (!stream?.accepts(sequence)) {
      this.#replayed++;
      return false;
    }
    this.#current = stream;
    return true;
  }

  /** Notes when an accepted audio packet arrived, on the monotonic clock. */
  measure(timestamp: number, arrivalMs: number): void {
    this.#current?.measure(timestamp, Math.round((arrivalMs * this.clockRate) / 1000));
  }

  /** Report on the stream heard last; undefined before the first packet. */
  report(): ReceptionReport | undefined {
    return this.#current?.report();
  }

  #streamOf(ssrc: number, sequence: number): Stream | undefined {
    const known = this.#current?.ssrc === ssrc ? this.#current : this.#streams.get(ssrc);
    if (known || this.#streams.size >= maxStreams) return known;
    const stream = new Stream(ssrc, sequence);
    this.#streams.set(ssrc, stream);
    return stream;
  }
}
