import type { Trunk } from '../routing/types.js';

/** Counts the live legs of each trunk, both ways, against its `max_calls`. */
export class TrunkLoad {
  readonly #legs = new Map<string, number>();

  /** Takes a place; undefined when the trunk is full. The returned function gives it back, once. */
  take(trunk: Trunk): (() => void) | undefined {
    const legs = this.#legs.get(trunk.name) ?? 0;
    if (legs >= trunk.maxCalls) return undefined;
    this.#legs.set(trunk.name, legs + 1);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#legs.set(trunk.name, (this.#legs.get(trunk.name) ?? 1) - 1);
    };
  }

  legsOf(trunkName: string): number {
    return this.#legs.get(trunkName) ?? 0;
  }
}
