import type { PacketPort } from './packet-port.js';

export type MediaTimeout = 'first' | 'idle';

/** How long a side may be silent, RTCP counting as a sign of life. */
export interface MediaWatchdogLimits {
  /** From the moment both sides are joined until the first packet. */
  readonly firstMs: number;
  /** Between packets, after the first one. */
  readonly idleMs: number;
}

interface Side {
  readonly port: PacketPort;
  heard: number;
  /** Packets handed to the bridge, for ports that do not count by themselves. */
  packets: number;
  ever: boolean;
  sinceMs: number;
}

/** Meta's client gives up after 20 s without a first packet, and after 30 s without any later; so do we with either side. */
export const defaultWatchdogLimits: MediaWatchdogLimits = { firstMs: 20_000, idleMs: 30_000 };

/** Watches the two sides of a bridge for silence. Says so once; a new one is made for each joining. */
export class MediaWatchdog {
  readonly #sides: readonly [Side, Side];
  #done = false;

  constructor(
    a: PacketPort,
    b: PacketPort,
    private readonly limits: MediaWatchdogLimits,
    nowMs: number,
  ) {
    this.#sides = [sideOf(a, nowMs), sideOf(b, nowMs)];
  }

  /** A packet arrived from the first or the second side. */
  packetFrom(side: 0 | 1): void {
    this.#sides[side].packets++;
  }

  /** To be called regularly; returns what is wrong, once. */
  check(nowMs: number): MediaTimeout | undefined {
    if (this.#done) return undefined;
    const [a, b] = this.#sides;
    // On hold nobody has to speak; time counts anew from its end.
    const quiet = a.port.quiet === true || b.port.quiet === true;
    for (const side of this.#sides) {
      const heard = side.packets + (side.port.heard ?? 0);
      if (heard !== side.heard) {
        side.heard = heard;
        side.ever = true;
        side.sinceMs = nowMs;
      } else if (quiet) side.sinceMs = nowMs;
    }
    const timeout = this.#verdict(a, nowMs) ?? this.#verdict(b, nowMs);
    this.#done = timeout !== undefined;
    return timeout;
  }

  #verdict(side: Side, nowMs: number): MediaTimeout | undefined {
    const limitMs = side.ever ? this.limits.idleMs : this.limits.firstMs;
    if (nowMs - side.sinceMs < limitMs) return undefined;
    return side.ever ? 'idle' : 'first';
  }
}

function sideOf(port: PacketPort, nowMs: number): Side {
  // What was heard before the joining counts as the first packet.
  const heard = port.heard ?? 0;
  return { port, heard, packets: 0, ever: heard > 0, sinceMs: nowMs };
}
