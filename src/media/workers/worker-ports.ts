import type { Clock } from '../../lib/clock.js';

/** As long as a pair rests after a call (port-pool.ts). */
const restMs = 5000;

/**
 * The RTP ports that one worker's calls have, or had so lately that packets may still come for them: whoever gets this worker's
 * ports after it died has to let those rest.
 */
export class WorkerPorts {
  readonly #open = new Set<number>();
  #closed: { readonly port: number; readonly atMs: number }[] = [];

  constructor(private readonly clock: Clock) {}

  get used(): number[] {
    this.#prune();
    return [...this.#open, ...this.#closed.map(({ port }) => port)];
  }

  take(port: number): void {
    this.#open.add(port);
  }

  /** A port that is not taken is ignored. */
  release(port: number): void {
    if (!this.#open.delete(port)) return;
    this.#prune();
    this.#closed.push({ port, atMs: this.clock.monotonicMs() });
  }

  #prune(): void {
    const sinceMs = this.clock.monotonicMs() - restMs;
    this.#closed = this.#closed.filter(({ atMs }) => atMs > sinceMs);
  }
}
