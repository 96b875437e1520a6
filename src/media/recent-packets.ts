interface Recent<T> {
  readonly packet: T;
  readonly atMs: number;
}

/** Of a stream that was there long before the answer only so much is heard: signalling and media take different ways. */
const lookBackMs = 60;
/** And no more than these, since after a stall of ours many come at once. */
const lookBackPackets = 3;
/** However fast they come, no more wait. */
const maxPackets = 128;

/**
 * The last moments of a stream that nobody listens to yet. Who answers often speaks at once, and the first packets may be
 * faster than the news of the answer: a stream that began `freshMs` before it, or later, is the answer's and kept from its
 * beginning; of an older one (ringback, early media) only the last 60 ms are.
 */
export class RecentPackets<T> {
  readonly #packets: Recent<T>[] = [];
  #beganAtMs: number | undefined;
  #answeredAtMs: number | undefined;

  constructor(private readonly freshMs: number) {}

  add(packet: T, nowMs: number): void {
    this.#beganAtMs ??= nowMs;
    this.#packets.push({ packet, atMs: nowMs });
    const oldestMs = (this.#answeredAtMs ?? nowMs) - this.freshMs;
    while (this.#packets.length > maxPackets || (this.#packets[0]?.atMs ?? oldestMs) < oldestMs) this.#packets.shift();
  }

  /** The far end has answered: what comes from now on stays. The first time counts. */
  answered(nowMs: number): void {
    this.#answeredAtMs ??= nowMs;
  }

  /** What belongs to the answer, in order of arrival; if that was not announced by `answered`, it is now. */
  take(nowMs: number): T[] {
    const answeredAtMs = this.#answeredAtMs ?? nowMs;
    const isFresh = (this.#beganAtMs ?? nowMs) >= answeredAtMs - this.freshMs;
    const before = this.#packets.filter(({ atMs }) => atMs < answeredAtMs);
    const old = isFresh ? 0 : Math.max(before.length - lookBackPackets, countBefore(before, answeredAtMs - lookBackMs));
    return this.#packets.splice(0).flatMap(({ packet }, i) => (i >= old ? [packet] : []));
  }
}

/** How many came before a time. */
function countBefore(packets: readonly Recent<unknown>[], timeMs: number): number {
  return packets.filter(({ atMs }) => atMs < timeMs).length;
}
