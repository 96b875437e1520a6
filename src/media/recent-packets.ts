interface Recent<T> {
  readonly packet: T;
  readonly atMs: number;
}

/** Of a stream that was there long before the answer only so much is heard: signalling and media take different ways. */
export const lookBackMs = 100;
/** However fast they come, no more wait. */
const maxPackets = 128;

/**
 * The last moments of a stream that nobody listens to yet. Who answers often speaks at once, and the first packets may be
 * faster than the news of the answer: a stream that began `freshMs` before it, or later, is the answer's and kept from its
 * beginning; of an older one (ringback, early media) only the last 100 ms are.
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

  /** What belongs to the answer, in order of arrival; of one that was not announced by `answered`, the answer is now. */
  take(nowMs: number): T[] {
    const answeredAtMs = this.#answeredAtMs ?? nowMs;
    const isFresh = (this.#beganAtMs ?? nowMs) >= answeredAtMs - this.freshMs;
    const fromMs = answeredAtMs - (isFresh ? this.freshMs : lookBackMs);
    return this.#packets.splice(0).flatMap(({ packet, atMs }) => (atMs >= fromMs ? [packet] : []));
  }
}
