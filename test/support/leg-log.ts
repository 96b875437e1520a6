import type { Leg, LegEvent } from '../../src/call/leg.js';

interface Waiter {
  readonly type: LegEvent['type'];
  readonly resolve: (event: LegEvent) => void;
}

/** Listens to a leg and keeps what it reports. */
export class LegLog {
  readonly events: LegEvent[] = [];
  readonly #waiters: Waiter[] = [];

  constructor(leg: Leg) {
    leg.listen((event) => {
      this.events.push(event);
      for (const waiter of this.#waiters.splice(0)) {
        if (waiter.type === event.type) waiter.resolve(event);
        else this.#waiters.push(waiter);
      }
    });
  }

  get types(): string[] {
    return this.events.map((event) => event.type);
  }

  /** The first event of this type, also one that came before. */
  async saw<T extends LegEvent['type']>(type: T, deadlineMs = 4000): Promise<Extract<LegEvent, { type: T }>> {
    const known = this.events.find((event) => event.type === type);
    const event = known ?? (await this.#wait(type, deadlineMs));
    return event as Extract<LegEvent, { type: T }>;
  }

  #wait(type: LegEvent['type'], deadlineMs: number): Promise<LegEvent> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`leg did not report ${type} in ${deadlineMs} ms; it reported ${this.types.join(', ')}`)),
        deadlineMs,
      );
      this.#waiters.push({
        type,
        resolve: (event) => {
          clearTimeout(timer);
          resolve(event);
        },
      });
    });
  }
}
