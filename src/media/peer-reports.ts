import type { Clock } from '../lib/clock.js';
import { parseRtcp, type ReportBlock, type RtcpContent } from './rtcp-packet.js';

/** A report of ours that the far end may refer to. */
interface SentReport {
  /** Middle 32 bits of its NTP time. */
  readonly ntpMiddle: number;
  readonly atMs: number;
}

/** Reports under way at once: the round trip is known for paths of up to five times the interval. */
const remembered = 5;
/** A round trip beyond this is a wrong reference, not a path. */
const longestRoundTripMs = 30_000;

/**
 * What the far end says in its RTCP: how much of our stream it misses, its jitter, and by LSR and DLSR how far away it is
 * (RFC 3550 §6.4.1). Round trips are measured on the monotonic clock, so that a wall clock that is set changes none.
 */
export class PeerReports {
  /** The last block about our stream. */
  block: ReportBlock | undefined;
  /** Blocks about our stream so far. */
  blocks = 0;
  roundTripMs: number | undefined;
  #saidBye = false;
  #theirs: SentReport | undefined;
  #ours: SentReport[] = [];

  constructor(
    private readonly clock: Clock,
    /** Of the stream that we send. */
    private readonly ssrc: number,
  ) {}

  /** Share of our packets lost on the way, by the last report: 0 to 1. */
  get fractionLost(): number | undefined {
    return this.block && this.block.fractionLost / 256;
  }

  /** Takes a compound packet in the clear; false if it is malformed, which changes nothing. */
  receive(compound: Uint8Array): boolean {
    const content = parseRtcp(compound);
    if (content) this.#take(content);
    return content !== undefined;
  }

  /** Middle 32 bits of the NTP time of the far end's last sender report, 0 if there was none, and how long ago in 1/65536 s. */
  get lastReport(): { readonly ntpMiddle: number; readonly delay: number } {
    if (!this.#theirs) return { ntpMiddle: 0, delay: 0 };
    const { ntpMiddle, atMs } = this.#theirs;
    return { ntpMiddle, delay: Math.floor((this.clock.monotonicMs() - atMs) * 65.536) >>> 0 };
  }

  /** A sender report of ours with this time goes out now. */
  sent({ seconds, fraction }: { readonly seconds: number; readonly fraction: number }): void {
    const ntpMiddle = ((seconds << 16) | (fraction >>> 16)) >>> 0;
    this.#ours = [...this.#ours.slice(1 - remembered), { ntpMiddle, atMs: this.clock.monotonicMs() }];
  }

  /** Whether it has said goodbye since this was asked last. */
  takeBye(): boolean {
    const saidBye = this.#saidBye;
    this.#saidBye = false;
    return saidBye;
  }

  #take({ sender, blocks, byes }: RtcpContent): void {
    if (sender) this.#theirs = { ntpMiddle: sender.ntpMiddle, atMs: this.clock.monotonicMs() };
    const about = blocks.find(({ ssrc }) => ssrc === this.ssrc);
    if (about) {
      this.block = about;
      this.blocks++;
      this.#measure(about);
    }
    if (byes.length > 0) this.#saidBye = true;
  }

  #measure({ lastSenderReport, delaySinceLastReport }: ReportBlock): void {
    const ours =
      lastSenderReport === 0 ? undefined : this.#ours.find(({ ntpMiddle }) => ntpMiddle === lastSenderReport);
    if (!ours) return;
    const roundTripMs = this.clock.monotonicMs() - ours.atMs - delaySinceLastReport / 65.536;
    // Both clocks' steps may make it a little less than nothing.
    if (roundTripMs < longestRoundTripMs) this.roundTripMs = Math.max(0, roundTripMs);
  }
}
