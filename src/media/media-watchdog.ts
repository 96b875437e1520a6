import type { MediaTrouble } from './media-engine.js';
import type { PacketPort } from './packet-port.js';

export type MediaTimeout = 'first' | 'idle';

/** How long a side may be silent, RTCP counting as a sign of life. */
export interface MediaWatchdogLimits {
  /** From the moment both sides are joined until the first packet. */
  readonly firstMs: number;
  /** Between packets, after the first one. */
  readonly idleMs: number;
}

/** Meta's client gives up after 20 s without a first packet, and after 30 s without any later; so do we with either side. */
export const defaultWatchdogLimits: MediaWatchdogLimits = { firstMs: 20_000, idleMs: 30_000 };

/** A side that has said RTCP BYE is not waited for as long: the end of the call should be under way. */
const idleAfterByeMs = 5000;
/** Without a sign of life for so long a peer may be dead: said, long before the call is ended for it. */
const peerSilentMs = 8000;
/** Audio from one side alone for so long (F-31). */
const oneWayMs = 5000;
/** The other side's audio flows if it came within this. */
const flowingMs = 1000;

type Noticed = 'one_way_audio' | 'peer_silent';

/** One side of the bridge. */
class Side {
  /** Packets of any kind as of the last look, and since when none came. */
  #heard: number;
  #ever: boolean;
  #sinceMs: number;
  #packetsSeen = 0;
  #audioSinceMs: number;
  #hasAudio = false;
  readonly #noticed = new Set<Noticed>();

  constructor(
    private readonly port: PacketPort,
    /** How many packets were handed to the bridge; also for ports that do not count by themselves. */
    private readonly packets: () => number,
    nowMs: number,
  ) {
    // What was heard before the joining counts as the first packet.
    this.#heard = port.heard ?? 0;
    this.#ever = this.#heard > 0;
    this.#sinceMs = nowMs;
    this.#audioSinceMs = nowMs;
  }

  get isQuiet(): boolean {
    return this.port.quiet === true;
  }

  /** Looks what came since the last look. While it is `quiet`, on hold, nobody has to speak: time counts anew from its end. */
  look(nowMs: number, quiet: boolean): void {
    const packets = this.packets();
    const heard = packets + (this.port.heard ?? 0);
    const hasHeard = heard !== this.#heard;
    this.#heard = heard;
    this.#ever ||= hasHeard;
    if (hasHeard || quiet) this.#sinceMs = nowMs;
    const hasAudio = packets !== this.#packetsSeen;
    this.#packetsSeen = packets;
    this.#hasAudio ||= hasAudio;
    if (hasAudio || quiet) this.#audioSinceMs = nowMs;
    if (hasHeard) this.#mended('peer_silent');
    if (hasAudio || quiet) this.#mended('one_way_audio');
  }

  /** Tells, once each, what ends nothing yet. */
  notice(nowMs: number, other: Side): void {
    if (nowMs - this.#sinceMs >= peerSilentMs) this.#trouble('peer_silent', nowMs - this.#sinceMs);
    if (nowMs - this.#audioSinceMs >= oneWayMs && other.#isFlowing(nowMs)) {
      this.#trouble('one_way_audio', nowMs - this.#audioSinceMs);
    }
  }

  /** What the call is ended for. */
  verdict(nowMs: number, limits: MediaWatchdogLimits): MediaTimeout | undefined {
    const silentMs = nowMs - this.#sinceMs;
    if (silentMs < this.#limitMs(limits)) return undefined;
    this.port.report?.({ kind: this.#ever ? 'idle_timeout' : 'first_timeout', silentMs: Math.round(silentMs) });
    return this.#ever ? 'idle' : 'first';
  }

  #limitMs({ firstMs, idleMs }: MediaWatchdogLimits): number {
    if (!this.#ever) return firstMs;
    return this.port.departed === true ? Math.min(idleMs, idleAfterByeMs) : idleMs;
  }

  #isFlowing(nowMs: number): boolean {
    return this.#hasAudio && nowMs - this.#audioSinceMs < flowingMs;
  }

  #trouble(kind: Noticed, silentMs: number): void {
    if (this.#noticed.has(kind)) return;
    this.#noticed.add(kind);
    this.port.report?.({ kind, silentMs: Math.round(silentMs) });
  }

  #mended(kind: Noticed): void {
    if (!this.#noticed.delete(kind)) return;
    const over: MediaTrouble = { kind, isOver: true };
    this.port.report?.(over);
  }
}

/**
 * Watches the two sides of a bridge for silence. What may mend is told to the side's endpoint; what the call ends for is said
 * once. A new one is made for each joining.
 */
export class MediaWatchdog {
  readonly #sides: readonly [Side, Side];
  #done = false;

  constructor(
    [a, b]: readonly [PacketPort, PacketPort],
    /** How many packets the bridge has been handed by the first and by the second side. */
    [packetsOfA, packetsOfB]: readonly [() => number, () => number],
    private readonly limits: MediaWatchdogLimits,
    nowMs: number,
  ) {
    this.#sides = [new Side(a, packetsOfA, nowMs), new Side(b, packetsOfB, nowMs)];
  }

  /** To be called regularly; returns what is wrong, once. */
  check(nowMs: number): MediaTimeout | undefined {
    if (this.#done) return undefined;
    const [a, b] = this.#sides;
    const quiet = a.isQuiet || b.isQuiet;
    a.look(nowMs, quiet);
    b.look(nowMs, quiet);
    a.notice(nowMs, b);
    b.notice(nowMs, a);
    const timeout = a.verdict(nowMs, this.limits) ?? b.verdict(nowMs, this.limits);
    this.#done = timeout !== undefined;
    return timeout;
  }
}
