import type { EndReason } from '../call/end-reason.js';
import type { LegQuality } from '../call/media-quality.js';
import type { CallObserver } from '../call/observer.js';
import type { Clock } from '../lib/clock.js';
import { withDeadline } from '../lib/deadline.js';
import type { CallId } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import type { MediaEndpointEvent, MediaEngine, WebRtcEndpoint, WebRtcEndpointOptions } from '../media/media-engine.js';
import { MediaError } from '../media/media-error.js';
import { observeMedia } from '../media/observe-media.js';
import { reasonOf } from './leg-reason.js';

/** Longest wait for the media engine, in milliseconds. */
const MEDIA_DEADLINE_MS = 5000;

/** What is known of the codecs of both sides. */
export type LegCodecs = Pick<WebRtcEndpointOptions, 'additionalCodecs' | 'trunkCodecs'>;

export interface LegMediaOptions {
  readonly engine: MediaEngine;
  readonly call: CallId;
  readonly codecs?: LegCodecs | undefined;
  readonly observer: CallObserver;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onFailed: (reason: EndReason) => void;
}

/** The WebRTC endpoint of a WhatsApp leg, from before it exists until it is closed. */
export class LegMedia {
  #endpoint: Promise<WebRtcEndpoint> | undefined;
  #ready: WebRtcEndpoint | undefined;
  #closed: Promise<void> | undefined;
  #quality: LegQuality | undefined;

  constructor(private readonly options: LegMediaOptions) {}

  /** Id in the media engine, once there is an endpoint. */
  get id(): string | undefined {
    return this.#ready?.id;
  }

  /** How its audio was, by the last report. */
  get quality(): LegQuality | undefined {
    return this.#quality;
  }

  /** @throws MediaError, DeadlineError */
  async createAnswer(offer: string): Promise<string> {
    const endpoint = await this.#create();
    return this.#within(endpoint.createAnswer(offer), 'media answer');
  }

  /** @throws MediaError, DeadlineError */
  async createOffer(): Promise<string> {
    const endpoint = await this.#create();
    return this.#within(endpoint.createOffer(), 'media offer');
  }

  /** @throws MediaError, DeadlineError */
  async acceptAnswer(answer: string): Promise<void> {
    const endpoint = await this.#create();
    await this.#within(endpoint.acceptAnswer(answer), 'media answer');
  }

  /** Starts ICE and DTLS; idempotent. What goes wrong is reported as a failure of the media. */
  start(): void {
    if (!this.#ready || this.#closed) return;
    this.#within(this.#ready.start(), 'media start').catch((error: unknown) => this.#fail(error));
  }

  openSending(): void {
    if (!this.#closed) this.#ready?.openSending();
  }

  /** Closes what there is, now or as soon as it exists. Never rejects. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  #create(): Promise<WebRtcEndpoint> {
    if (this.#closed) return Promise.reject(new MediaError('internal', 'leg has ended'));
    const { engine, call, codecs } = this.options;
    this.#endpoint ??= engine.createWebRtcEndpoint({ call, ...codecs }).then((endpoint) => {
      this.#ready = endpoint;
      endpoint.listen((event) => this.#onEvent(event));
      // The leg ended meanwhile and no longer waits for it.
      if (this.#closed) this.#closeQuietly(endpoint);
      return endpoint;
    });
    return this.#within(this.#endpoint, 'media endpoint');
  }

  async #close(): Promise<void> {
    const endpoint = this.#ready ?? (await this.#created());
    if (!endpoint) return;
    await this.#within(endpoint.close(), 'media close').catch((err: unknown) => {
      this.options.logger.warn('media did not close', { err });
    });
  }

  /** The endpoint that is still being made; undefined if there is none, or none came of it (which was reported). */
  async #created(): Promise<WebRtcEndpoint | undefined> {
    return this.#endpoint && this.#within(this.#endpoint, 'media endpoint').catch(() => undefined);
  }

  #closeQuietly(endpoint: WebRtcEndpoint): void {
    endpoint.close().catch((err: unknown) => this.options.logger.warn('media did not close', { err }));
  }

  #onEvent(event: MediaEndpointEvent): void {
    const { observer, call } = this.options;
    // The last report comes while it is being closed.
    if (event.type === 'quality') this.#quality = event.total;
    else if (this.#closed) return;
    observeMedia(observer, call, 'whatsapp', event);
    if (event.type === 'failed') this.options.onFailed(event.reason);
  }

  #fail(error: unknown): void {
    if (!this.#closed) this.options.onFailed(reasonOf(error));
  }

  #within<T>(promise: Promise<T>, what: string): Promise<T> {
    return withDeadline(promise, MEDIA_DEADLINE_MS, what, this.options.clock);
  }
}
