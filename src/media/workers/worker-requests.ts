import type { Clock } from '../../lib/clock.js';
import { deferred, type Deferred } from '../../lib/deferred.js';
import { withDeadline } from '../../lib/deadline.js';
import { MediaError } from '../media-error.js';
import type { FromWorker, ToWorker } from './worker-messages.js';

type Settlement = Extract<FromWorker, { type: 'reply' | 'refusal' }>;

/** A worker that owes more answers than this is not asked anything else. */
const maxOpen = 1000;

/** Questions to one worker that it has not answered yet, each with its deadline. */
export class WorkerRequests {
  readonly #open = new Map<number, Deferred<unknown>>();
  #last = 0;
  #lost: Error | undefined;

  constructor(
    private readonly post: (message: ToWorker) => void,
    private readonly clock: Clock,
  ) {}

  /**
   * Asks, and waits for the answer no longer than `deadlineMs`; an answer that comes later is dropped.
   * @throws MediaError as the worker refused, or what `fail` was given; DeadlineError
   */
  async ask(message: (request: number) => ToWorker, deadlineMs: number, what: string): Promise<unknown> {
    if (this.#lost) throw this.#lost;
    if (this.#open.size >= maxOpen) throw new MediaError('limit', 'the media worker owes too many answers');
    const request = ++this.#last;
    const answer = deferred<unknown>();
    this.#open.set(request, answer);
    this.post(message(request));
    try {
      return await withDeadline(answer.promise, deadlineMs, what, this.clock);
    } finally {
      this.#open.delete(request);
    }
  }

  settle(settlement: Settlement): void {
    const answer = this.#open.get(settlement.request);
    if (settlement.type === 'reply') return answer?.resolve(settlement.value);
    const { endCode, message, cause } = settlement;
    answer?.reject(new MediaError(endCode, message, cause === undefined ? {} : { cause: new Error(cause) }));
  }

  /** Nothing will be answered any more. */
  fail(error: Error): void {
    this.#lost = error;
    for (const answer of this.#open.values()) answer.reject(error);
  }
}
