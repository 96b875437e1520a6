import type { DirectionQuality, MediaSide, QualityReport } from '../../call/media-quality.js';
import type { CallId } from '../../lib/ids.js';
import type { Place } from '../capture/udp-packet.js';
import type { LegReport } from '../timeline.js';

/** One report as Homer takes it: JSON, and between whom. */
export interface HomerReport {
  readonly from: Place;
  readonly to: Place;
  readonly json: string;
}

/** What of one leg adds up, as RTCP's cumulative figures do. */
interface Totals {
  packetsSent: number;
  lostOfTheirs: number;
  packetsReceived: number;
  lostOfOurs: number;
}

interface KnownCall {
  readonly totals: Partial<Record<MediaSide, Totals>>;
  /** Where our SDP and the PBX's say that RTP goes. */
  local?: Place;
  remote?: Place;
}

const NOWHERE: Place = { address: '0.0.0.0', port: 0 };
const SENDER_REPORT = 200;
/** RTP clock rates in Hz; that of G.722 is 8000 by RFC 3551 §4.5.2. */
const CLOCK_RATE = { opus: 48_000, other: 8_000 } as const;
const MAX_CALLS = 10_000;

const BODY = /\r?\n\r?\n/;
const AUDIO = /^m=audio (\d{1,5}) /m;
const CONNECTION = /^c=IN IP[46] (\S+)/m;

/**
 * Makes of the quality reports what Homer expects of RTCP: one report of ours and one of the far end for each, with the figures that
 * are known; no SSRC, no sequence number and no LSR is made up (decision 0364).
 */
export class RtcpReports {
  readonly #calls = new Map<CallId, KnownCall>();

  /** A SIP message of the call; its SDP tells where the audio of its sender is to come to. */
  heard(call: CallId, text: string, isOutgoing: boolean): void {
    const place = audioPlace(text);
    if (place) this.#known(call)[isOutgoing ? 'local' : 'remote'] = place;
  }

  /** Of the last few seconds of one leg. */
  of({ call, side, report }: LegReport): readonly HomerReport[] {
    const known = this.#known(call);
    const totals = (known.totals[side] ??= { packetsSent: 0, lostOfTheirs: 0, packetsReceived: 0, lostOfOurs: 0 });
    const { received, sent } = report;
    totals.packetsSent += sent.packets;
    totals.packetsReceived += received.packets;
    totals.lostOfTheirs += received.lost ?? 0;
    totals.lostOfOurs += sent.lost ?? 0;
    const [local, remote] = side === 'pbx' ? [rtcpOf(known.local), rtcpOf(known.remote)] : [NOWHERE, NOWHERE];
    const expected = received.packets + (received.lost ?? 0);
    const ours = reportJson(report, received, expected, { sent: totals.packetsSent, lost: totals.lostOfTheirs });
    const reports = [{ from: local, to: remote, json: ours }];
    // what the far end did not report on is not known
    if (sent.lost === undefined) return reports;
    const sentByThem = totals.packetsReceived + totals.lostOfTheirs;
    const theirs = reportJson(report, sent, sent.packets, { sent: sentByThem, lost: totals.lostOfOurs });
    return [...reports, { from: remote, to: local, json: theirs }];
  }

  forget(call: CallId): void {
    this.#calls.delete(call);
  }

  #known(call: CallId): KnownCall {
    const known = this.#calls.get(call) ?? { totals: {} };
    this.#calls.delete(call);
    this.#calls.set(call, known);
    const [oldest] = this.#calls.keys();
    if (this.#calls.size > MAX_CALLS && oldest !== undefined) this.#calls.delete(oldest);
    return known;
  }
}

/**
 * `heard` is what the sender of the report heard of the `expected` packets of the other side; `total` is since the beginning. Names
 * and units of RFC 3550 §6.4.1.
 */
function reportJson(
  { codec, roundTripMs }: QualityReport,
  { lost = 0, jitterMs = 0, mos }: DirectionQuality,
  expected: number,
  total: { readonly sent: number; readonly lost: number },
): string {
  const clockRate = codec.toLowerCase() === 'opus' ? CLOCK_RATE.opus : CLOCK_RATE.other;
  const block = {
    fraction_lost: expected > 0 ? Math.min(255, Math.round((256 * lost) / expected)) : 0,
    packets_lost: total.lost,
    ia_jitter: Math.round((jitterMs * clockRate) / 1000),
  };
  return JSON.stringify({
    type: SENDER_REPORT,
    sender_information: { packets: total.sent },
    report_count: 1,
    report_blocks: [block],
    codec,
    mos,
    round_trip_ms: roundTripMs,
  });
}

/** RTCP is one port above RTP (RFC 3550 §11). */
const rtcpOf = (place: Place = NOWHERE): Place => (place.port === 0 ? place : { ...place, port: place.port + 1 });

/** Where an SDP says that audio comes to; undefined when it does not. */
function audioPlace(message: string): Place | undefined {
  const start = BODY.exec(message);
  const sdp = start ? message.slice(start.index) : '';
  const audio = AUDIO.exec(sdp);
  const port = Number(audio?.[1] ?? 0);
  if (!audio || port === 0 || port > 65_535) return undefined;
  const address = CONNECTION.exec(sdp.slice(audio.index))?.[1] ?? CONNECTION.exec(sdp)?.[1];
  return address === undefined ? undefined : { address, port };
}
