import { FakeClock } from '../../../src/lib/clock.js';

/** One turn of the event loop: every promise callback that is ready, and what follows from it, has run. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A clock that lets the promises that hang on a timer run before the next one fires, as in real time. */
export class SteppingClock extends FakeClock {
  /** Moves time on by `ms`, timer by timer; `between` runs whenever one has fired. */
  async run(ms: number, between: () => Promise<void> = turn): Promise<void> {
    const endMs = this.monotonicMs() + ms;
    while (this.fireNext(endMs)) await between();
    this.advance(endMs - this.monotonicMs());
  }
}
