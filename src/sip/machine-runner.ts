/** One step of a pure machine. */
export interface Step<State, Effect> {
  readonly next: State;
  readonly effects: readonly Effect[];
}

/** Runs a pure machine: one event at a time, in order, also those that effects post while they run. */
export class MachineRunner<State extends string, Event, Effect> {
  #state: State;
  readonly #queue: Event[] = [];
  #busy = false;

  constructor(
    initial: State,
    private readonly transition: (state: State, event: Event) => Step<State, Effect>,
    private readonly perform: (effect: Effect) => void,
    private readonly onFault: (error: unknown, effect: Effect) => void,
  ) {
    this.#state = initial;
  }

  get state(): State {
    return this.#state;
  }

  post(event: Event): void {
    this.#queue.push(event);
    if (this.#busy) return;
    this.#busy = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#step(next);
    this.#busy = false;
  }

  #step(event: Event): void {
    const { next, effects } = this.transition(this.#state, event);
    this.#state = next;
    for (const effect of effects) {
      try {
        this.perform(effect);
      } catch (error) {
        this.onFault(error, effect);
      }
    }
  }
}
