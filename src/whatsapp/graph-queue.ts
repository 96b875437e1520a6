import { lanes, type Lane } from './graph-request.js';

/** What the queue needs to know of a request. */
export interface Queued {
  readonly lane: Lane;
  readonly numberId: string;
}

/**
 * Requests in flight, of all lanes together, up to which a lane may start another. What lies above a lane's mark is the reserve
 * of the lanes before it.
 */
export type LaneMarks = Readonly<Record<Lane, number>>;

/** Share of a lane's mark that one number may take up, so that a number whose requests hang leaves room to the others. */
const NUMBER_SHARE = 0.75;

/**
 * Which request goes next: lanes in their order, within a lane the numbers in turn, within a number first come first served.
 * Holds no time and does nothing by itself.
 */
export class LaneQueue<Entry extends Queued> {
  readonly #waiting = new Map<Lane, Map<string, Entry[]>>(lanes.map((lane) => [lane, new Map<string, Entry[]>()]));
  readonly #inFlightOf = new Map<string, number>();
  #inFlight = 0;

  constructor(private readonly marks: LaneMarks) {}

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Requests that wait, in a lane or in all. */
  waiting(lane?: Lane): number {
    let count = 0;
    for (const each of lane === undefined ? lanes : [lane]) {
      for (const entries of this.#lane(each).values()) count += entries.length;
    }
    return count;
  }

  add(entry: Entry): void {
    const lane = this.#lane(entry.lane);
    const entries = lane.get(entry.numberId);
    if (entries) entries.push(entry);
    else lane.set(entry.numberId, [entry]);
  }

  /** Takes out a request that is wanted no more; false when it waits no longer. */
  remove(entry: Entry): boolean {
    const lane = this.#lane(entry.lane);
    const entries = lane.get(entry.numberId);
    const at = entries?.indexOf(entry) ?? -1;
    if (!entries || at < 0) return false;
    entries.splice(at, 1);
    if (entries.length === 0) lane.delete(entry.numberId);
    return true;
  }

  /** The request that may start now, which counts as in flight from here on; undefined when none may. */
  start(): Entry | undefined {
    for (const lane of lanes) {
      if (this.#inFlight >= this.marks[lane]) continue;
      const entry = this.#takeOf(lane);
      if (!entry) continue;
      this.#inFlight++;
      this.#inFlightOf.set(entry.numberId, this.#ofNumber(entry.numberId) + 1);
      return entry;
    }
    return undefined;
  }

  /** A request that was started is over. */
  finish({ numberId }: Queued): void {
    this.#inFlight--;
    const left = this.#ofNumber(numberId) - 1;
    if (left > 0) this.#inFlightOf.set(numberId, left);
    else this.#inFlightOf.delete(numberId);
  }

  /** Every request that waits, in no particular order. */
  all(): Entry[] {
    return lanes.flatMap((lane) => [...this.#lane(lane).values()].flat());
  }

  #takeOf(lane: Lane): Entry | undefined {
    const numbers = this.#lane(lane);
    for (const [numberId, entries] of numbers) {
      if (this.#ofNumber(numberId) >= Math.max(1, this.marks[lane] * NUMBER_SHARE)) continue;
      const entry = entries.shift();
      // To the end of the round, where the order of a Map puts what is set anew.
      numbers.delete(numberId);
      if (entries.length > 0) numbers.set(numberId, entries);
      return entry;
    }
    return undefined;
  }

  #ofNumber(numberId: string): number {
    return this.#inFlightOf.get(numberId) ?? 0;
  }

  #lane(lane: Lane): Map<string, Entry[]> {
    const numbers = this.#waiting.get(lane);
    if (!numbers) throw new Error(`no lane ${lane}`);
    return numbers;
  }
}
