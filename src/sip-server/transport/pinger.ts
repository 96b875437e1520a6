import type { Clock, Timer } from '../../lib/clock.js';

export interface PingerOptions {
  readonly clock: Clock;
  readonly pingMs: number;
  readonly pongMs: number;
  readonly ping: () => void;
  /** The peer, which answered pings before, is silent. */
  readonly onSilent: () => void;
}

/**
 * Keeps a connection of ours open through NAT and firewalls, and finds out when it is dead (RFC 5626 §4.4.1). Many peers
 * never answer a ping; only one that has answered must answer again.
 */
export class Pinger {
  #next: Timer;
  /** Of the oldest ping since something was heard: a registrar may want them more often than an answer may take. */
  #deadline: Timer | undefined;
  #answers = false;
  #stopped = false;
  #intervalMs: number;

  constructor(private readonly options: PingerOptions) {
    this.#intervalMs = options.pingMs;
    this.#next = this.#arm();
  }

  /** Bytes came: the peer lives. */
  heard(): void {
    this.#deadline?.cancel();
    this.#deadline = undefined;
  }

  /** The peer waits for no longer than a little more than this. */
  atLeastEvery(intervalMs: number): void {
    if (this.#stopped || intervalMs >= this.#intervalMs) return;
    this.#intervalMs = intervalMs;
    this.#next.cancel();
    this.#next = this.#arm();
  }

  ponged(): void {
    this.#answers = true;
  }

  /** For good. */
  stop(): void {
    this.#stopped = true;
    this.#next.cancel();
    this.heard();
  }

  #arm(): Timer {
    return this.options.clock.after(this.#intervalMs, () => this.#ping());
  }

  #ping(): void {
    const { clock, pongMs, ping, onSilent } = this.options;
    this.#next = this.#arm();
    if (this.#answers) this.#deadline ??= clock.after(pongMs, onSilent);
    ping();
  }
}
