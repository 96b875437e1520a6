import type { MediaBridge } from '../call/media-bridge.js';
import { reusableTimer, type ReusableTimer } from '../lib/clock.js';
import { BridgeDirection, type DirectionOptions } from './bridge-direction.js';
import { KeptAudio } from './kept-audio.js';
import { defaultWatchdogLimits, MediaWatchdog, type MediaTimeout, type MediaWatchdogLimits } from './media-watchdog.js';
import type { PacketPort } from './packet-port.js';

export interface TranscodingBridgeOptions extends DirectionOptions {
  /** Finds an endpoint's port by the endpoint's id. */
  readonly portOf: (mediaId: string) => PacketPort | undefined;
  readonly watchdog?: MediaWatchdogLimits;
}

const tickMs = 20;
/** While nothing waits: only the watchdog has to look. */
const restMs = 100;

/** Joins two ports: audio is transcoded, digits are recognised and made anew, silence is watched. */
export class TranscodingBridge implements MediaBridge {
  #kept: KeptAudio | undefined;
  #joint: Joint | undefined;
  #onTimeout: (kind: MediaTimeout) => void = () => undefined;

  constructor(private readonly options: TranscodingBridgeOptions) {}

  prepare(mediaId: string): void {
    const port = this.options.portOf(mediaId);
    if (!port || this.#joint || this.#kept?.port === port) return;
    this.#letGo();
    this.#kept = new KeptAudio(port, this.options.clock);
  }

  connect(mediaIdA: string, mediaIdB: string): void {
    if (this.#joint?.joins(mediaIdA, mediaIdB)) return;
    const a = this.options.portOf(mediaIdA);
    const b = this.options.portOf(mediaIdB);
    if (!a || !b) {
      this.disconnect();
      this.options.logger.warn('media endpoint is gone', { missing: a ? mediaIdB : mediaIdA });
      return;
    }
    const kept = this.#kept;
    this.disconnect();
    this.#joint = new Joint([mediaIdA, mediaIdB], [a, b], kept, this.options, (kind) => this.#onTimeout(kind));
  }

  disconnect(): void {
    this.#letGo();
    this.#joint?.close();
    this.#joint = undefined;
  }

  #letGo(): void {
    if (this.#kept) this.#kept.port.onAudio = undefined;
    this.#kept = undefined;
  }

  sendDtmf(mediaId: string, digit: string, durationMs: number): void {
    if (this.#joint) this.#joint.tellDtmf(mediaId, digit, durationMs);
    else this.options.portOf(mediaId)?.sendDtmf(digit, durationMs);
  }

  onTimeout(listener: (kind: MediaTimeout) => void): void {
    this.#onTimeout = listener;
  }
}

/** Two ports while they are joined. */
class Joint {
  readonly #watchdog: MediaWatchdog;
  readonly #directions: readonly [BridgeDirection, BridgeDirection];
  readonly #timer: ReusableTimer;
  #nextTickMs: number;
  #isResting = false;
  #closed = false;

  constructor(
    private readonly ids: readonly [string, string],
    [a, b]: readonly [PacketPort, PacketPort],
    kept: KeptAudio | undefined,
    private readonly options: TranscodingBridgeOptions,
    private readonly onTimeout: (kind: MediaTimeout) => void,
  ) {
    const nowMs = options.clock.monotonicMs();
    const wake = (): void => {
      if (this.#isResting) this.#wake();
    };
    const there = new BridgeDirection(a, b, kept, options, wake);
    const back = new BridgeDirection(b, a, kept, options, wake);
    this.#directions = [there, back];
    const packets = [() => there.packets, () => back.packets] as const;
    this.#watchdog = new MediaWatchdog([a, b], packets, options.watchdog ?? defaultWatchdogLimits, nowMs);
    this.#nextTickMs = nowMs + (kept ? 1 : tickMs);
    this.#timer = reusableTimer(options.clock, () => this.#tick());
    this.#timer.arm(this.#nextTickMs - nowMs);
  }

  joins(a: string, b: string): boolean {
    return (this.ids[0] === a && this.ids[1] === b) || (this.ids[0] === b && this.ids[1] === a);
  }

  tellDtmf(to: string, digit: string, durationMs: number): void {
    this.#directions[this.ids[1] === to ? 0 : 1].tellDtmf(digit, durationMs);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer.cancel();
    for (const direction of this.#directions) direction.close();
  }

  #wake(): void {
    const nowMs = this.options.clock.monotonicMs();
    this.#isResting = false;
    this.#armFor(Math.min(this.#nextTickMs, nowMs + tickMs), nowMs);
  }

  #armFor(atMs: number, nowMs: number): void {
    this.#nextTickMs = atMs;
    this.#timer.arm(atMs - nowMs);
  }

  #tick(): void {
    const nowMs = this.options.clock.monotonicMs();
    const [there, back] = this.#directions;
    this.#isResting = there.isResting && back.isResting;
    // Aims at the beat, not at 20 ms from now, so that lateness does not add up; armed first, so that no exception ends the beat.
    this.#armFor(Math.max(this.#nextTickMs + (this.#isResting ? restMs : tickMs), nowMs + 1), nowMs);
    const timeout = this.#watchdog.check(nowMs);
    if (timeout) this.onTimeout(timeout);
    if (this.#closed) return;
    try {
      there.tick(nowMs);
    } finally {
      back.tick(nowMs);
    }
  }
}
