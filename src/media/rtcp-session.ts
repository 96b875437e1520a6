import type { Clock, Timer } from '../lib/clock.js';
import type { ReceiveStatistics } from './receive-statistics.js';
import { buildRtcp, ntpTime, parseRtcp, type SenderInfo } from './rtcp-packet.js';
import type { RtpSender } from './rtp-sender.js';

export interface RtcpSessionOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly cname: string;
  readonly sender: RtpSender;
  readonly received: ReceiveStatistics;
  readonly send: (datagram: Buffer) => void;
}

/** Mean time between reports (RFC 3550 §6.2), halved before the first one, and spread by half each way (§6.3.1). */
const intervalMs = 5000;

/** Reports of one stream: sends SR or RR with CNAME every 5 s or so, reads those of the far end, says BYE. */
export class RtcpSession {
  /** What the far end reported last of what it receives from us. */
  lossSeenByPeer: number | undefined;
  #timer: Timer | undefined;
  #lastSenderReport = 0;
  #lastSenderReportAtMs = 0;
  #packetsReported = 0;
  #closed = false;

  constructor(private readonly options: RtcpSessionOptions) {}

  /** Begins to report. Idempotent. */
  start(): void {
    if (!this.#timer && !this.#closed) this.#schedule(intervalMs / 2);
  }

  /** Takes a datagram from the far end; false if it is malformed. */
  receive(datagram: Uint8Array): boolean {
    const content = parseRtcp(datagram);
    if (!content) return false;
    if (content.sender) {
      this.#lastSenderReport = content.sender.ntpMiddle;
      this.#lastSenderReportAtMs = this.options.clock.monotonicMs();
    }
    const about = content.blocks.find(({ ssrc }) => ssrc === this.options.sender.ssrc);
    if (about) this.lossSeenByPeer = about.fractionLost / 256;
    return true;
  }

  /** Stops; tells the far end if it ever heard of us. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    if (this.#timer) this.#report(true);
  }

  #schedule(meanMs: number): void {
    this.#timer = this.options.clock.after(meanMs * (0.5 + this.options.random()), () => {
      this.#schedule(intervalMs);
      this.#report(false);
    });
  }

  #report(bye: boolean): void {
    const { sender, received, cname, clock } = this.options;
    const sinceMs = clock.monotonicMs() - this.#lastSenderReportAtMs;
    const delay = this.#lastSenderReport === 0 ? 0 : Math.floor(sinceMs * 65.536) >>> 0;
    const block = received.report(this.#lastSenderReport, delay);
    this.options.send(buildRtcp({ ssrc: sender.ssrc, cname, sender: this.#senderInfo(), block, bye }));
  }

  /** Only who sent since the last report is a sender (RFC 3550 §6.4). */
  #senderInfo(): SenderInfo | undefined {
    const { sender, clock } = this.options;
    if (sender.packets === this.#packetsReported) return undefined;
    this.#packetsReported = sender.packets;
    const { seconds, fraction } = ntpTime(clock.now());
    return {
      ntpSeconds: seconds,
      ntpFraction: fraction,
      rtpTimestamp: sender.timestamp,
      packets: sender.packets,
      octets: sender.octets,
    };
  }
}
