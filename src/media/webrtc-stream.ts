import { randomBytes, randomInt } from 'node:crypto';
import type { Clock } from '../lib/clock.js';
import { given } from '../lib/given.js';
import type { WhatsAppFormat, WhatsAppRemote } from '../sdp/whatsapp-remote.js';
import type { LossReports } from './expected-loss.js';
import type { MediaEndpointEvent, MediaStats, MediaTrouble } from './media-engine.js';
import type { MediaPacket, NegotiatedAudio, PacketPort } from './packet-port.js';
import { LevelMeter } from './quality/level-meter.js';
import { QualityMonitor } from './quality/quality-monitor.js';
import { ReceiveStatistics } from './receive-statistics.js';
import { RecentPackets } from './recent-packets.js';
import { emptyRtpFields, parseRtp, payloadOf, rtpHeaderBytes, writeRtpHeader } from './rtp-packet.js';
import { silenceFrames } from './silence-frames.js';
import { Views } from './views.js';
import { WebRtcBeat } from './webrtc-beat.js';
import type { PacketSender, PacketSink } from './webrtc-packets.js';
import { WebRtcReports } from './webrtc-reports.js';

/** Longer than any frame that fits into a datagram. */
const maxPacketBytes = 2048;

/** Packets are read and built one at a time, and whoever is handed one is done with it before the next: what they need is there once, and warm. */
const fields = emptyRtpFields();
const incoming = { sequence: 0, timestamp: 0, marker: false, payload: new Uint8Array(0) as Uint8Array };
const outgoing = new Views(Buffer.alloc(maxPacketBytes));

/** What Meta sends DTMF on when its SDP names no payload type. */
const defaultEventPayloadType = 126;
const opusClockRate = 48_000;
/** What Meta is sent, and asked for. */
const ptimeMs = 20;
/** So many packets in a row of another codec that was agreed on: it is what is spoken now. */
const strangersToFollow = 3;
/** The webhook that tells of the pick-up takes a while; the user's first word may be faster. */
const freshMs = 1000;

/** The RTP of one WhatsApp leg: one audio stream each way, reports, and the bridge's face of it. Knows no ICE and no DTLS. */
export class WebRtcStream implements PacketPort, PacketSink {
  /** The one SSRC of the whole call. */
  readonly ssrc = randomInt(1, 2 ** 32 - 1);
  /** A random name: a CNAME must not tell who or where we are (RFC 7022). */
  readonly cname = randomBytes(9).toString('hex');
  /** Called at the first packet heard, with troubles and with reports of the quality. */
  onEvent: (event: MediaEndpointEvent) => void = () => undefined;
  /** Sees each packet of RTP and RTCP in the clear. */
  tap: ((packet: Uint8Array, isOutgoing: boolean) => void) | undefined;
  onAudio: ((packet: MediaPacket) => void) | undefined;
  onTelephoneEvent: ((packet: MediaPacket) => void) | undefined;
  fillSlot: (() => Uint8Array) | undefined;
  readonly level = new LevelMeter();
  readonly #received = new ReceiveStatistics(opusClockRate);
  readonly #beat: WebRtcBeat;
  readonly #reports: WebRtcReports;
  readonly #quality: QualityMonitor;
  #path: PacketSender | undefined;
  #remote: WhatsAppRemote | undefined;
  #audio: NegotiatedAudio | undefined;
  #silence = silenceFrames.opus;
  #strangers = 0;
  #heard = 0;
  #lastPacketMs = 0;
  #saidBye = false;
  #unheard: RecentPackets<MediaPacket> | undefined = new RecentPackets(freshMs);

  constructor(private readonly clock: Clock) {
    const origin = { sequence: randomInt(2 ** 15), timestamp: randomInt(2 ** 32) };
    this.#beat = new WebRtcBeat(
      clock,
      (kind, packet) => this.#send(kind, packet),
      origin,
      () => this.fillSlot?.() ?? this.#silence,
      () => this.onEvent({ type: 'trouble', trouble: { kind: 'digits_dropped' } }),
    );
    this.#reports = new WebRtcReports({
      clock,
      ssrc: this.ssrc,
      cname: this.cname,
      beat: this.#beat,
      received: this.#received,
      send: (compound) => this.#sendReport(compound),
    });
    this.#quality = new QualityMonitor({
      ...{ clock, received: this.#received, peer: this.#reports.peer, sent: sentBy(this.#beat), level: this.level },
      audio: () => this.#audio,
      onReport: (report, total) => this.onEvent({ type: 'quality', report, total }),
    });
  }

  /** Frames of the bridge that had no place in the beat. */
  get droppedFrames(): number {
    return this.#beat.dropped;
  }

  get stats(): MediaStats {
    return {
      codec: this.#audio?.codec ?? '',
      packetsReceived: this.#received.packets,
      packetsSent: this.#beat.sent.packets,
      packetsLost: this.#received.lost,
      jitterMs: this.#received.jitterMs,
      ...given('roundTripMs', this.#reports.peer.roundTripMs),
      ...given('lossSeenByPeer', this.#reports.peer.fractionLost),
      quality: this.#quality.total,
    };
  }

  /** Since the last packet was heard, RTP or RTCP, in ms; since the origin of the clock if none was. */
  get silentMs(): number {
    return this.clock.monotonicMs() - this.#lastPacketMs;
  }

  /** Digits for Meta dropped so far, since too many waited. */
  get droppedDigits(): number {
    return this.#beat.droppedDigits;
  }

  get audio(): NegotiatedAudio | undefined {
    return this.#audio;
  }

  get heard(): number {
    return this.#heard;
  }

  get sending(): boolean {
    return this.#beat.isRunning;
  }

  get departed(): boolean {
    return this.#saidBye;
  }

  get leadMs(): number {
    return this.#beat.leadMs;
  }

  get lossReports(): LossReports {
    return this.#reports.peer;
  }

  report(trouble: MediaTrouble): void {
    this.onEvent({ type: 'trouble', trouble });
  }

  recall(): void {
    const packets = this.#unheard?.take(this.clock.monotonicMs());
    this.#unheard = undefined;
    packets?.forEach((packet) => this.onAudio?.(packet));
  }

  sendAudio(payload: Uint8Array, durationMs: number): void {
    this.#beat.sendAudio(payload, durationMs);
  }

  sendDtmf(digit: string, durationMs: number): void {
    if (this.#remote?.telephoneEventPayloadType !== undefined) this.#beat.sendDtmf(digit, durationMs);
  }

  /** Sets the payload types. Of several formats the first is what is sent. */
  negotiate(remote: WhatsAppRemote): void {
    this.#remote = remote;
    this.#use(remote.formats[0]);
  }

  /** Sends from now on: RTP at once and every 20 ms, a report at once and every 5 s. Idempotent. */
  start(path: PacketSender): void {
    this.#path = path;
    this.#beat.start();
    this.#reports.start();
    this.#quality.start();
  }

  /** Stops for good; says BYE if anything was ever sent and `isPeerThere`. Idempotent. */
  stop(isPeerThere: boolean): void {
    this.#beat.stop();
    this.#reports.stop(isPeerThere);
    this.#quality.stop();
    this.#path = undefined;
  }

  /** Takes an RTP packet that proved authentic and new; the bytes are not needed afterwards. */
  receive(datagram: Buffer): void {
    if (!parseRtp(datagram, fields)) return;
    this.tap?.(datagram, false);
    // Whoever is told something before the packet is delivered may have another one read.
    const { ssrc, sequence, timestamp, payloadType, marker } = fields;
    const isFirst = this.#received.packets === 0;
    const payload = payloadOf(isFirst ? Buffer.from(datagram) : datagram, fields);
    const isAudio = payloadType === this.#audio?.payloadType || this.#follows(payloadType);
    this.#heard++;
    this.#lastPacketMs = this.clock.monotonicMs();
    this.#received.receive(ssrc, sequence, timestamp, this.#lastPacketMs, isAudio);
    this.#saidBye = false;
    if (isFirst) this.onEvent({ type: 'first_packet' });
    incoming.sequence = sequence;
    incoming.timestamp = timestamp;
    incoming.marker = marker;
    incoming.payload = payload;
    if (isAudio) {
      this.#strangers = 0;
      this.#deliver(incoming);
    } else if (payloadType === this.#eventPayloadType) this.onTelephoneEvent?.(incoming);
  }

  /** Takes a compound RTCP packet that proved authentic and new. */
  receiveReport(compound: Buffer): void {
    const { peer } = this.#reports;
    if (!peer.receive(compound)) return;
    this.tap?.(compound, false);
    this.#heard++;
    this.#lastPacketMs = this.clock.monotonicMs();
    if (!peer.takeBye()) return;
    this.#saidBye = true;
    this.onEvent({ type: 'trouble', trouble: { kind: 'bye' } });
  }

  #use({ codec, payloadType, clockRate }: WhatsAppFormat): void {
    this.#audio = { codec, payloadType, clockRate, ptimeMs };
    this.#silence = silenceFrames[codec];
    this.#received.clockRate = clockRate;
    this.#beat.clockRate = clockRate;
  }

  /** An answer of several formats allows each of them (RFC 3264 §6.1): what is really sent is spoken back. */
  #follows(payloadType: number): boolean {
    const other = this.#remote?.formats.find((format) => format.payloadType === payloadType);
    if (!other || ++this.#strangers < strangersToFollow) return false;
    this.#use(other);
    return true;
  }

  #deliver(packet: MediaPacket): void {
    if (this.onAudio) {
      this.#unheard = undefined;
      this.onAudio(packet);
    } else this.#unheard?.add({ ...packet, payload: Uint8Array.from(packet.payload) }, this.#lastPacketMs);
  }

  #sendReport(compound: Buffer): void {
    if (this.#path) this.tap?.(compound, true);
    this.#path?.sendRtcp(compound);
  }

  get #eventPayloadType(): number {
    return this.#remote?.telephoneEventPayloadType ?? defaultEventPayloadType;
  }

  #send(kind: 'audio' | 'event', { payload, marker, sequence, timestamp }: MediaPacket): void {
    const remote = this.#remote;
    const payloadType = kind === 'audio' ? this.#audio?.payloadType : remote?.telephoneEventPayloadType;
    const bytes = rtpHeaderBytes + payload.length;
    if (payloadType === undefined || bytes > maxPacketBytes) return;
    const datagram = outgoing.of(bytes);
    writeRtpHeader(datagram, payloadType, marker, sequence, timestamp, this.ssrc);
    datagram.set(payload, rtpHeaderBytes);
    this.tap?.(datagram, true);
    this.#path?.sendRtp(datagram);
  }
}

const sentBy = (beat: WebRtcBeat): { readonly packets: number } => ({
  get packets() {
    return beat.sent.packets;
  },
});
