import type { Clock } from '../lib/clock.js';
import { MediaError } from './media-error.js';

export interface PortPoolOptions {
  /** First and last UDP port, both included. */
  readonly range: readonly [number, number];
  readonly clock: Clock;
  /** A number from 0 up to but not including 1. */
  readonly random: () => number;
  /** How long a pair rests before it is used again, so that late packets of an old call never enter a new one; default 5000. */
  readonly quarantineMs?: number;
  /** RTP ports of pairs that somebody else had a moment ago: they rest first. */
  readonly resting?: readonly number[];
}

const defaultQuarantineMs = 5000;

interface Resting {
  readonly rtpPort: number;
  readonly untilMs: number;
}

/** Hands out pairs of an even RTP port and the odd RTCP port above it (RFC 3550 §11), in an order nobody can guess. */
export class PortPool {
  readonly #free: number[] = [];
  /** In the order of their release. */
  #resting: Resting[] = [];
  readonly #taken = new Set<number>();

  constructor(private readonly options: PortPoolOptions) {
    const [first, last] = options.range;
    for (let port = first + (first % 2); port + 1 <= last; port += 2) this.#free.push(port);
    for (const port of options.resting ?? []) this.#rest(port);
  }

  /** Pairs in use. */
  get taken(): number {
    return this.#taken.size;
  }

  /** Pairs that could be had right now. */
  get available(): number {
    this.#endQuarantine();
    return this.#free.length;
  }

  /** Takes a pair; returns its RTP port. @throws MediaError `limit` when none is free. */
  acquire(): number {
    this.#endQuarantine();
    const index = Math.floor(this.options.random() * this.#free.length);
    const port = this.#free[index];
    const last = this.#free.pop();
    if (port === undefined || last === undefined) throw new MediaError('limit', 'all RTP ports are in use');
    if (index < this.#free.length) this.#free[index] = last;
    this.#taken.add(port);
    return port;
  }

  /** Gives a pair back. A pair that is not taken is ignored. */
  release(rtpPort: number): void {
    if (this.#taken.delete(rtpPort)) this.#quarantine(rtpPort);
  }

  #rest(rtpPort: number): void {
    const index = this.#free.indexOf(rtpPort);
    if (index < 0) return;
    this.#free.splice(index, 1);
    this.#quarantine(rtpPort);
  }

  #quarantine(rtpPort: number): void {
    const restMs = this.options.quarantineMs ?? defaultQuarantineMs;
    this.#resting.push({ rtpPort, untilMs: this.options.clock.monotonicMs() + restMs });
  }

  #endQuarantine(): void {
    const nowMs = this.options.clock.monotonicMs();
    const rested = this.#resting.findIndex(({ untilMs }) => untilMs > nowMs);
    const over = rested < 0 ? this.#resting.length : rested;
    if (over === 0) return;
    for (const { rtpPort } of this.#resting.slice(0, over)) this.#free.push(rtpPort);
    this.#resting = this.#resting.slice(over);
  }
}
