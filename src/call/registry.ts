import type { CallId } from '../lib/ids.js';
import type { Call } from './call.js';

/** The live calls. */
export class CallRegistry {
  readonly #calls = new Map<CallId, Call>();
  readonly #waitingForNone: (() => void)[] = [];

  add(call: Call): void {
    this.#calls.set(call.id, call);
  }

  remove(id: CallId): void {
    this.#calls.delete(id);
    if (this.#calls.size === 0) for (const resolve of this.#waitingForNone.splice(0)) resolve();
  }

  get size(): number {
    return this.#calls.size;
  }

  get(id: CallId): Call | undefined {
    return this.#calls.get(id);
  }

  all(): Call[] {
    return [...this.#calls.values()];
  }

  /** Resolves once no call is live. */
  none(): Promise<void> {
    if (this.#calls.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waitingForNone.push(resolve));
  }
}
