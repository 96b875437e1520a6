import type { RemoteInfo } from 'node:dgram';

/** Takes datagrams. The buffer belongs to the receiver, unless whoever hands it over says otherwise. */
export type DatagramListener = (datagram: Buffer, from: RemoteInfo) => void;

export interface DatagramBatchesOptions {
  /** Runs what it is given once everything that has arrived was handed over. */
  readonly defer: (run: () => void) => void;
  readonly nowMs: () => number;
  /** How long the process has waited for something to do, in all. Absent: `heldUpMs` stays 0. */
  readonly idleMs?: () => number;
  /** Absent: batches are as large as they happen to be. */
  readonly rest?: Rest;
}

/** Blocking the process, so that more arrives meanwhile. */
export interface Rest {
  readonly block: (ms: number) => void;
  /** From this rate on, in datagrams a millisecond, it pays. */
  readonly busyPerMs: number;
  /** It begins to read this long after it last did, if nothing else takes as long; by so much a datagram may be late. */
  readonly beatMs: number;
  /** It rests once what a batch has set going in the next turn is done, too; what is read meanwhile waits for the rest. */
  readonly afterNextTurn?: boolean;
}

/** So many datagrams of one socket libuv reads in a turn: after as many, more may be waiting. */
const mostOfOneTurn = 32;
/** What is done need not wait for all of a large batch: behind a stall that would double the delay. */
const mostBeforeSending = 16;
/** The clock is no good for less. */
const leastRestMs = 0.1;
const countedForMs = 100;
/** Where datagrams are rare, the process has looked for them many times while it was busy. */
const mostHeldUpMs = 50;

/**
 * Lets the datagrams of all sockets through in batches: first everything is read, then everything is worked on, then everything
 * is sent. Each of the three finds its code and data in the processor's caches, which one datagram at a time, read, worked on
 * and sent, does not. A busy process may rest for the remainder of a beat, so that it wakes once for many datagrams.
 */
export class DatagramBatches {
  /** What is sent now may wait for the end of the batch. */
  isUnderWay = false;
  /** Batches so far, one that is under way included. */
  begun = 0;
  /** A datagram of this batch may have waited so long for the process to read it: it had other things to do since the last batch. */
  heldUpMs = 0;
  readonly #listeners: (DatagramListener | undefined)[] = [];
  readonly #datagrams: (Buffer | undefined)[] = [];
  readonly #sources: (RemoteInfo | undefined)[] = [];
  #arrived = 0;
  #countedSinceMs = 0;
  #counted = 0;
  #isBusy = false;
  /** It is about to, in the next turn. */
  #restsSoon = false;
  /** Since the last rest, or the last batch that needed none. */
  #awakeSinceMs = 0;
  #lastBeganMs = 0;
  #lastIdleMs = 0;

  constructor(
    private readonly options: DatagramBatchesOptions,
    /** Sends what waits: at the end of a batch, and now and then in a large one. */
    private readonly sendAll: () => void = () => undefined,
  ) {}

  /** Has `listener` take the datagram together with all that arrive meanwhile. It must not throw. */
  arrived(listener: DatagramListener, datagram: Buffer, source: RemoteInfo): void {
    const place = this.#arrived++;
    this.#listeners[place] = listener;
    this.#datagrams[place] = datagram;
    this.#sources[place] = source;
    if (place === 0 && !this.#restsSoon) this.options.defer(this.#run);
  }

  readonly #run = (): void => {
    const beganMs = this.options.nowMs();
    const size = this.#arrived;
    this.#noteHoldUp(beganMs);
    this.isUnderWay = true;
    this.begun++;
    try {
      for (let place = 0; place < this.#arrived; place++) {
        this.#take(place);
        if ((place + 1) % mostBeforeSending === 0) this.sendAll();
      }
    } finally {
      this.isUnderWay = false;
      this.#count(this.#arrived, beganMs);
      // Of a batch whose listener threw, which none of ours does, the rest is lost.
      this.#arrived = 0;
      this.sendAll();
    }
    const { rest } = this.options;
    if (!rest || !this.#isBusy) return;
    const mayRest = size < mostOfOneTurn;
    if (!rest.afterNextTurn || !mayRest) return this.#rest(rest, mayRest);
    this.#restsSoon = true;
    this.options.defer(this.#restNow);
  };

  readonly #restNow = (): void => {
    const { rest } = this.options;
    this.#restsSoon = false;
    // What was read meanwhile is worked on together with what comes until the end of the rest.
    if (this.#arrived > 0) this.options.defer(this.#run);
    if (rest) this.#rest(rest, true);
  };

  #noteHoldUp(nowMs: number): void {
    const idleMs = this.options.idleMs?.() ?? nowMs;
    const busyMs = nowMs - this.#lastBeganMs - (idleMs - this.#lastIdleMs);
    this.heldUpMs = Math.min(mostHeldUpMs, Math.max(0, busyMs));
    this.#lastBeganMs = nowMs;
    this.#lastIdleMs = idleMs;
  }

  #take(place: number): void {
    const [listener, datagram, source] = [this.#listeners[place], this.#datagrams[place], this.#sources[place]];
    // Nothing is held on to: what dies young costs the collector nothing.
    this.#listeners[place] = this.#datagrams[place] = this.#sources[place] = undefined;
    if (listener && datagram && source) listener(datagram, source);
  }

  #count(size: number, nowMs: number): void {
    this.#counted += size;
    const elapsedMs = nowMs - this.#countedSinceMs;
    if (elapsedMs < countedForMs) return;
    this.#isBusy = this.#counted >= (this.options.rest?.busyPerMs ?? Infinity) * elapsedMs;
    this.#countedSinceMs = nowMs;
    this.#counted = 0;
  }

  #rest({ block, beatMs }: Rest, mayRest: boolean): void {
    const restMs = this.#awakeSinceMs + beatMs - this.options.nowMs();
    if (mayRest && restMs >= leastRestMs) block(restMs);
    this.#awakeSinceMs = this.options.nowMs();
  }
}

/** Blocks this process; nothing wakes it before. */
export function blockProcess(ms: number): void {
  Atomics.wait(never, 0, 0, ms);
}

const never = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
