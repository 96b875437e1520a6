import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { endReason, type EndCode, type EndDetail } from '../call/end-reason.js';
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
import {
  readWhatsAppRemote,
  withChosenFormat,
  type WhatsAppCodec,
  type WhatsAppRemote,
} from '../sdp/whatsapp-remote.js';
import { ConnectDeadline } from './connect-deadline.js';
import type { MediaEndpointEvent, MediaStats, WebRtcEndpoint } from './media-engine.js';
import { MediaError } from './media-error.js';
import type { PacketTap, TappedEndpoint } from './packet-capture.js';
import type { PacketPort } from './packet-port.js';
import type { GuardCounters } from './source-guard.js';
import type { SrtpRefusals } from './srtp/srtp-receiver.js';
import { WebRtcStream } from './webrtc-stream.js';
import { processCertificate } from './werift-certificate.js';
import { WeriftDtls } from './werift-dtls.js';
import { WeriftIce } from './werift-ice.js';
import type { PacketPath } from './werift-packets.js';

/** What a WhatsApp leg's media is made with. */
export interface WeriftEndpointOptions {
  readonly call: CallId;
  readonly id: string;
  /** Address the socket binds; `::` for all of IPv4 and IPv6. */
  readonly listenIp: string;
  /** Address the peer would see; only names our candidate, no SDP shows it. */
  readonly advertisedIp: string;
  /** First and last UDP port; 0 and 0 for any. */
  readonly ports: readonly [number, number];
  /** Whether ICE may check this address and media may go there. */
  readonly remoteAllowed: (address: string) => boolean;
  readonly logger: Logger;
  readonly clock: Clock;
  /** What audio may be coded with, the best first, as known when our SDP is made; default: Opus alone. */
  readonly codecs?: () => readonly WhatsAppCodec[];
  /** Default: our own. */
  readonly packetPath?: PacketPath | undefined;
}

/** DTLS closed alone proves nothing: one forged record can do that. With this much silence the peer is gone. */
const goneSilenceMs = 5000;

type Phase = 'new' | 'opening' | 'offered' | 'answered' | 'connecting' | 'connected' | 'failed' | 'closed';

/** Makes the WhatsApp side of a call on werift: nothing is bound before an offer or answer is made. */
export function createWeriftEndpoint(options: WeriftEndpointOptions): WeriftEndpoint {
  return new WeriftEndpoint(options);
}

/**
 * One WhatsApp leg's media: ICE, DTLS-SRTP, one audio stream each way: Opus, or G.711 where Meta and the PBX both
 * have it.
 *
 * ```
 *  new ── createOffer ──► offered ── acceptAnswer ─┐
 *   └─── createAnswer ──► answered ── start ───────┴─► connecting ──► connected
 *                                                          └── deadline, bad fingerprint ──► failed
 *  any ── close ──► closed
 * ```
 */
export class WeriftEndpoint implements WebRtcEndpoint, TappedEndpoint {
  readonly id: string;
  readonly #ice: WeriftIce;
  readonly #stream: WebRtcStream;
  #phase: Phase = 'new';
  #isSending = false;
  #isIceUp = false;
  #dtls: WeriftDtls | undefined;
  #remote: WhatsAppRemote | undefined;
  #isClient = true;
  /** What our SDP offers, or answers with. */
  #codecs: readonly WhatsAppCodec[] = ['opus'];
  #listener: (event: MediaEndpointEvent) => void = () => undefined;
  readonly #deadline: ConnectDeadline;
  #silence: Timer | undefined;

  constructor(private readonly options: WeriftEndpointOptions) {
    this.id = options.id;
    this.#ice = new WeriftIce(options);
    this.#ice.onLost = () => this.#fail('media_failed', 'no consent from the peer for 30 s');
    this.#stream = new WebRtcStream(options.clock);
    this.#stream.onEvent = (event) => this.#pass(event);
    this.#deadline = new ConnectDeadline(options.clock, () => this.#late());
  }

  get port(): PacketPort {
    return this.#stream;
  }

  /** Controlling, always: Meta never is. */
  get isControlling(): boolean {
    return this.#ice.isControlling;
  }

  /** UDP ports that are bound. */
  get openPorts(): number {
    return this.#ice.openPorts;
  }

  /** What was thrown away in front of and behind the stack, for the log and tests. */
  get dropped(): GuardCounters &
    SrtpRefusals & { readonly refusedSends: number; readonly frames: number; readonly digits: number } {
    return {
      ...this.#ice.counters,
      ...this.#refused,
      frames: this.#stream.droppedFrames,
      digits: this.#stream.droppedDigits,
    };
  }

  get #refused(): SrtpRefusals {
    return this.#dtls?.packets?.refused ?? { unauthentic: 0, replayed: 0 };
  }

  /** The addresses are those of the nominated pair; before there is one nothing flows. */
  setTap(tap: PacketTap | undefined): void {
    this.#stream.tap =
      tap &&
      ((packet, isOutgoing) => {
        const pair = this.#ice.pair;
        if (pair) tap(packet, pair.local, pair.remote, isOutgoing);
      });
  }

  listen(listener: (event: MediaEndpointEvent) => void): void {
    this.#listener = listener;
  }

  async createAnswer(offer: string): Promise<string> {
    this.#expect('new', 'createAnswer');
    this.#chooseCodecs();
    const offered = withChosenFormat(this.#readRemote(offer), this.#codecs);
    const local = await this.#open(new Set(offered.candidates.map(({ address }) => isIP(address))));
    const remote = this.#reachable(offered);
    this.#isClient = answerSetup(remote.setup) === 'active';
    this.#negotiated(remote);
    this.#phase = 'answered';
    return writeWhatsAppAnswer(local, remote);
  }

  async createOffer(): Promise<string> {
    this.#expect('new', 'createOffer');
    this.#chooseCodecs();
    const local = await this.#open();
    this.#phase = 'offered';
    return writeWhatsAppOffer(local, this.#codecs);
  }

  acceptAnswer(answer: string): Promise<void> {
    return settled(() => {
      this.#expect('offered', 'acceptAnswer');
      const remote = this.#reachable(this.#readRemote(answer));
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
    this.#deadline.accepted();
    this.#startStream();
  }

  stats(): Promise<MediaStats> {
    return Promise.resolve(this.#stream.stats);
  }

  async close(): Promise<void> {
    if (this.#phase === 'closed') return;
    this.#stream.stop(this.#phase === 'connected');
    this.#phase = 'closed';
    await this.#shutDown();
  }

  #chooseCodecs(): void {
    this.#codecs = this.options.codecs?.() ?? this.#codecs;
  }

  #pass(event: MediaEndpointEvent): void {
    if (event.type === 'trouble' && event.trouble.kind === 'digits_dropped')
      this.options.logger.warn('digits for WhatsApp dropped: they came faster than they can be played');
    this.#listener(event);
  }

  #expect(phase: Phase, what: string): void {
    if (this.#phase !== phase) throw new MediaError('internal', `${what} in phase ${this.#phase}`);
  }

  #readRemote(sdp: string): WhatsAppRemote {
    const remote = readRemote(sdp, this.#codecs);
    const candidates = remote.candidates.filter(({ address }) => this.options.remoteAllowed(address));
    if (candidates.length === 0) throw new MediaError('not_allowed', 'no candidate in an allowed network');
    return { ...remote, candidates };
  }

  /** What IP itself keeps apart: candidates of a version that we have no socket of are of no use (RFC 8445 §6.1.2.2). */
  #reachable(remote: WhatsAppRemote): WhatsAppRemote {
    const candidates = remote.candidates.filter(({ address }) => this.#ice.reaches(address));
    if (candidates.length === 0) throw new MediaError('media_failed', 'no candidate of an IP version that is ours');
    return { ...remote, candidates };
  }

  /** @param families versions of IP that the peer has; default: unknown yet, so all of ours */
  async #open(families: ReadonlySet<number> = new Set(this.#ice.families)): Promise<WhatsAppLocal> {
    const ours = this.#ice.families.filter((family) => families.has(family));
    if (ours.length === 0) throw new MediaError('media_failed', 'no candidate of an IP version that is ours');
    this.#phase = 'opening';
    const certificate = await processCertificate();
    await this.#ice.open(ours);
    if (this.#currentPhase() !== 'opening') {
      await this.#ice.close();
      throw new MediaError('cancelled', 'closed while it was set up');
    }
    this.#dtls = new WeriftDtls(this.#ice, certificate, this.options.packetPath ?? 'own', this.#stream);
    const { ssrc, cname } = this.#stream;
    const sessionId = String(randomBytes(8).readBigUInt64BE() >> 1n);
    return { sessionId, ice: this.#ice.local, fingerprint: certificate.fingerprint, ssrc, cname };
  }

  #negotiated(remote: WhatsAppRemote): void {
    this.#remote = remote;
    this.#stream.negotiate(remote);
  }

  #connect(remote: WhatsAppRemote): void {
    this.#deadline.begin(this.#phase === 'offered');
    this.#phase = 'connecting';
    this.#establish(remote).catch((err: unknown) => {
      if (this.#phase !== 'connecting') return;
      this.options.logger.warn('media set-up failed', { err });
      this.#fail('media_failed', err instanceof Error ? err.message : 'DTLS failed', this.#setUpStatus);
    });
  }

  #late(): void {
    const what = this.#isIceUp ? 'DTLS' : 'ICE';
    this.#fail('media_failed', `${what} did not come up in time`, this.#setUpStatus);
  }

  /** Where there is a path, it is what was agreed on that does not fit (F-27). */
  get #setUpStatus(): EndDetail {
    return this.#isIceUp ? { sipStatus: 488 } : {};
  }

  async #establish(remote: WhatsAppRemote): Promise<void> {
    const dtls = this.#dtls;
    if (!dtls) throw new MediaError('internal', 'no DTLS before SDP');
    dtls.onClosed = () => this.#watchSilence();
    await this.#ice.connect(remote);
    if (this.#phase !== 'connecting') return;
    this.#isIceUp = true;
    this.#listener({ type: 'ice_connected' });
    await dtls.connect(this.#isClient ? 'client' : 'server', remote.fingerprint);
    if (this.#currentPhase() !== 'connecting') return;
    this.#phase = 'connected';
    this.#deadline.end();
    this.#listener({ type: 'dtls_connected' });
    this.#startStream();
  }

  /** The phase as it is after an await, which the type checker thinks unchanged. */
  #currentPhase(): Phase {
    return this.#phase;
  }

  #startStream(): void {
    const packets = this.#dtls?.packets;
    if (this.#isSending && this.#phase === 'connected' && packets) this.#stream.start(packets);
  }

  /**
   * Waits, after DTLS closed, until the peer is silent as well. A peer that hangs up closes DTLS, too: that is a fault only if
   * the end of the call does not follow.
   */
  #watchSilence(): void {
    if (this.#phase !== 'connected' || this.#silence) return;
    this.options.logger.debug('DTLS closed by the peer or broken');
    this.#listener({ type: 'trouble', trouble: { kind: 'dtls_closed' } });
    const check = (): void => {
      const { silentMs } = this.#stream;
      if (silentMs >= goneSilenceMs) this.#fail('media_failed', 'the peer closed DTLS and is silent');
      else this.#silence = this.options.clock.after(goneSilenceMs - silentMs, check);
    };
    this.#silence = this.options.clock.after(goneSilenceMs, () => {
      this.options.logger.warn('DTLS is closed and the call was not ended', { silentMs: this.#stream.silentMs });
      check();
    });
  }

  #fail(code: EndCode, text: string, detail: EndDetail = {}): void {
    if (this.#phase === 'failed' || this.#phase === 'closed') return;
    this.#phase = 'failed';
    this.#stream.stop(false);
    this.#shutDown().catch((err: unknown) => this.options.logger.warn('media shut-down failed', { err }));
    this.#listener({ type: 'failed', reason: endReason(code, { ...detail, text }) });
  }

  async #shutDown(): Promise<void> {
    this.#deadline.end();
    this.#silence?.cancel();
    await this.#dtls?.close();
    await this.#ice.close();
  }
}

function readRemote(sdp: string, codecs: readonly WhatsAppCodec[]): WhatsAppRemote {
  try {
    return readWhatsAppRemote(sdp, codecs);
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
