import type { Logger } from './logger.js';

/** What runs, to be stopped in the opposite order; a part that fails to stop does not keep the others up. */
export class StopStack {
  readonly #stops: { readonly what: string; readonly stop: () => Promise<void> | void }[] = [];

  constructor(private readonly logger: Logger) {}

  add(what: string, stop: () => Promise<void> | void): void {
    this.#stops.push({ what, stop });
  }

  async unwind(): Promise<void> {
    for (let part = this.#stops.pop(); part; part = this.#stops.pop()) {
      const { what, stop } = part;
      try {
        await stop();
      } catch (err) {
        this.logger.error('part did not stop', { what, err });
      }
    }
  }
}
