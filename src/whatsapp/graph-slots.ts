import type { Clock } from '../lib/clock.js';
import { deferred, type Deferred } from '../lib/deferred.js';
import { GraphError } from './graph-error.js';
import { LaneQueue, type LaneMarks, type Queued } from './graph-queue.js';
import type { GraphRequest, Lane } from './graph-request.js';

/** Far above what a number needs, and far below what would trouble this process or Meta. */
const MARKS: LaneMarks = { end: 48, answer: 36, connect: 24, other: 24 };
/** New work that waits, per lane; more would only wait for its deadline. */
const WAITING_CAP: Readonly<Partial<Record<Lane, number>>> = { connect: 500, other: 500 };

/** Gives a slot back; idempotent. */
export type Release = () => void;

interface Waiting extends Queued {
  readonly slot: Deferred<Release>;
  readonly leave: () => void;
}

type Asking = Pick<GraphRequest<unknown>, 'lane' | 'numberId' | 'what' | 'signal'>;

/** The places of requests in flight: each request takes one, in the order of the queue, and gives it back. */
export class GraphSlots {
  readonly #queue: LaneQueue<Waiting>;

  constructor(
    private readonly clock: Clock,
    marks: LaneMarks = MARKS,
  ) {
    this.#queue = new LaneQueue(marks);
  }

  get inFlight(): number {
    return this.#queue.inFlight;
  }

  waiting(lane?: Lane): number {
    return this.#queue.waiting(lane);
  }

  /**
   * Waits for a slot, `waitMs` at most.
   * @throws GraphError `timeout` or `held`, always unsent
   */
  take({ lane, numberId, what, signal }: Asking, waitMs: number): Promise<Release> {
    if (signal?.aborted) return Promise.reject(givenUp(what));
    if (this.#queue.waiting(lane) >= (WAITING_CAP[lane] ?? Infinity)) return Promise.reject(tooMany(what));
    const slot = deferred<Release>();
    const leave = (): void => {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
    };
    const entry: Waiting = { lane, numberId, slot, leave };
    const onAbort = (): void => this.#fail(entry, givenUp(what));
    const timer = this.clock.after(waitMs, () => this.#fail(entry, noSlot(what)));
    signal?.addEventListener('abort', onAbort);
    this.#queue.add(entry);
    this.#start();
    return slot.promise;
  }

  /** Looks through what waits and fails what `refusal` names an error for. */
  refuse(refusal: (asked: Queued) => GraphError | undefined): void {
    for (const entry of this.#queue.all()) {
      const error = refusal(entry);
      if (error) this.#fail(entry, error);
    }
  }

  #fail(entry: Waiting, error: GraphError): void {
    if (!this.#queue.remove(entry)) return;
    entry.leave();
    entry.slot.reject(error);
  }

  #start(): void {
    for (let entry = this.#queue.start(); entry; entry = this.#queue.start()) {
      entry.leave();
      entry.slot.resolve(this.#releaseOf(entry));
    }
  }

  #releaseOf(entry: Waiting): Release {
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      this.#queue.finish(entry);
      this.#start();
    };
  }
}

export const noSlot = (what: string): GraphError =>
  new GraphError('timeout', `${what} waited too long behind other requests`, { unsent: true });
/** The leg that asked is over. */
export const givenUp = (what: string): GraphError =>
  new GraphError('held', `${what} was given up before it was sent`, { unsent: true });
const tooMany = (what: string): GraphError =>
  new GraphError('held', `${what}: too many requests wait`, { httpStatus: 429, retryAfterS: 1, unsent: true });
