import type { RemoteInfo } from 'node:dgram';
import type { Clock } from '../lib/clock.js';
import type { IdSource } from '../lib/ids.js';
import { given } from '../lib/given.js';
import type { Logger } from '../lib/logger.js';
import type { PbxCodec } from '../routing/types.js';
import { isNullAddress } from '../sdp/media-address.js';
import type { PbxMedia } from '../sdp/pbx-sdp.js';
import { standardCodecs, type CodecRegistry } from './codec-registry.js';
import { DtmfOutlet } from './dtmf-outlet.js';
import type { LossReports } from './expected-loss.js';
import { faultLog } from './fault-log.js';
import { alawToUlawTable, recodeG711, ulawToAlawTable } from './g711.js';
import type { DtmfMode, MediaEndpointEvent, MediaStats, MediaTrouble } from './media-engine.js';
import type { PacketPlace } from './packet-capture.js';
import type { MediaPacket, NegotiatedAudio, PacketPort } from './packet-port.js';
import { payloadKind, PayloadTypes } from './payload-types.js';
import { LevelMeter } from './quality/level-meter.js';
import { QualityMonitor } from './quality/quality-monitor.js';
import { ReceiveStatistics } from './receive-statistics.js';
import { RecentPackets } from './recent-packets.js';
import { RtcpSession } from './rtcp-session.js';
import { emptyRtpFields, isRtcp, parseRtp, payloadOf, type RtpFields } from './rtp-packet.js';
import { RtpSender } from './rtp-sender.js';
import type { MediaSockets } from './rtp-sockets.js';
import { RtpSourceLock } from './rtp-source-lock.js';

export interface RtpStreamOptions {
  readonly sockets: MediaSockets;
  readonly clock: Clock;
  readonly ids: IdSource;
  /** Codecs of the trunk: either law of G.711 is understood when both are listed, whichever was agreed on. */
  readonly codecs: readonly PbxCodec[];
  readonly latch: boolean;
  readonly mayLearn: (address: string) => boolean;
  /** How keys travel; default: as RFC 4733 events. */
  readonly dtmf?: DtmfMode | undefined;
  /** Makes the tones of keys that travel in the audio; default: one with all codecs. */
  readonly registry?: CodecRegistry;
  readonly onEvent: (event: MediaEndpointEvent) => void;
  readonly logger: Logger;
}

const defaultClockRate = 8000;
/** A stream that begins so shortly before the answer is applied is the answer's own, not ringback. */
const freshMs = 300;
/** Audio fits into one Ethernet frame; longer datagrams would fill the memory while they wait for an answer. */
const maxDatagramBytes = 1500;
/** RTP on this port leaves no port above it for RTCP. */
const highestPort = 65_535;

interface MutablePacket extends MediaPacket {
  sequence: number;
  timestamp: number;
  marker: boolean;
  payload: Uint8Array;
}

/** Packets are read one at a time, and whoever is handed one is done with it before the next: what they need is there once, and warm. */
const fields: RtpFields = emptyRtpFields();
const incoming: MutablePacket = { sequence: 0, timestamp: 0, marker: false, payload: new Uint8Array(0) };

/**
 * The packets of one plain RTP leg: what comes from the agreed source is sorted into audio and events, what goes out has one
 * SSRC and unbroken numbers for the whole call. Nothing is sent before `apply` names a target, or while on hold.
 */
export class RtpStream implements PacketPort {
  onAudio: ((packet: MediaPacket) => void) | undefined;
  onTelephoneEvent: ((packet: MediaPacket) => void) | undefined;
  onComfortNoise: ((packet: MediaPacket) => void) | undefined;
  /** Sees each packet of RTP and RTCP in the clear that comes from the PBX or goes there; `port`: which of ours. */
  tap: ((packet: Uint8Array, remote: PacketPlace, isOutgoing: boolean, port: 'rtp' | 'rtcp') => void) | undefined;
  readonly level = new LevelMeter();
  #audio: NegotiatedAudio | undefined;
  #media: PbxMedia | undefined;
  #heard = 0;
  #maySend = false;
  #mayReceive = false;
  readonly #types: PayloadTypes;
  /** Payload type of the audio that was agreed on: what nearly all packets are of. */
  #audioType = -1;
  #isInband: boolean;
  readonly #clock: Clock;
  readonly #sockets: MediaSockets;
  /** How to turn the law that was not agreed on but is understood into the one that was. */
  #recodeTable = alawToUlawTable;
  /** Before anybody listens; its packets are sorted once the answer has said where they must come from. */
  #unheard: RecentPackets<{ readonly datagram: Buffer; readonly from: RemoteInfo }> | undefined = new RecentPackets(
    freshMs,
  );
  readonly #lock: RtpSourceLock;
  readonly #sender: RtpSender;
  readonly #received = new ReceiveStatistics(defaultClockRate);
  readonly #rtcp: RtcpSession;
  readonly #keys: DtmfOutlet;
  readonly #quality: QualityMonitor;
  #saidBye = false;

  constructor(private readonly options: RtpStreamOptions) {
    const { sockets, clock, ids } = options;
    this.#clock = clock;
    this.#sockets = sockets;
    const random32 = (): number => Number.parseInt(ids.hex(4), 16);
    this.#types = new PayloadTypes(options.codecs);
    this.#lock = new RtpSourceLock(options);
    // A first number below 2^15 keeps who misses the first packets from missing a wrap, which SRTP counts.
    this.#sender = new RtpSender(random32(), random32() & 0x7fff, random32(), (packet) => this.#emit(packet));
    this.#rtcp = new RtcpSession({
      clock,
      random: () => random32() / 0x1_0000_0000,
      cname: ids.hex(12),
      sender: this.#sender,
      received: this.#received,
      send: (datagram) => this.#emitRtcp(datagram),
    });
    this.#keys = new DtmfOutlet({
      ...{ clock, codecs: () => options.registry ?? standardCodecs(), sender: this.#sender, logger: options.logger },
      mode: options.dtmf ?? 'rfc4733',
      media: () => this.#media,
      maySend: () => this.#maySend,
      onInfo: (digit, durationMs) => options.onEvent({ type: 'dtmf', digit, durationMs }),
      onDropped: () => this.#digitsDropped(),
    });
    this.#isInband = this.#keys.isInband;
    this.#quality = new QualityMonitor({
      ...{ clock, received: this.#received, peer: this.#rtcp.peer, sent: this.#sender, level: this.level },
      audio: () => this.#audio,
      onReport: (report, total) => options.onEvent({ type: 'quality', report, total }),
    });
    sockets.listen(
      (datagram, from) => this.#receive(datagram, from),
      (datagram, from) => this.#receiveRtcp(datagram, from, 'rtcp'),
      faultLog(options.logger, 'media packet failed'),
    );
  }

  get audio(): NegotiatedAudio | undefined {
    return this.#audio;
  }

  get heard(): number {
    return this.#heard;
  }

  /** A PBX that holds the call may play music, and may as well send nothing: only an unheld one has to be heard. */
  get quiet(): boolean {
    return this.#media !== undefined && this.#media.direction !== 'sendrecv';
  }

  get departed(): boolean {
    return this.#saidBye;
  }

  get inbandDtmf(): boolean {
    return this.#isInband;
  }

  get lossReports(): LossReports {
    return this.#rtcp.peer;
  }

  report(trouble: MediaTrouble): void {
    this.options.onEvent({ type: 'trouble', trouble });
  }

  /** Datagrams thrown away because of where they came from. */
  get foreignPackets(): number {
    return this.#lock.foreign;
  }

  /** Takes what was negotiated, for the first time or anew. The target was checked by the caller. */
  apply(media: PbxMedia): void {
    const { codec, payloadType, clockRate, ptimeMs, direction } = media;
    this.#media = media;
    this.#audio = { codec, payloadType, clockRate, ptimeMs };
    this.#audioType = payloadType;
    this.#isInband = this.#keys.isInband;
    this.#received.clockRate = clockRate;
    this.#mayReceive = direction === 'sendrecv' || direction === 'recvonly';
    this.#setSending(direction === 'sendrecv' || direction === 'sendonly');
    this.#types.agree(media);
    this.#recodeTable = codec === 'PCMA' ? ulawToAlawTable : alawToUlawTable;
    this.#unheard?.answered(this.#clock.monotonicMs());
    // An address of all zeros is a hold of the old kind: source and target stay what they were.
    if (!isNullAddress(media.address)) {
      const { address, port } = media;
      this.#lock.expect({ address, port, rtcpPort: media.rtcpPort ?? port + 1 });
      this.#rtcp.start();
      this.#quality.start();
    }
  }

  recall(): void {
    const packets = this.#unheard?.take(this.#clock.monotonicMs()) ?? [];
    this.#unheard = undefined;
    const source = this.#lock.source;
    for (const { datagram, from } of packets) {
      if (source?.port !== from.port || source.address !== from.address || !parseRtp(datagram, fields)) continue;
      const kind = this.#kindOf(fields.payloadType);
      if (kind !== payloadKind.event && this.#mayReceive) this.#deliver(datagram, kind);
    }
  }

  sendAudio(payload: Uint8Array, durationMs: number): void {
    const audio = this.#audio;
    if (!audio) return;
    const ticks = (audio.clockRate * durationMs) / 1000;
    const tone = this.#keys.toneFrame(durationMs);
    const frame = tone ?? payload;
    if (this.#maySend && !this.#keys.holdsAudio && frame.length > 0) {
      this.#sender.sendAudio(audio.payloadType, frame, ticks);
    } else this.#sender.advance(ticks);
  }

  skipAudio(durationMs: number, packets: number): void {
    if (!this.#audio) return;
    this.#sender.advance((this.#audio.clockRate * durationMs) / 1000);
    if (this.#maySend) this.#sender.skip(packets);
  }

  sendDtmf(digit: string, durationMs: number): void {
    this.#keys.play(digit, durationMs);
  }

  stats(): MediaStats {
    return {
      codec: this.#audio?.codec ?? '',
      packetsReceived: this.#received.packets,
      packetsSent: this.#sender.packets,
      packetsLost: this.#received.lost,
      jitterMs: this.#received.jitterMs,
      ...given('roundTripMs', this.#rtcp.peer.roundTripMs),
      ...given('lossSeenByPeer', this.#rtcp.peer.fractionLost),
      quality: this.#quality.total,
    };
  }

  /** What the statistics of the port do not hold, for the log. */
  get details(): Readonly<Record<string, number | undefined>> {
    return {
      foreignPackets: this.#lock.foreign,
      droppedDigits: this.#keys.dropped,
      lossSeenByPbx: this.#rtcp.peer.fractionLost,
      socketErrors: this.options.sockets.errors,
    };
  }

  /** Says goodbye and closes the sockets. Idempotent. */
  async close(): Promise<void> {
    this.#keys.close();
    this.#quality.stop();
    this.#rtcp.close();
    this.#maySend = false;
    this.#mayReceive = false;
    await this.options.sockets.close();
  }

  #digitsDropped(): void {
    this.options.logger.warn('digits for the PBX dropped: they came faster than they can be played');
    this.report({ kind: 'digits_dropped' });
  }

  #setSending(maySend: boolean): void {
    if (maySend && !this.#maySend) this.#sender.expectMarker();
    this.#maySend = maySend;
  }

  #receive(datagram: Buffer, from: RemoteInfo): void {
    if (datagram.length > maxDatagramBytes) return;
    if (isRtcp(datagram)) {
      this.#receiveRtcp(datagram, from, 'rtp');
      return;
    }
    if (this.#unheard && this.#isUnheard(datagram, from, this.#unheard)) return;
    this.#take(datagram, from);
  }

  #take(datagram: Buffer, from: RemoteInfo): void {
    const nowMs = this.#clock.monotonicMs();
    const wellFormed = parseRtp(datagram, fields);
    const kind = wellFormed ? this.#kindOf(fields.payloadType) : payloadKind.unknown;
    const plausible = kind !== payloadKind.unknown;
    if (!this.#lock.admitsRtp(datagram, from.address, from.port, plausible ? fields : undefined, nowMs)) {
      for (const learnt of this.#lock.takeLearnt()) this.#take(learnt, from);
      return;
    }
    if (!wellFormed) return;
    this.tap?.(datagram, from, false, 'rtp');
    // Events repeat the timestamp of their beginning, which says nothing of their arrival.
    this.#received.receive(fields.ssrc, fields.sequence, fields.timestamp, nowMs, kind !== payloadKind.event);
    const isFirst = this.#heard++ === 0;
    this.#saidBye = false;
    if (this.#mayReceive) this.#deliver(datagram, kind);
    if (isFirst) this.options.onEvent({ type: 'first_packet' });
  }

  /** Keeps what may yet turn out to be the answer's first packets; true if nothing else can be done with it now. */
  #isUnheard(datagram: Buffer, from: RemoteInfo, unheard: RecentPackets<object>): boolean {
    if (this.onAudio) {
      this.#unheard = undefined;
      return false;
    }
    if (!this.options.mayLearn(from.address)) return false;
    unheard.add({ datagram: Buffer.from(datagram), from }, this.#clock.monotonicMs());
    return this.#media === undefined;
  }

  #kindOf(payloadType: number): number {
    return payloadType === this.#audioType ? payloadKind.audio : this.#types.kindOf(payloadType);
  }

  #listenerOf(kind: number): ((packet: MediaPacket) => void) | undefined {
    if (kind === payloadKind.event) return this.onTelephoneEvent;
    if (kind === payloadKind.comfortNoise) return this.onComfortNoise;
    return kind === payloadKind.unknown ? undefined : this.onAudio;
  }

  #deliver(datagram: Buffer, kind: number): void {
    const listener = this.#listenerOf(kind);
    if (!listener) return;
    if (fields.payloadStart === fields.payloadEnd) return;
    incoming.sequence = fields.sequence;
    incoming.timestamp = fields.timestamp;
    incoming.marker = fields.marker;
    incoming.payload = payloadOf(datagram, fields);
    if (kind === payloadKind.otherLaw) recodeG711(this.#recodeTable, incoming.payload);
    listener(incoming);
  }

  #receiveRtcp(datagram: Buffer, from: RemoteInfo, port: 'rtp' | 'rtcp'): void {
    if (!this.#lock.admitsRtcp(from.address, from.port)) return;
    const { peer } = this.#rtcp;
    if (!peer.receive(datagram)) return;
    this.tap?.(datagram, from, false, port);
    this.#heard++;
    if (!peer.takeBye()) return;
    this.#saidBye = true;
    this.report({ kind: 'bye' });
  }

  #emit(packet: Buffer): void {
    const target = this.#lock.source;
    if (!target) return;
    this.tap?.(packet, target, true, 'rtp');
    this.#sockets.sendRtp(packet, target.port, target.address);
  }

  #emitRtcp(datagram: Buffer): void {
    const target = this.#lock.source;
    if (!target || target.rtcpPort > highestPort) return;
    // RTCP on the RTP port (RFC 5761) has to come from there, too.
    const isMuxed = target.rtcpPort === target.port;
    this.tap?.(datagram, { address: target.address, port: target.rtcpPort }, true, isMuxed ? 'rtp' : 'rtcp');
    if (isMuxed) this.options.sockets.sendRtp(datagram, target.port, target.address);
    else this.options.sockets.sendRtcp(datagram, target.rtcpPort, target.address);
  }
}
