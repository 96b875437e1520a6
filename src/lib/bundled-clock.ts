import type { Clock, ReusableTimer, Timer } from './clock.js';

/** Timers wait in so many places, round and round; who waits for longer than a round is passed over until its turn comes. */
const places = 512;

/**
 * A clock whose timers fire together: all that fall due within one `quantumMs` share a single timer of `clock`, at the end of
 * it. Hundreds of calls with a beat of 20 ms each would else wake the process for every one of them. A timer is late by one
 * quantum at the most.
 */
export function bundledClock(clock: Clock, quantumMs: number): Clock {
  return new TimingWheel(clock, quantumMs);
}

/** A timer, and its links in the place where it waits. */
class WheelTimer implements ReusableTimer {
  /** The quantum at whose end it fires; below zero: none. */
  quantum = -1;
  /** The one at whose end it fired last, or is about to. */
  dueQuantum = 0;
  /** Its quantum is over, its turn about to come. */
  isDue = false;
  previous: WheelTimer | undefined;
  next: WheelTimer | undefined;

  constructor(
    private readonly wheel: TimingWheel,
    readonly callback: () => void,
  ) {}

  arm(delayMs: number): void {
    this.cancel();
    this.wheel.add(this, delayMs);
  }

  cancel(): void {
    this.isDue = false;
    if (this.quantum >= 0) this.wheel.remove(this);
  }
}

/** A hashed timing wheel: arming and cancelling neither search nor make anything. */
class TimingWheel implements Clock {
  readonly #first: (WheelTimer | undefined)[] = Array.from({ length: places }, () => undefined);
  readonly #last: (WheelTimer | undefined)[] = Array.from({ length: places }, () => undefined);
  #waiting = 0;
  /** The last quantum whose timers have fired. */
  #fired = -1;
  #timer: Timer | undefined;
  #timerQuantum = Infinity;
  /** What fires now, in order; what is before `#nextDue` has fired. */
  readonly #due: WheelTimer[] = [];
  #nextDue = 0;

  constructor(
    private readonly clock: Clock,
    private readonly quantumMs: number,
  ) {}

  now(): number {
    return this.clock.now();
  }

  monotonicMs(): number {
    return this.clock.monotonicMs();
  }

  after(delayMs: number, callback: () => void): Timer {
    const timer = new WheelTimer(this, callback);
    this.add(timer, delayMs);
    return timer;
  }

  reusable(callback: () => void): ReusableTimer {
    return new WheelTimer(this, callback);
  }

  add(timer: WheelTimer, delayMs: number): void {
    const dueMs = this.clock.monotonicMs() + Math.max(0, delayMs);
    const quantum = Math.max(this.#fired + 1, Math.ceil(dueMs / this.quantumMs));
    const place = quantum % places;
    timer.quantum = quantum;
    timer.previous = this.#last[place];
    if (timer.previous) timer.previous.next = timer;
    else this.#first[place] = timer;
    this.#last[place] = timer;
    this.#waiting++;
    if (quantum < this.#timerQuantum) this.#wakeAt(quantum);
  }

  remove(timer: WheelTimer): void {
    const place = timer.quantum % places;
    if (timer.previous) timer.previous.next = timer.next;
    else this.#first[place] = timer.next;
    if (timer.next) timer.next.previous = timer.previous;
    else this.#last[place] = timer.previous;
    timer.previous = timer.next = undefined;
    timer.quantum = -1;
    if (--this.#waiting === 0) this.#wakeAt(Infinity);
  }

  #wakeAt(quantum: number): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const nowMs = this.clock.monotonicMs();
    // No further ahead than one round: that is far less than the clock below can wait.
    const latest = Math.floor(nowMs / this.quantumMs) + places;
    this.#timerQuantum = quantum === Infinity ? quantum : Math.min(quantum, latest);
    if (quantum === Infinity) return;
    const delayMs = Math.ceil(this.#timerQuantum * this.quantumMs - nowMs);
    this.#timer = this.clock.after(Math.max(0, delayMs), () => this.#wake());
  }

  #wake(): void {
    // Timers of the clock below may be early by less than it can tell.
    const now = Math.max(this.#timerQuantum, Math.floor(this.clock.monotonicMs() / this.quantumMs));
    const from = Math.max(this.#fired + 1, now - places + 1);
    this.#fired = now;
    const due = this.#due.length;
    for (let quantum = from; quantum <= now; quantum++) this.#collect(quantum % places, now);
    // Behind a stall of more than a round, places are passed in another order than their timers fell due.
    if (now - from === places - 1) {
      for (const timer of this.#due.splice(due).sort((a, b) => a.dueQuantum - b.dueQuantum)) this.#due.push(timer);
    }
    this.#wakeAt(this.#waiting > 0 ? this.#nextQuantum() : Infinity);
    this.#fire();
  }

  #collect(place: number, now: number): void {
    let timer = this.#first[place];
    while (timer) {
      const { next } = timer;
      if (timer.quantum <= now) {
        timer.dueQuantum = timer.quantum;
        this.remove(timer);
        timer.isDue = true;
        this.#due.push(timer);
      }
      timer = next;
    }
  }

  /** Where somebody waits next; no further than one round ahead. */
  #nextQuantum(): number {
    for (let quantum = this.#fired + 1; quantum < this.#fired + places; quantum++) {
      if (this.#first[quantum % places]) return quantum;
    }
    return this.#fired + places;
  }

  #fire(): void {
    try {
      for (let timer = this.#due[this.#nextDue]; timer; timer = this.#due[this.#nextDue]) {
        this.#nextDue++;
        if (!timer.isDue) continue;
        timer.isDue = false;
        timer.callback();
      }
    } finally {
      // One that throws must not take the others' turn away.
      if (this.#nextDue < this.#due.length) this.clock.after(0, () => this.#fire());
      else this.#due.length = this.#nextDue = 0;
    }
  }
}
