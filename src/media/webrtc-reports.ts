import type { Clock, Timer } from '../lib/clock.js';
import { PeerReports } from './peer-reports.js';
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
  /** What the peer reports. */
  readonly peer: PeerReports;
  #timer: Timer | undefined;

  constructor(private readonly options: WebRtcReportsOptions) {
    this.peer = new PeerReports(options.clock, options.ssrc);
  }

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

  #beat(): void {
    this.#timer = this.options.clock.after(intervalMs, () => this.#beat());
    this.#send(false);
  }

  #send(bye: boolean): void {
    const { clock, ssrc, cname, beat, received } = this.options;
    const time = ntpTime(clock.now());
    this.peer.sent(time);
    const { ntpMiddle, delay } = this.peer.lastReport;
    const block = received.report(ntpMiddle, delay);
    const { seconds: ntpSeconds, fraction: ntpFraction } = time;
    const sender = { ntpSeconds, ntpFraction, rtpTimestamp: beat.timestampNow, ...beat.sent };
    this.options.send(buildRtcp({ ssrc, cname, sender, block, bye }));
  }
}
