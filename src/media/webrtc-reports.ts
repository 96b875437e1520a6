import type { Clock, Timer } from '../lib/clock.js';
import type { ReceiveStatistics } from './receive-statistics.js';
import { buildRtcp, ntpTime } from './rtcp-packet.js';
import type { WebRtcBeat } from './webrtc-beat.js';

export interface WebRtcReportsOptions {
  readonly clock: Clock;
  readonly ssrc: number;
  readonly cname: string;
  readonly beat: WebRtcBeat;
  readonly received: ReceiveStatistics;
  /** Takes a compound packet in the clear. */
  readonly send: (compound: Buffer) => void;
}

/** RFC 3550 §6.2: the usual interval for two parties. */
const intervalMs = 5000;

/** RTCP towards Meta: werift sends none below its tracks. A report at once and every 5 s while we send, BYE at the end. */
export class WebRtcReports {
  #timer: Timer | undefined;
  #peerReport: { readonly ntpMiddle: number; readonly atMs: number } | undefined;

  constructor(private readonly options: WebRtcReportsOptions) {}

  /** Sends the first report. Idempotent. */
  start(): void {
    if (!this.#timer) this.#beat();
  }

  /** Stops for good; says BYE if it ever began (RFC 3550 §6.6) and `isPeerThere`. */
  stop(isPeerThere: boolean): void {
    this.#timer?.cancel();
    if (this.#timer && isPeerThere) this.#send(true);
    this.#timer = undefined;
  }

  /** Notes the middle 32 bits of the NTP time of the peer's sender report. */
  peerReported(ntpMiddle: number): void {
    this.#peerReport = { ntpMiddle, atMs: this.options.clock.monotonicMs() };
  }

  #beat(): void {
    this.#timer = this.options.clock.after(intervalMs, () => this.#beat());
    this.#send(false);
  }

  #send(bye: boolean): void {
    const { clock, ssrc, cname, beat, received } = this.options;
    const { seconds, fraction } = ntpTime(clock.now());
    const peer = this.#peerReport;
    // DLSR counts in 65536ths of a second (RFC 3550 §6.4.1).
    const delay = peer ? Math.floor((clock.monotonicMs() - peer.atMs) * 65.536) >>> 0 : 0;
    const block = received.report(peer?.ntpMiddle ?? 0, delay);
    const sender = { ntpSeconds: seconds, ntpFraction: fraction, rtpTimestamp: beat.timestampNow, ...beat.sent };
    this.options.send(buildRtcp({ ssrc, cname, sender, block, bye }));
  }
}
