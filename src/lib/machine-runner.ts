/** One step of a pure machine: the next state and what is to be done. */
export interface Step<State, Effect> {
  readonly next: State;
  readonly effects: readonly Effect[];
}

/** A pure machine: one event in, one step out. */
export type Transition<State, Event, Effect> = (state: State, event: Event) => Step<State, Effect>;

/**
 * Drives a pure machine one event at a time: what an effect posts while it is done waits its turn. An effect that throws is
 * reported and does not keep the others from being done.
 */
export class MachineRunner<State, Event, Effect> {
  #state: State;
  readonly #mailbox: Event[] = [];
  #isRunning = false;

  constructor(
    initial: State,
    private readonly transition: Transition<State, Event, Effect>,
    private readonly perform: (effect: Effect) => void,
    private readonly onFault: (error: unknown, effect: Effect) => void,
    /** Told of every step after the state has changed and before its effects are done. */
    private readonly onStep: (before: State, event: Event, after: State) => void = () => undefined,
  ) {
    this.#state = initial;
  }

  get state(): State {
    return this.#state;
  }

  post(event: Event): void {
    this.#mailbox.push(event);
    if (this.#isRunning) return;
    this.#isRunning = true;
    for (let next = this.#mailbox.shift(); next !== undefined; next = this.#mailbox.shift()) this.#step(next);
    this.#isRunning = false;
  }

  #step(event: Event): void {
    const before = this.#state;
    const { next, effects } = this.transition(before, event);
    this.#state = next;
    this.onStep(before, event, next);
    for (const effect of effects) {
      try {
        this.perform(effect);
      } catch (error) {
        this.onFault(error, effect);
      }
    }
  }
}
