import { expect, it } from 'vitest';
import type { Step, Transition } from '../../src/lib/machine-runner.js';

export interface Played<State, Effect> {
  readonly state: State;
  readonly effects: readonly Effect[];
  readonly steps: readonly Step<State, Effect>[];
}

/** Takes a pure machine through events: where it ends, all its effects, and each of its steps. */
export function played<State, Event, Effect>(
  transition: Transition<State, Event, Effect>,
  initial: State,
  events: readonly Event[],
): Played<State, Effect> {
  let state = initial;
  const steps: Step<State, Effect>[] = [];
  for (const event of events) {
    const step = transition(state, event);
    state = step.next;
    steps.push(step);
  }
  return { state, effects: steps.flatMap(({ effects }) => effects), steps };
}

/** How many of the words are among those wanted. */
export const count = (words: readonly string[], ...wanted: string[]): number =>
  words.filter((word) => wanted.includes(word)).length;

/** What a machine is to do in each of its states, in words. */
export interface MachineTable<Name extends string, State, Event extends { readonly type: string }, Effect> {
  /** Every pair of state and event that does something; all others must change nothing. */
  readonly table: Readonly<Record<Name, Partial<Record<Event['type'], string>>>>;
  readonly events: Readonly<Record<Event['type'], Event>>;
  /** The machine's state that goes by a name of the table. */
  readonly stateOf: (name: Name) => State;
  readonly transition: Transition<State, Event, Effect>;
  readonly inWords: (step: Step<State, Effect>) => string;
}

/** One test for each pair of a state and an event. */
export function itKeepsTo<Name extends string, State, Event extends { readonly type: string }, Effect>({
  table,
  events,
  stateOf,
  transition,
  inWords,
}: MachineTable<Name, State, Event, Effect>): void {
  const types = Object.keys(events) as Event['type'][];
  const pairs = (Object.keys(table) as Name[]).flatMap((name) =>
    types.map((type) => ({ name, type, expected: table[name][type] })),
  );
  it.each(pairs)('$name, $type: $expected', ({ name, type, expected }) => {
    const state = stateOf(name);
    const step = transition(state, events[type]);
    if (expected !== undefined) expect(inWords(step)).toBe(expected);
    else expect(step).toEqual({ next: state, effects: [] });
  });
}
