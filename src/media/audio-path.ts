import { given } from '../lib/given.js';
import type { CodecRegistry } from './codec-registry.js';
import type { KeptPacket } from './kept-audio.js';
import type { MediaPacket, NegotiatedAudio, PacketPort } from './packet-port.js';
import type { LevelMeter } from './quality/level-meter.js';
import { PlayoutSequencer, type PlayoutSink, type SequencerStats } from './playout-sequencer.js';

/** One direction of a bridge: what arrives at one port, on its way to the other. */
export interface AudioPath {
  accept(packet: MediaPacket, nowMs: number): void;
  /** Takes a packet that says how loud the far end's pauses are (RFC 3389). */
  acceptNoise?(packet: MediaPacket): void;
  /** Whether this path can carry what is in the packet; absent: it always can. */
  suits?(packet: MediaPacket): boolean;
  /** Every 20 ms or so, and every 100 ms at least while it rests. */
  tick(nowMs: number): void;
  /** Whether nothing waits for `tick`. */
  readonly isResting: boolean;
  /** Plays packets that were kept, in real time from now on; what is accepted meanwhile comes behind them. */
  playKept(packets: readonly KeptPacket[], nowMs: number): void;
  /** Takes what was agreed on anew; false, and nothing is changed, if that needs another path. */
  goOnWith(source: NegotiatedAudio, sink: NegotiatedAudio): boolean;
  /** How much later than usual what is accepted now goes out, because of kept packets. */
  readonly delayMs: number;
  /** While set, silence goes out in place of the audio: a DTMF digit is being pressed. */
  muted: boolean;
  readonly stats: SequencerStats;
  close(): void;
}

export interface AudioPathOptions {
  readonly source: NegotiatedAudio;
  readonly sink: NegotiatedAudio;
  readonly port: PacketPort;
  readonly codecs: CodecRegistry;
  /** How long packets behind a gap wait for reordered ones. */
  readonly holdMs: number;
  readonly nowMs: number;
  /** Takes what is decoded. */
  readonly level?: LevelMeter;
}

/** Opus goes out in frames of this length whatever the other side sends: what Meta asks for. G.711 for Meta has it as its ptime. */
export const opusFrameMs = 20;

/** Where the far end's beat should be when a packet comes on the fastest path: this far ahead of the clock. */
const comfortableLeadMs = 10;

/** By how much what is sent now would be too early for the far end's beat, or too late. */
export function surplusOf({ leadMs }: PacketPort, lagMs: number): number {
  return leadMs === undefined ? 0 : Math.round(leadMs) + lagMs - comfortableLeadMs;
}

/** Puts the packets of a path in order. */
export function sequencerOf(
  options: AudioPathOptions,
  path: PlayoutSink,
  fill: boolean,
  aheadMs?: () => number,
): PlayoutSequencer {
  const { source, sink, nowMs } = options;
  // Waiting for a reordered packet would cost a place in the beat of the WebRTC side; a trunk seldom reorders.
  const isOpusOnly = source.codec === 'opus' && sink.codec === 'opus';
  const holdMs = fill || isOpusOnly ? options.holdMs : 0;
  return new PlayoutSequencer({ clockRate: source.clockRate, holdMs, fill, ...given('aheadMs', aheadMs) }, path, nowMs);
}
