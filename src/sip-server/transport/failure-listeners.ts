/** Who wants to hear that a flow failed. Each is called once at most. */
export class FailureListeners {
  readonly #callbacks = new Set<(error: Error) => void>();

  add(callback: (error: Error) => void): () => void {
    this.#callbacks.add(callback);
    return () => this.#callbacks.delete(callback);
  }

  /** Never throws: one listener that does is told to `onThrown`, and costs the others nothing. */
  fire(error: Error, onThrown: (thrown: unknown) => void): void {
    const waiting = [...this.#callbacks];
    this.#callbacks.clear();
    for (const callback of waiting) {
      try {
        callback(error);
      } catch (thrown) {
        onThrown(thrown);
      }
    }
  }
}
