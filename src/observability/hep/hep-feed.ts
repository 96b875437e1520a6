import type { CallRecord } from '../../call/call-record.js';
import type { Clock, Timer } from '../../lib/clock.js';
import type { CallId } from '../../lib/ids.js';
import type { SipMessageSeen } from '../capture/sip-rings.js';
import { withoutSipSecrets } from '../capture/sip-secrets.js';
import type { Place } from '../capture/udp-packet.js';
import type { Redaction } from '../redaction.js';
import type { LegReport } from '../timeline.js';
import { CallCorrelation } from './call-correlation.js';
import type { HepLosses } from './hep-losses.js';
import { HEP_TYPE, hepPacket, type HepType } from './hep-packet.js';
import type { HepLink } from './hep-socket.js';
import { RtcpReports } from './rtcp-reports.js';

export interface HepFeedOptions {
  readonly link: HepLink;
  readonly losses: HepLosses;
  readonly captureId: number;
  /** Empty: none. */
  readonly password: string;
  /** Whether SIP messages are sent on; otherwise they tell whose Call-ID is whose, and the SIP server sends them. */
  readonly sendsSip: boolean;
  readonly redaction: Redaction;
  readonly clock: Clock;
  /** Microseconds since the Unix epoch. */
  readonly nowUs: () => number;
  readonly limits?: HepFeedLimits;
}

export interface HepFeedLimits {
  /** That wait. */
  readonly packets: number;
  readonly characters: number;
}

const LIMITS: HepFeedLimits = { packets: 5_000, characters: 16 * 2 ** 20 };
/** Packets wait so long in any case: by then it is known whose call an INVITE is. */
const FLUSH_MS = 100;
/** A SIP message that is nobody's after this belongs to no call. */
const CLAIM_MS = 200;
/** A call without a SIP dialog after this goes by its own id, whatever comes. */
const DIALOG_MS = 5_000;
/** Sent in one go; the event loop has other work. */
const BATCH = 200;
const NEXT_BATCH_MS = 5;

interface Waiting {
  readonly type: HepType;
  readonly atUs: number;
  readonly sinceMs: number;
  /** Undefined: what its Call-ID says. */
  readonly call: CallId | undefined;
  readonly sip: SipMessageSeen | undefined;
  readonly text: string;
  /** Undefined: our own address. */
  readonly between: { readonly from: Place; readonly to: Place } | undefined;
}

/**
 * Sends what happens to a HEP3 receiver, such as Homer: SIP, RTCP figures, log lines and the record of each call, under one correlation
 * id. What is told only takes its place in a bounded queue; all work is done later, and what does not get through is counted.
 */
export class HepFeed {
  #waiting: Waiting[] = [];
  #characters = 0;
  #timer: Timer | undefined;
  #isClosed = false;
  readonly #correlation = new CallCorrelation();
  readonly #rtcp = new RtcpReports();

  constructor(private readonly options: HepFeedOptions) {}

  belongs(sipCallId: string, call: CallId): void {
    this.#correlation.belongs(sipCallId, call);
  }

  /** A SIP message that was on the wire, with its secrets: they are crossed out before it leaves. */
  seen(sip: SipMessageSeen): void {
    this.#take({ type: HEP_TYPE.sip, call: undefined, sip, text: sip.text, between: undefined });
  }

  /** A line of the log as it was written, redacted. */
  line(call: CallId, text: string): void {
    this.#take({ type: HEP_TYPE.log, call, sip: undefined, text, between: undefined });
  }

  quality(leg: LegReport): void {
    for (const { from, to, json } of this.#rtcp.of(leg)) {
      this.#take({ type: HEP_TYPE.rtcp, call: leg.call, sip: undefined, text: json, between: { from, to } });
    }
  }

  /** The call is over; its record goes out as the log would show it. */
  record(record: CallRecord): void {
    const { call, sipCallIdA = '', sipCallIdB = '' } = record;
    for (const sipCallId of [sipCallIdA, sipCallIdB]) this.belongs(sipCallId, call);
    const text = JSON.stringify(this.options.redaction.value(record));
    this.#take({ type: HEP_TYPE.cdr, call, sip: undefined, text, between: undefined });
    this.#correlation.settle(call);
    this.#rtcp.forget(call);
  }

  /** Sends what waits. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#timer?.cancel();
    for (const entry of this.#waiting.splice(0)) {
      if (this.options.link.hasRoom) this.#send(entry, this.#idAtLast(entry));
    }
    await this.options.link.close();
  }

  #take(entry: Omit<Waiting, 'atUs' | 'sinceMs'>): void {
    if (this.#isClosed) return;
    const { packets, characters } = this.options.limits ?? LIMITS;
    if (this.#waiting.length >= packets || this.#characters + entry.text.length > characters) {
      return this.options.losses.add(1, 'more than can be sent');
    }
    const { nowUs, clock } = this.options;
    this.#characters += entry.text.length;
    this.#waiting.push({ ...entry, atUs: nowUs(), sinceMs: clock.monotonicMs() });
    this.#arm(FLUSH_MS);
  }

  #arm(afterMs: number): void {
    this.#timer ??= this.options.clock.after(afterMs, () => {
      this.#timer = undefined;
      this.#flush();
    });
  }

  #flush(): void {
    const held: Waiting[] = [];
    let sent = 0;
    for (const entry of this.#waiting) {
      const id = sent < BATCH && this.options.link.hasRoom ? this.#idOf(entry) : undefined;
      if (id === undefined) held.push(entry);
      else {
        sent++;
        this.#characters -= entry.text.length;
        this.#send(entry, id);
      }
    }
    this.#waiting = held;
    if (held.length > 0) this.#arm(sent >= BATCH ? NEXT_BATCH_MS : FLUSH_MS);
  }

  /** Undefined: it is not known yet. */
  #idOf(entry: Waiting): string | undefined {
    const { sip, sinceMs } = entry;
    const call = this.#callOf(entry);
    const waitedMs = this.options.clock.monotonicMs() - sinceMs;
    if (call === undefined) return waitedMs < CLAIM_MS ? undefined : (sip?.sipCallId ?? '');
    return this.#correlation.idOf(call) ?? (waitedMs >= DIALOG_MS ? this.#correlation.settle(call) : undefined);
  }

  #idAtLast(entry: Waiting): string {
    const call = this.#callOf(entry);
    return call === undefined ? (entry.sip?.sipCallId ?? '') : this.#correlation.settle(call);
  }

  #callOf({ call, sip }: Waiting): CallId | undefined {
    return call ?? this.#correlation.callOf(sip?.sipCallId ?? '');
  }

  #send(entry: Waiting, correlationId: string): void {
    const { sip, type, atUs } = entry;
    const { link, losses, captureId, password, sendsSip } = this.options;
    const call = this.#callOf(entry);
    if (sip && call !== undefined) this.#rtcp.heard(call, sip.text, sip.isOutgoing);
    if (sip && !sendsSip) return;
    const packet = hepPacket({
      ...{ type, atUs, captureId, password, correlationId },
      ...(sip ? betweenOf(sip) : (entry.between ?? { from: link.local, to: link.local })),
      isTcp: sip !== undefined && sip.transport !== 'udp',
      payload: Buffer.from(sip ? withoutSipSecrets(sip.text) : entry.text),
    });
    if (packet) link.send(packet);
    else losses.add(1, 'longer than a datagram');
  }
}

const NOWHERE: Place = { address: '0.0.0.0', port: 5060 };

function betweenOf({ isOutgoing, local = NOWHERE, remote }: SipMessageSeen): { from: Place; to: Place } {
  return isOutgoing ? { from: local, to: remote } : { from: remote, to: local };
}
