/** Where a record goes. */
type Target = readonly [string, number];

/** Fits any path without fragments (RFC 8261 §5), and a handshake's longest flight but for its certificate chain. */
const mostBytes = 1200;

/**
 * Puts the records of one DTLS flight into one datagram (RFC 6347 §4.1.1). The stack sends each on its own; a path with jitter
 * changes their order then, and libwebrtc never gets over that: each repetition is shuffled as well.
 */
export class FlightGatherer {
  #records: Buffer[] = [];
  #bytes = 0;
  #target: Target | undefined;

  constructor(private readonly transmit: (datagram: Buffer, target: Target) => void) {}

  /** Takes a record; it leaves, with those of the same flight, before anything else happens. */
  add(record: Buffer, target: Target): void {
    const isSame = this.#target?.[0] === target[0] && this.#target[1] === target[1];
    if (!isSame || this.#bytes + record.length > mostBytes) this.flush();
    if (this.#records.length === 0) process.nextTick(() => this.flush());
    this.#target = target;
    this.#records.push(record);
    this.#bytes += record.length;
  }

  /** Sends what is gathered now. */
  flush(): void {
    const [records, target] = [this.#records, this.#target];
    if (records.length === 0 || !target) return;
    this.#records = [];
    this.#bytes = 0;
    this.transmit(records.length === 1 && records[0] ? records[0] : Buffer.concat(records), target);
  }
}
