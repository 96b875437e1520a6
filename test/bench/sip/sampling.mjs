const RECEIVE_BUFFER_BYTES = 1024 * 1024;

/** A datagram socket that talks to one port of this machine. */
export function bindClient(createSocket, port) {
  const socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER_BYTES });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.connect(port, '127.0.0.1', () => {
      socket.off('error', reject);
      // A datagram nobody took shows in the counts; it must not end the run.
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}

/** The value below which this share of the sorted values lies; 0 of none. */
export const percentile = (sorted, share) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

/** The middle value; the mean of the two in the middle when their number is even. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Counts of one load. */
export class Tally {
  offered = 0;
  completed = 0;
  failed = 0;
  failures = new Map();
  repeatedByUs = 0;
  repeatedByServer = 0;
  /** Datagrams that belong to no call under way. */
  stray = 0;
  answersMs = [];
  #firstMs = 0;
  #lastMs = 0;

  /** From the first call's beginning to the last one's end. */
  get spanMs() {
    return this.#lastMs - this.#firstMs;
  }

  begin(nowMs) {
    if (this.offered === 0) this.#firstMs = nowMs;
    this.offered += 1;
  }

  complete() {
    this.completed += 1;
    this.#lastMs = performance.now();
  }

  fail(reason) {
    this.failed += 1;
    this.failures.set(reason, (this.failures.get(reason) ?? 0) + 1);
  }

  onStray() {
    this.stray += 1;
  }
}
