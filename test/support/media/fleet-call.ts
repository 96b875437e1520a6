import type { CallId } from '../../../src/lib/ids.js';
import { buildRtcp } from '../../../src/media/rtcp-packet.js';
import type { MediaBridge } from '../../../src/call/media-bridge.js';
import type { MediaEndpointEvent, MediaEngine, RtpEndpoint, WebRtcEndpoint } from '../../../src/media/media-engine.js';
import { UdpRtpEndpoint } from '../../../src/media/rtp-endpoint.js';
import { WeriftEndpoint } from '../../../src/media/webrtc-endpoint.js';
import { createOpusCodec } from '../../../src/media/opus-codec.js';
import { RtpPeer } from '../rtp-peer.js';
import { toG711, ToneSource } from '../tones.js';
import { UdpRelay, type RelayRule } from '../udp-relay.js';
import { until } from '../until.js';
import { LitePeer, peerSsrc } from './lite-peer.js';
import { Arrivals, numberedFrame } from './numbered-frames.js';

/** `opus`: handed on frame by frame, so that each can be followed; `PCMA`: transcoded. */
export type FleetCodec = 'opus' | 'PCMA';

export interface FleetCallOptions {
  readonly engine: MediaEngine;
  readonly index: number;
  readonly codec: FleetCodec;
  readonly direction: 'user-initiated' | 'business-initiated';
  /** Puts a relay between each leg and its peer that keeps to this rule. */
  readonly rule?: RelayRule;
}

/** What the user says, and what the telephone system's phone does, in calls that are transcoded. */
export const userHz = 1300;
export const pbxHz = 700;
const amplitude = 8000;
export const pbxSsrc = 0x1234;
export { peerSsrc } from './lite-peer.js';

/** Frames of the user's tone, coded once: a whole number of its periods, so that they can follow each other for ever. */
export const userTone = codedTone(userHz, 50);
const pbxTone = new ToneSource(pbxHz, amplitude);
export const pbxFrames = Array.from({ length: 50 }, () => toG711('PCMA', pbxTone.next(160)));

function codedTone(hz: number, frames: number): readonly Uint8Array[] {
  const encoder = createOpusCodec('wasm').createEncoder(8000, 160);
  const tone = new ToneSource(hz, amplitude);
  return Array.from({ length: frames }, () => Uint8Array.from(encoder.encode(tone.next(160))));
}

/** Counts over one stretch of talking; see `FleetCall.count`. */
export interface CallCounts {
  /** Packets said by the user and by the PBX. */
  readonly said: number;
  /** Of these, not come as far as the bridge's endpoints. */
  readonly lost: number;
  /** Come through to the other end, of those said; only known where Opus is handed on. */
  readonly lostThrough: number;
  /** Holes in the sequence numbers of what the bridge sent. */
  readonly lostOut: number;
  /** Packets that the bridge took though nobody of the call said them, or twice. */
  readonly injected: number;
}

/** One call through the engine: WhatsApp's relay on one side, a telephone system on the other, each saying a packet every 20 ms. */
export class FleetCall {
  readonly events: MediaEndpointEvent[] = [];
  readonly peer = new LitePeer();
  bridge!: MediaBridge;
  pbx!: RtpPeer;
  endpoint!: WebRtcEndpoint;
  pbxEndpoint!: RtpEndpoint;
  /** Port of the bridge towards the PBX. */
  rtpPort = 0;
  /** Packets and reports as the user's side sent them last, newest last. */
  readonly lately: Buffer[] = [];
  readonly sealedReports: Buffer[] = [];
  /** Payloads of the last second that each far end heard. */
  readonly heardByUser: Uint8Array[] = [];
  timedOut: string | undefined;
  readonly #relays: UdpRelay[] = [];
  readonly #toPbx: Arrivals;
  readonly #toUser: Arrivals;
  #said = 0;
  #reportsSaid = 0;
  #before = { received: 0, heard: 0, said: 0, reportsSaid: 0 };
  #userSequences: number[] = [];

  constructor(private readonly options: FleetCallOptions) {
    this.#toPbx = new Arrivals(options.index);
    this.#toUser = new Arrivals(options.index);
  }

  get codec(): FleetCodec {
    return this.options.codec;
  }

  /** Number of the packet that is said next, each way: its RTP sequence number. */
  get nextNumber(): number {
    return this.#said;
  }

  get index(): number {
    return this.options.index;
  }

  /** Where the bridge's socket of the WhatsApp leg is. */
  get webrtcPort(): number {
    return this.#relays[0]?.callerPort ?? this.peer.remote.port;
  }

  get relays(): readonly UdpRelay[] {
    return this.#relays;
  }

  get failure(): string | undefined {
    const failed = this.events.find((event) => event.type === 'failed');
    const why = this.timedOut ?? failed?.reason.text;
    return why === undefined ? undefined : `call ${this.index} (${this.codec}): ${why}`;
  }

  /** Sets the call up: both legs negotiated and joined; media need not be up yet. */
  async setUp(): Promise<void> {
    const { engine, index, codec, direction } = this.options;
    const call = `fleet-${index}` as CallId;
    this.pbx = await RtpPeer.open();
    this.endpoint = await engine.createWebRtcEndpoint({ call });
    this.endpoint.listen((event) => this.events.push(event));
    this.pbxEndpoint = await engine.createRtpEndpoint({ call, codecs: [codec], remoteNetworks: ['127.0.0.0/8'] });
    const answer = await this.pbxEndpoint.createAnswer(this.#pbxSdp());
    this.rtpPort = Number(/m=audio (\d+)/.exec(answer)?.[1]);
    if (direction === 'user-initiated') {
      await this.peer.accept(await this.endpoint.createAnswer(await this.#relayed(await this.peer.offer())));
      await this.endpoint.start();
    } else {
      await this.endpoint.acceptAnswer(await this.#relayed(await this.peer.answer(await this.endpoint.createOffer())));
    }
    this.endpoint.openSending();
    this.bridge = engine.createBridge(call);
    this.bridge.onTimeout((kind) => (this.timedOut ??= kind));
    this.bridge.connect(this.endpoint.id, this.pbxEndpoint.id);
    this.peer.onRtp = ({ header, payload }) => {
      this.#userSequences.push(header.sequenceNumber);
      this.#toUser.take(payload);
      this.heardByUser.push(payload);
      if (this.heardByUser.length > 100) this.heardByUser.shift();
    };
  }

  async up(deadlineMs = 10_000): Promise<void> {
    await until(() => this.events.some(({ type }) => type === 'dtls_connected'), `call ${this.index} up`, deadlineMs);
    await this.peer.connected(deadlineMs);
  }

  /** Each side says its next packet; every fifth second a report, as real ones do. */
  say(): void {
    const number = this.#said++;
    const { codec, index } = this.options;
    const isOpus = codec === 'opus';
    const timing = { sequence: number, timestamp: number * 960 };
    const fromUser = isOpus ? numberedFrame(index, number) : (userTone[number % userTone.length] ?? Buffer.alloc(0));
    this.lately.push(this.peer.sendRtp({ payloadType: 111, ...timing, payload: fromUser }));
    if (this.lately.length > 200) this.lately.shift();
    const fromPbx = isOpus ? fromUser : (pbxFrames[number % pbxFrames.length] ?? Buffer.alloc(0));
    const type = isOpus ? 111 : 8;
    const timestamp = number * (isOpus ? 960 : 160);
    this.pbx.send(this.rtpPort, { payloadType: type, sequence: number, timestamp, ssrc: pbxSsrc, payload: fromPbx });
    if (number % 250 !== 0) return;
    this.sealedReports.push(this.peer.sendRtcp(report(peerSsrc, number)));
    if (this.sealedReports.length > 50) this.sealedReports.shift();
    this.#reportsSaid++;
  }

  /** Starts to count anew: nothing may be under way. */
  async begin(): Promise<void> {
    this.pbx.received.length = 0;
    this.#toPbx.forget();
    this.#toUser.forget();
    this.#userSequences = [];
    const [said, reportsSaid] = [this.#said, this.#reportsSaid];
    this.#before = { received: await this.#received(), heard: this.#heard, said, reportsSaid };
  }

  /** What happened since `begin`; nothing may be under way. */
  async count(): Promise<CallCounts> {
    const frames = this.#said - this.#before.said;
    const received = (await this.#received()) - this.#before.received;
    const believed = this.#heard - this.#before.heard - (this.#reportsSaid - this.#before.reportsSaid);
    for (const { payload } of this.pbx.received) this.#toPbx.take(payload);
    const isOpus = this.options.codec === 'opus';
    const strange = isOpus ? this.#toPbx.strange + this.#toUser.strange : 0;
    return {
      said: 2 * frames,
      lost: Math.max(0, 2 * frames - received),
      lostThrough: isOpus ? 2 * frames - this.#toPbx.count - this.#toUser.count : 0,
      lostOut: holes(this.#userSequences) + holes(this.pbx.received.map(({ sequence }) => sequence)),
      injected: Math.max(0, received - 2 * frames, believed - 2 * frames) + strange,
    };
  }

  async close(): Promise<void> {
    this.bridge.disconnect();
    await Promise.all([this.endpoint.close(), this.pbxEndpoint.close()]);
    await this.peer.close();
    this.pbx.close();
    for (const relay of this.#relays) relay.close();
  }

  /** RTP and RTCP that the endpoints took for signs of life. */
  get #heard(): number {
    const { endpoint, pbxEndpoint } = this;
    if (!(endpoint instanceof WeriftEndpoint) || !(pbxEndpoint instanceof UdpRtpEndpoint))
      throw new Error('not of this process');
    return (endpoint.port.heard ?? 0) + (pbxEndpoint.port.heard ?? 0);
  }

  async #received(): Promise<number> {
    const [user, pbx] = await Promise.all([this.endpoint.stats(), this.pbxEndpoint.stats()]);
    return user.packetsReceived + pbx.packetsReceived;
  }

  #pbxSdp(): string {
    return this.pbx.sdp(this.codec === 'opus' ? { formats: '111', lines: ['a=rtpmap:111 opus/48000/2'] } : {});
  }

  async #relayed(sdp: string): Promise<string> {
    const { rule } = this.options;
    if (!rule) return sdp;
    const candidate = /(a=candidate:\S+ 1 udp \d+ 127\.0\.0\.1 )(\d+)/;
    const relay = await UdpRelay.to(Number(candidate.exec(sdp)?.[2]), rule);
    this.#relays.push(relay);
    return sdp.replace(candidate, `$1${relay.port}`);
  }
}

/** A sender report alone counts as one packet, wherever they are counted. */
const senderReportBytes = 28;

function report(ssrc: number, packets: number): Buffer {
  const sender = { ntpSeconds: packets, ntpFraction: 0, rtpTimestamp: packets * 960, packets, octets: packets * 40 };
  return buildRtcp({ ssrc, cname: 'peer', sender, block: undefined, bye: false }).subarray(0, senderReportBytes);
}

/** Sequence numbers left out in a run of them. */
function holes(sequences: readonly number[]): number {
  return sequences.slice(1).reduce((sum, sequence, i) => {
    const step = (sequence - (sequences[i] ?? 0)) & 0xffff;
    return sum + (step > 0 && step < 0x8000 ? step - 1 : 0);
  }, 0);
}
