import type { LegEvent } from '../call/leg.js';

/** Hands a leg's events to its one listener; what came before there was one is kept and delivered in order. */
export class LegReporter {
  #listener: ((event: LegEvent) => void) | undefined;
  readonly #waiting: LegEvent[] = [];

  listen(listener: (event: LegEvent) => void): void {
    this.#listener = listener;
    for (let event = this.#waiting.shift(); event; event = this.#waiting.shift()) listener(event);
  }

  report(event: LegEvent): void {
    if (this.#listener && this.#waiting.length === 0) this.#listener(event);
    else this.#waiting.push(event);
  }
}
