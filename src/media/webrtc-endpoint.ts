import { randomBytes, randomInt } from 'node:crypto';
import { RtcpSrPacket, type RtcpPacket, type RtpPacket } from 'werift';
import { endReason, type EndCode } from '../call/end-reason.js';
import type { Clock, Timer } from '../lib/clock.js';
import type { CallId } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import { SdpError } from '../sdp/sdp-error.js';
import {
  answerSetup,
  isClientAfterAnswer,
  writeWhatsAppAnswer,
  writeWhatsAppOffer,
  type WhatsAppLocal,
} from '../sdp/whatsapp-profile.js';
import { readWhatsAppRemote, type WhatsAppRemote } from '../sdp/whatsapp-remote.js';
import type { MediaEndpointEvent, MediaStats, WebRtcEndpoint } from './media-engine.js';
import { MediaError } from './media-error.js';
import type { MediaPacket, NegotiatedAudio, PacketPort } from './packet-port.js';
import { WebRtcBeat } from './webrtc-beat.js';
import { ReceiveStatistics } from './receive-statistics.js';
import { ReplayFilter } from './webrtc-replay.js';
import { WebRtcReports } from './webrtc-reports.js';
import { processCertificate } from './werift-certificate.js';
import { WeriftDtls } from './werift-dtls.js';
import { WeriftIce } from './werift-ice.js';

/** What a WhatsApp leg's media is made with. */
export interface WeriftEndpointOptions {
  readonly call: CallId;
  readonly id: string;
  /** Address the socket binds, IPv4. */
  readonly listenIp: string;
  /** Address the peer would see; only names our candidate, no SDP shows it. */
  readonly advertisedIp: string;
  /** First and last UDP port; 0 and 0 for any. */
  readonly ports: readonly [number, number];
  /** Whether ICE may check this address and media may go there. */
  readonly remoteAllowed: (address: string) => boolean;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** From start to both ICE and DTLS up: Meta's own side gives up at about 20 s without media. */
const connectDeadlineMs = 20_000;
/** DTLS closed alone proves nothing: one forged record can do that. With this much silence the peer is gone. */
const goneSilenceMs = 5000;
/** What Meta sends DTMF on when its SDP names no payload type. */
const defaultEventPayloadType = 126;
const opusClockRate = 48_000;

type Phase = 'new' | 'offered' | 'answered' | 'connecting' | 'connected' | 'failed' | 'closed';

/** Makes the WhatsApp side of a call on werift: nothing is bound before an offer or answer is made. */
export function createWeriftEndpoint(options: WeriftEndpointOptions): WeriftEndpoint {
  return new WeriftEndpoint(options);
}

/**
 * One WhatsApp leg's media: ICE, DTLS-SRTP, one Opus stream each way.
 *
 * ```
 *  new ── createOffer ──► offered ── acceptAnswer ─┐
 *   └─── createAnswer ──► answered ── start ───────┴─► connecting ──► connected
 *                                                          └── deadline, bad fingerprint ──► failed
 *  any ── close ──► closed
 * ```
 */
export class WeriftEndpoint implements WebRtcEndpoint {
  readonly id: string;
  readonly port: PacketPort;
  readonly #ice: WeriftIce;
  readonly #replays = new ReplayFilter();
  readonly #received = new ReceiveStatistics(opusClockRate);
  readonly #beat: WebRtcBeat;
  readonly #reports: WebRtcReports;
  readonly #ssrc = randomInt(1, 2 ** 32 - 1);
  /** A random name: a CNAME must not tell who or where we are (RFC 7022). */
  readonly #cname = randomBytes(9).toString('hex');
  readonly #logger: Logger;
  #phase: Phase = 'new';
  #isSending = false;
  #dtls: WeriftDtls | undefined;
  #remote: WhatsAppRemote | undefined;
  #isClient = true;
  #audio: NegotiatedAudio | undefined;
  #listener: (event: MediaEndpointEvent) => void = () => undefined;
  #deadline: Timer | undefined;
  #silence: Timer | undefined;
  #lastPacketMs = 0;
  #heard = 0;

  constructor(private readonly options: WeriftEndpointOptions) {
    const { clock, logger } = options;
    this.id = options.id;
    this.#logger = logger;
    this.#ice = new WeriftIce({ ...options, ports: options.ports });
    this.#ice.onLost = () => this.#fail('media_failed', 'no consent from the peer for 30 s');
    const origin = { sequence: randomInt(2 ** 15), timestamp: randomInt(2 ** 32) };
    this.#beat = new WebRtcBeat(clock, (kind, packet) => this.#send(kind, packet), origin);
    this.#reports = new WebRtcReports({
      clock,
      ssrc: this.#ssrc,
      cname: this.#cname,
      beat: this.#beat,
      received: this.#received,
      send: (compound) => this.#dtls?.sendRtcp(compound),
    });
    this.port = this.#makePort();
  }

  /** Controlling, always: Meta never is. */
  get isControlling(): boolean {
    return this.#ice.isControlling;
  }

  /** What was thrown away in front of and behind the stack, for the log and tests. */
  get dropped(): { foreign: number; forged: number; refusedSends: number; replayed: number; frames: number } {
    return { ...this.#ice.counters, replayed: this.#replays.refused, frames: this.#beat.dropped };
  }

  listen(listener: (event: MediaEndpointEvent) => void): void {
    this.#listener = listener;
  }

  async createAnswer(offer: string): Promise<string> {
    this.#expect('new', 'createAnswer');
    const remote = this.#readRemote(offer);
    const local = await this.#open();
    this.#isClient = answerSetup(remote.setup) === 'active';
    this.#negotiated(remote);
    this.#phase = 'answered';
    return writeWhatsAppAnswer(local, remote);
  }

  async createOffer(): Promise<string> {
    this.#expect('new', 'createOffer');
    const local = await this.#open();
    this.#phase = 'offered';
    return writeWhatsAppOffer(local);
  }

  acceptAnswer(answer: string): Promise<void> {
    return settled(() => {
      this.#expect('offered', 'acceptAnswer');
      const remote = this.#readRemote(answer);
      this.#isClient = isClientAfterAnswer(remote.setup);
      this.#negotiated(remote);
      this.#connect(remote);
    });
  }

  start(): Promise<void> {
    return settled(() => {
      if (this.#phase === 'answered' && this.#remote) this.#connect(this.#remote);
    });
  }

  openSending(): void {
    this.#isSending = true;
    this.#startBeat();
  }

  stats(): Promise<MediaStats> {
    return Promise.resolve({
      codec: 'opus',
      packetsReceived: this.#received.packets,
      packetsSent: this.#beat.sent.packets,
      packetsLost: this.#received.lost,
      jitterMs: this.#received.jitterMs,
    });
  }

  async close(): Promise<void> {
    if (this.#phase === 'closed') return;
    this.#reports.stop(this.#phase === 'connected');
    this.#phase = 'closed';
    this.#stopTimers();
    await this.#dtls?.close();
    await this.#ice.close();
  }

  #makePort(): PacketPort {
    const audio = () => this.#audio;
    const heard = () => this.#heard;
    return {
      get audio() {
        return audio();
      },
      get heard() {
        return heard();
      },
      onAudio: undefined,
      onTelephoneEvent: undefined,
      sendAudio: (payload, durationMs) => this.#beat.sendAudio(payload, durationMs),
      sendDtmf: (digit, durationMs) => {
        if (this.#remote?.telephoneEventPayloadType !== undefined) this.#beat.sendDtmf(digit, durationMs);
      },
    };
  }

  get #eventPayloadType(): number {
    return this.#remote?.telephoneEventPayloadType ?? defaultEventPayloadType;
  }

  #expect(phase: Phase, what: string): void {
    if (this.#phase !== phase) throw new MediaError('internal', `${what} in phase ${this.#phase}`);
  }

  #readRemote(sdp: string): WhatsAppRemote {
    const remote = readRemote(sdp);
    const candidates = remote.candidates.filter(({ address }) => this.options.remoteAllowed(address));
    if (candidates.length === 0) throw new MediaError('not_allowed', 'no candidate in an allowed network');
    return { ...remote, candidates };
  }

  async #open(): Promise<WhatsAppLocal> {
    // Set first, so that a second call while this one waits is refused.
    this.#phase = 'offered';
    const certificate = await processCertificate();
    await this.#ice.open();
    this.#dtls = new WeriftDtls(this.#ice, certificate);
    const sessionId = randomBytes(8).readBigUInt64BE() >> 1n;
    return {
      sessionId: String(sessionId),
      ice: this.#ice.local,
      fingerprint: certificate.fingerprint,
      ssrc: this.#ssrc,
      cname: this.#cname,
    };
  }

  #negotiated(remote: WhatsAppRemote): void {
    this.#remote = remote;
    this.#audio = { codec: 'opus', payloadType: remote.opusPayloadType, clockRate: opusClockRate, ptimeMs: 20 };
  }

  #connect(remote: WhatsAppRemote): void {
    this.#phase = 'connecting';
    this.#deadline = this.options.clock.after(connectDeadlineMs, () =>
      this.#fail('media_failed', 'ICE and DTLS did not come up in time'),
    );
    this.#establish(remote).catch((err: unknown) => {
      this.#logger.warn('media set-up failed', { err });
      this.#fail('media_failed', err instanceof Error ? err.message : 'DTLS failed');
    });
  }

  async #establish(remote: WhatsAppRemote): Promise<void> {
    const dtls = this.#dtls;
    if (!dtls) throw new MediaError('internal', 'no DTLS before SDP');
    dtls.onRtp = (packet) => this.#receive(packet);
    dtls.onRtcp = (packet) => this.#receiveReport(packet);
    dtls.onClosed = () => this.#watchSilence();
    await this.#ice.connect(remote);
    if (this.#phase !== 'connecting') return;
    this.#listener({ type: 'ice_connected' });
    await dtls.connect(this.#isClient ? 'client' : 'server', remote.fingerprint);
    // close() or the deadline may have come meanwhile
    if (this.#currentPhase() !== 'connecting') return;
    this.#phase = 'connected';
    this.#deadline?.cancel();
    this.#listener({ type: 'dtls_connected' });
    this.#startBeat();
  }

  #currentPhase(): Phase {
    return this.#phase;
  }

  #startBeat(): void {
    if (!this.#isSending || this.#phase !== 'connected' || this.#beat.isRunning) return;
    this.#beat.start();
    this.#reports.start();
  }

  #send(kind: 'audio' | 'event', packet: MediaPacket): void {
    const remote = this.#remote;
    const payloadType = kind === 'audio' ? remote?.opusPayloadType : remote?.telephoneEventPayloadType;
    if (payloadType !== undefined) this.#dtls?.sendRtp({ ...packet, payloadType, ssrc: this.#ssrc });
  }

  #receive({ header, payload }: RtpPacket): void {
    const { sequenceNumber: sequence, timestamp, marker, payloadType, ssrc } = header;
    if (!this.#replays.accepts(ssrc, sequence)) return;
    const isFirst = this.#received.packets === 0;
    const isAudio = payloadType === this.#remote?.opusPayloadType;
    this.#heard++;
    this.#lastPacketMs = this.options.clock.monotonicMs();
    this.#received.receive(ssrc, sequence, timestamp, this.#lastPacketMs, isAudio);
    if (isFirst) this.#listener({ type: 'first_packet' });
    const packet = { sequence, timestamp, marker, payload };
    if (isAudio) this.port.onAudio?.(packet);
    else if (payloadType === this.#eventPayloadType) this.port.onTelephoneEvent?.(packet);
  }

  #receiveReport(packet: RtcpPacket): void {
    this.#heard++;
    if (packet instanceof RtcpSrPacket) {
      this.#reports.peerReported(Number((packet.senderInfo.ntpTimestamp >> 16n) & 0xffff_ffffn));
    }
  }

  /** Waits, after DTLS closed, until the peer is silent as well. */
  #watchSilence(): void {
    if (this.#phase !== 'connected' || this.#silence) return;
    this.#logger.warn('DTLS closed by the peer or broken');
    const check = (): void => {
      const silentMs = this.options.clock.monotonicMs() - this.#lastPacketMs;
      if (silentMs >= goneSilenceMs) this.#fail('media_failed', 'the peer closed DTLS and is silent');
      else this.#silence = this.options.clock.after(goneSilenceMs - silentMs, check);
    };
    this.#silence = this.options.clock.after(goneSilenceMs, check);
  }

  #fail(code: EndCode, text: string): void {
    if (this.#phase === 'failed' || this.#phase === 'closed') return;
    this.#phase = 'failed';
    this.#stopTimers();
    this.#listener({ type: 'failed', reason: endReason(code, { text }) });
  }

  #stopTimers(): void {
    this.#beat.stop();
    this.#deadline?.cancel();
    this.#reports.stop(false);
    this.#silence?.cancel();
  }
}

function readRemote(sdp: string): WhatsAppRemote {
  try {
    return readWhatsAppRemote(sdp);
  } catch (error) {
    if (error instanceof SdpError) throw new MediaError(error.endCode, error.message, { cause: error });
    throw error;
  }
}

/** Runs synchronous work of an asynchronous port: what it throws becomes a rejection. */
function settled(work: () => void): Promise<void> {
  return new Promise((resolve) => {
    work();
    resolve();
  });
}
