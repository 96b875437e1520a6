import { endReason } from '../../../src/call/end-reason.js';
import type { MediaBridge } from '../../../src/call/media-bridge.js';
import type {
  MediaEndpointEvent,
  MediaEngine,
  MediaStats,
  RtpEndpoint,
  RtpEndpointOptions,
  WebRtcEndpoint,
} from '../../../src/media/media-engine.js';
import { MediaError } from '../../../src/media/media-error.js';

/** How the engine behaves when something is asked of it. */
export type MediaMood = 'prompt' | 'held' | 'failing';

function mustBeUsable(sdp: string): void {
  if (sdp.includes('unusable')) throw new MediaError('no_codec', 'no common codec');
}

class Endpoint implements WebRtcEndpoint, RtpEndpoint {
  closed = 0;
  readonly rtpPort = 40_000;
  /** RTP was let out. */
  isSending = false;
  #listener: (event: MediaEndpointEvent) => void = () => undefined;

  constructor(
    readonly id: string,
    private readonly engine: FakeMedia,
  ) {}

  listen(listener: (event: MediaEndpointEvent) => void): void {
    this.#listener = listener;
  }
  fail(): void {
    this.#listener({ type: 'failed', reason: endReason('media_failed') });
  }
  createAnswer(offer: string): Promise<string> {
    return this.engine.asked(() => {
      mustBeUsable(offer);
      return `answer of ${this.id}`;
    });
  }
  createOffer(): Promise<string> {
    return this.engine.asked(() => `offer of ${this.id}`);
  }
  acceptAnswer(answer: string): Promise<void> {
    return this.engine.asked(() => mustBeUsable(answer));
  }
  start(): Promise<void> {
    return this.engine.asked(() => undefined);
  }
  openSending(): void {
    this.isSending = true;
  }
  sendDtmf(): void {
    // Keys go nowhere here.
  }
  stats(): Promise<MediaStats> {
    return Promise.reject(new Error('no media'));
  }
  close(): Promise<void> {
    this.closed++;
    return Promise.resolve();
  }
}

/** The bridge of one call. */
export class FakeBridge implements MediaBridge {
  readonly log: string[] = [];
  #listener: (kind: 'first' | 'idle') => void = () => undefined;

  prepare(b: string): void {
    this.log.push(`prepare ${b}`);
  }
  connect(a: string, b: string): void {
    this.log.push(`connect ${a} ${b}`);
  }
  disconnect(): void {
    this.log.push('disconnect');
  }
  sendDtmf(mediaId: string, digit: string, durationMs: number): void {
    this.log.push(`dtmf ${mediaId} ${digit} ${durationMs}`);
  }
  onTimeout(listener: (kind: 'first' | 'idle') => void): void {
    this.#listener = listener;
  }
  timeOut(kind: 'first' | 'idle'): void {
    this.#listener(kind);
  }
}

/** A media engine that is ready, late or failing as the test says. */
export class FakeMedia implements MediaEngine {
  readonly endpoints: Endpoint[] = [];
  readonly bridges: FakeBridge[] = [];
  mood: MediaMood = 'prompt';
  #held: (() => void)[] = [];

  start(): Promise<void> {
    return Promise.resolve();
  }
  stop(): Promise<void> {
    return Promise.resolve();
  }
  createWebRtcEndpoint(): Promise<WebRtcEndpoint> {
    return this.asked(() => this.#made('webrtc'));
  }
  createRtpEndpoint(_options: RtpEndpointOptions): Promise<RtpEndpoint> {
    return this.asked(() => this.#made('rtp'));
  }
  createBridge(): FakeBridge {
    const bridge = new FakeBridge();
    this.bridges.push(bridge);
    return bridge;
  }

  /** Does it now, later, or not at all. */
  asked<T>(work: () => T): Promise<T> {
    if (this.mood === 'failing') return Promise.reject(new MediaError('media_failed', 'engine is failing'));
    if (this.mood === 'prompt') return new Promise((resolve) => resolve(work()));
    return new Promise((resolve, reject) => {
      this.#held.push(() => {
        try {
          resolve(work());
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
  }

  /** What was held comes now. */
  release(): void {
    for (const work of this.#held.splice(0)) work();
  }

  #made(kind: string): Endpoint {
    const endpoint = new Endpoint(`${kind}-${this.endpoints.length}`, this);
    this.endpoints.push(endpoint);
    return endpoint;
  }
}
