import type { CallId } from '../../../src/lib/ids.js';
import { buildRtcp } from '../../../src/media/rtcp-packet.js';
import type { MediaBridge } from '../../../src/call/media-bridge.js';
import type { MediaEndpointEvent, MediaEngine, RtpEndpoint, WebRtcEndpoint } from '../../../src/media/media-engine.js';
import { UdpRtpEndpoint } from '../../../src/media/rtp-endpoint.js';
import { WeriftEndpoint } from '../../../src/media/webrtc-endpoint.js';
import { RtpPeer } from '../rtp-peer.js';
import { fromG711, fromOpus } from '../tones.js';
import { tonePurity } from './tone-purity.js';
import { UdpRelay, type RelayRule } from '../udp-relay.js';
import { until } from '../until.js';
import { pbxFrames, pbxHz, userHz, userTone } from './fleet-tones.js';
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

export const pbxSsrc = 0x1234;
export { peerSsrc } from './lite-peer.js';

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
  /** Where the PBX sends to, if not there. */
  rtpTarget = 0;
  /** Packets and reports as the user's side sent them last, newest last. */
  readonly lately: Buffer[] = [];
  readonly sealedReports: Buffer[] = [];
  /** Payloads of the last second that each far end heard. */
  readonly heardByUser: { readonly sequence: number; readonly payload: Uint8Array }[] = [];
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
    return this.peer.remote.port;
  }

  get failure(): string | undefined {
    const failed = this.events.find((event) => event.type === 'failed');
    const why = this.timedOut ?? failed?.reason.text;
    return why === undefined ? undefined : `call ${this.index} (${this.codec}): ${why}; its peer is ${this.peer.state}`;
  }

  /** Sets the call up: both legs negotiated and joined; media need not be up yet. */
  async setUp(): Promise<void> {
    const { engine, index, codec, direction } = this.options;
    const call = `fleet-${index}` as CallId;
    this.pbx = await RtpPeer.open();
    this.endpoint = await engine.createWebRtcEndpoint({ call });
    this.endpoint.listen((event) => this.events.push(event));
    this.pbxEndpoint = await engine.createRtpEndpoint({ call, codecs: [codec], remoteNetworks: ['127.0.0.0/8'] });
    await this.#agreeWithPbx();
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
      this.heardByUser.push({ sequence: header.sequenceNumber, payload });
      if (this.heardByUser.length > 100) this.heardByUser.shift();
    };
  }

  async up(deadlineMs = 10_000): Promise<void> {
    const isUp = (): boolean => this.events.some(({ type }) => type === 'dtls_connected');
    await until(() => isUp() || this.failure !== undefined, `call ${this.index} up`, deadlineMs);
    if (!isUp()) throw new Error(`never came up: ${this.failure ?? ''}`);
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
    this.pbx.send(this.rtpTarget || this.rtpPort, {
      payloadType: type,
      sequence: number,
      timestamp,
      ssrc: pbxSsrc,
      payload: fromPbx,
    });
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

  /** The PBX offers; with a rule a relay stands between its RTP port and ours. */
  async #agreeWithPbx(): Promise<void> {
    const { rule } = this.options;
    const relay = rule && (await UdpRelay.to(this.pbx.port, rule));
    const offer = relay ? this.#pbxSdp().replace(/m=audio \d+/, `m=audio ${relay.port}`) : this.#pbxSdp();
    const answer = await this.pbxEndpoint.createAnswer(offer);
    this.rtpPort = Number(/m=audio (\d+)/.exec(answer)?.[1]);
    if (!relay) return;
    this.#relays.push(relay);
    // The PBX talks to the relay's other side, which knows where the bridge is once that has spoken.
    relay.expectCaller(this.rtpPort);
    this.rtpTarget = relay.peerSidePort;
  }

  /** How pure each one's tone is in the last second that the other one heard: 1 for a perfect one; see `tonePurity`. */
  purities(): { readonly user: number; readonly pbx: number } {
    const atPbx = this.pbx.received.filter(({ payloadType }) => payloadType === 8).slice(-100);
    return {
      user: tonePurity(fromOpus(inOrder(this.heardByUser)), pbxHz),
      pbx: tonePurity(fromG711('PCMA', inOrder(atPbx)), userHz),
    };
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
    const lines = [`a=rtcp:${this.pbx.port + 1}`];
    const opus = { formats: '111', lines: ['a=rtpmap:111 opus/48000/2', ...lines] };
    return this.pbx.sdp(this.codec === 'opus' ? opus : { lines });
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

/** As a far end's buffer would play them. */
function inOrder(packets: readonly { readonly sequence: number; readonly payload: Uint8Array }[]): Uint8Array[] {
  const first = packets[0]?.sequence ?? 0;
  const ahead = ({ sequence }: { readonly sequence: number }): number =>
    ((sequence - first + 0x8000) & 0xffff) - 0x8000;
  return [...packets].sort((a, b) => ahead(a) - ahead(b)).map(({ payload }) => payload);
}

/** Sequence numbers left out in a run of them, which may be out of order by a few. */
function holes(sequences: readonly number[]): number {
  const first = sequences[0] ?? 0;
  const ahead = sequences.map((sequence) => ((sequence - first + 0x8000) & 0xffff) - 0x8000);
  const span =
    ahead.length === 0 ? 0 : ahead.reduce((a, b) => Math.max(a, b)) - ahead.reduce((a, b) => Math.min(a, b)) + 1;
  return Math.max(0, span - new Set(ahead).size);
}
