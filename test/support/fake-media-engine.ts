import type { MediaBridge } from '../../src/call/media-bridge.js';
import { endReason } from '../../src/call/end-reason.js';
import type {
  MediaEndpointEvent,
  MediaEngine,
  MediaStats,
  RtpEndpoint,
  RtpEndpointOptions,
  WebRtcEndpoint,
} from '../../src/media/media-engine.js';
import { MediaError } from '../../src/media/media-error.js';
import { answerPbxOffer, buildPbxOffer, readPbxAnswer, type PbxLocal } from '../../src/sdp/pbx-sdp.js';

/** A media engine without sockets: its RTP endpoints speak real SDP by the project's own rules, and send nothing. */
export class FakeMediaEngine implements MediaEngine {
  readonly endpoints: FakeRtpEndpoint[] = [];
  /** The next endpoint cannot be had. */
  refuseNext: MediaError | undefined;
  /** Bytes by which every offer is made longer than it need be. */
  offerPadding = 0;
  /** Endpoints asked for wait until the test lets them come. */
  gate: Promise<void> = Promise.resolve();

  start(): Promise<void> {
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    await Promise.all(this.endpoints.map((endpoint) => endpoint.close()));
  }

  /** Endpoints made and not closed. */
  get open(): number {
    return this.endpoints.filter((endpoint) => !endpoint.closed).length;
  }

  async createRtpEndpoint(options: RtpEndpointOptions): Promise<RtpEndpoint> {
    const refusal = this.refuseNext;
    this.refuseNext = undefined;
    await this.gate;
    if (refusal) throw refusal;
    const endpoint = new FakeRtpEndpoint(options, 40_000 + 2 * this.endpoints.length, this.offerPadding);
    this.endpoints.push(endpoint);
    return endpoint;
  }

  createWebRtcEndpoint(): Promise<WebRtcEndpoint> {
    throw new Error('no WebRTC here');
  }

  createBridge(): MediaBridge {
    throw new Error('no bridge here');
  }
}

export class FakeRtpEndpoint implements RtpEndpoint {
  readonly id: string;
  /** What was done with it, in order. */
  readonly log: string[] = [];
  closed = false;
  /** Answers wait until the test lets them come. */
  answerGate: Promise<void> = Promise.resolve();
  #version = 0;
  #listener: (event: MediaEndpointEvent) => void = () => undefined;

  constructor(
    readonly options: RtpEndpointOptions,
    readonly port: number,
    private readonly offerPadding: number,
  ) {
    this.id = `rtp-${port}`;
  }

  get rtpPort(): number {
    return this.port;
  }

  listen(listener: (event: MediaEndpointEvent) => void): void {
    this.#listener = listener;
  }

  say(event: MediaEndpointEvent): void {
    this.#listener(event);
  }

  stats(): Promise<MediaStats> {
    return Promise.reject(new Error('no media'));
  }

  createOffer(): Promise<string> {
    this.log.push('offer');
    const padding = this.offerPadding > 0 ? `a=x-padding:${'x'.repeat(this.offerPadding)}\r\n` : '';
    return Promise.resolve(buildPbxOffer(this.#local()) + padding);
  }

  async acceptAnswer(answer: string): Promise<void> {
    await this.#orMediaError('accept', () => readPbxAnswer(answer, this.#local()));
  }

  async createAnswer(offer: string): Promise<string> {
    await this.answerGate;
    return this.#orMediaError('answer', () => answerPbxOffer(offer, this.#local()).sdp);
  }

  sendDtmf(digit: string): void {
    this.log.push(`dtmf ${digit}`);
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  /** As the real engine: what SDP says is told as an error of the media room. */
  #orMediaError<T>(what: string, work: () => T): Promise<T> {
    try {
      const result = work();
      this.log.push(what);
      return Promise.resolve(result);
    } catch (error) {
      this.log.push(`${what} failed`);
      const code = error instanceof Error && 'endCode' in error ? error.endCode : undefined;
      const endCode = code === 'no_codec' || code === 'not_allowed' ? code : 'bad_request';
      return Promise.reject(new MediaError(endCode, error instanceof Error ? error.message : endReason(endCode).code));
    }
  }

  #local(): PbxLocal {
    return {
      address: this.options.localAddress ?? '127.0.0.1',
      port: this.port,
      codecs: this.options.codecs,
      sessionId: String(this.port),
      sessionVersion: ++this.#version,
    };
  }
}
