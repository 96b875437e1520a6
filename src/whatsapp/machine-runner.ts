/** A pure machine: one event in, the next state and what is to be done out. */
export type Transition<State, Event, Effect> = (
  state: State,
  event: Event,
) => { readonly next: State; readonly effects: readonly Effect[] };

/**
 * Drives a pure machine one event at a time: what an effect reports while it is done waits its turn. An effect that throws is
 * reported and does not keep the others from being done.
 */
export class MachineRunner<State, Event, Effect> {
  #state: State;
  readonly #mailbox: Event[] = [];
  #running = false;

  constructor(
    initial: State,
    private readonly transition: Transition<State, Event, Effect>,
    private readonly perform: (effect: Effect) => void,
    private readonly onFault: (error: unknown, effect: Effect) => void,
  ) {
    this.#state = initial;
  }

  get state(): State {
    return this.#state;
  }

  dispatch(event: Event): void {
    this.#mailbox.push(event);
    if (this.#running) return;
    this.#running = true;
    for (let next = this.#mailbox.shift(); next !== undefined; next = this.#mailbox.shift()) this.#step(next);
    this.#running = false;
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
