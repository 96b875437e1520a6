import type { LegEvent } from '../call/leg.js';

/** Keeps a leg's events until someone listens, then hands them on at once and in order. */
export class LegOutbox {
  #listener: ((event: LegEvent) => void) | undefined;
  #waiting: LegEvent[] = [];

  listen(listener: (event: LegEvent) => void): void {
    this.#listener = listener;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const event of waiting) listener(event);
  }

  emit(event: LegEvent): void {
    if (this.#listener) this.#listener(event);
    else this.#waiting.push(event);
  }
}
