import type { Clock, Timer } from '../lib/clock.js';
import { PeerReports } from './peer-reports.js';
import type { ReceiveStatistics } from './receive-statistics.js';
import { buildRtcp, ntpTime, type SenderInfo } from './rtcp-packet.js';
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
  /** What the far end reports. */
  readonly peer: PeerReports;
  #timer: Timer | undefined;
  #packetsReported = 0;
  #closed = false;

  constructor(private readonly options: RtcpSessionOptions) {
    this.peer = new PeerReports(options.clock, options.sender.ssrc);
  }

  /** Begins to report. Idempotent. */
  start(): void {
    if (!this.#timer && !this.#closed) this.#schedule(intervalMs / 2);
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
    const { sender, received, cname } = this.options;
    const { ntpMiddle, delay } = this.peer.lastReport;
    const block = received.report(ntpMiddle, delay);
    this.options.send(buildRtcp({ ssrc: sender.ssrc, cname, sender: this.#senderInfo(), block, bye }));
  }

  /** Only who sent since the last report is a sender (RFC 3550 §6.4). */
  #senderInfo(): SenderInfo | undefined {
    const { sender, clock } = this.options;
    if (sender.packets === this.#packetsReported) return undefined;
    this.#packetsReported = sender.packets;
    const time = ntpTime(clock.now());
    this.peer.sent(time);
    return {
      ntpSeconds: time.seconds,
      ntpFraction: time.fraction,
      rtpTimestamp: sender.timestamp,
      packets: sender.packets,
      octets: sender.octets,
    };
  }
}
