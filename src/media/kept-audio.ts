import type { Clock } from '../lib/clock.js';
import type { MediaPacket, NegotiatedAudio, PacketPort } from './packet-port.js';

/** Longest time for which audio is kept; what comes later is not heard, the first words are. */
export const maxKeptMs = 5000;
/** Whatever the packets' length and number. */
const maxPackets = 600;

/** A packet and what was agreed on when it came: a later offer may have changed that by the time it is played. */
export interface KeptPacket extends MediaPacket {
  readonly audio: NegotiatedAudio | undefined;
}

/** What one side said while the other was not up yet, as it arrived. */
export class KeptAudio {
  readonly packets: KeptPacket[] = [];
  #sinceMs: number | undefined;

  /** Listens to the port until another listener takes its place. */
  constructor(
    readonly port: PacketPort,
    private readonly clock: Clock,
  ) {
    port.onAudio = (packet) => this.add(packet);
    port.recall?.();
  }

  /** Keeps a copy, unless there is enough. */
  add({ sequence, timestamp, marker, payload }: MediaPacket): void {
    const nowMs = this.clock.monotonicMs();
    this.#sinceMs ??= nowMs;
    if (nowMs - this.#sinceMs >= maxKeptMs || this.packets.length >= maxPackets) return;
    this.packets.push({ sequence, timestamp, marker, payload: Uint8Array.from(payload), audio: this.port.audio });
  }
}
