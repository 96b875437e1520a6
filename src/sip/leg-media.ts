import { endReason, type EndReason } from '../call/end-reason.js';
import type { LegFacts } from '../call/leg.js';
import type { LegQuality } from '../call/media-quality.js';
import type { Clock } from '../lib/clock.js';
import { withDeadline } from '../lib/deadline.js';
import type { Logger } from '../lib/logger.js';
import type { MediaEndpointEvent, MediaEngine, RtpEndpoint, RtpEndpointOptions } from '../media/media-engine.js';

export interface LegMediaOptions {
  readonly engine: MediaEngine;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Deadline of one request to the engine. */
  readonly mediaMs: number;
}

/** One leg's RTP endpoint, with a deadline on every request and an end that also reaches an endpoint that comes late. */
export class LegMedia {
  #endpoint: RtpEndpoint | undefined;
  #opening: Promise<RtpEndpoint> | undefined;
  #closing: Promise<void> | undefined;
  #suite: string | undefined;
  #quality: LegQuality | undefined;

  constructor(private readonly options: LegMediaOptions) {}

  get id(): string | undefined {
    return this.#endpoint?.id;
  }

  /** How its audio was, by the last report. */
  get quality(): LegQuality | undefined {
    return this.#quality;
  }

  /** What records say of it: how it is encrypted, if it is. */
  get facts(): LegFacts {
    return this.#suite === undefined ? {} : { srtp: this.#suite };
  }

  /** @throws MediaError, DeadlineError, or Error once closed */
  async open(options: RtpEndpointOptions, listener: (event: MediaEndpointEvent) => void): Promise<void> {
    if (this.#closing) throw new Error('media is closed');
    this.#opening = this.options.engine.createRtpEndpoint(options);
    const endpoint = await this.#deadline(this.#opening, 'media endpoint');
    if (this.#isClosed()) throw new Error('media was closed while it opened');
    endpoint.listen((event) => {
      if (event.type === 'secured') this.#secured(event.suite);
      if (event.type === 'quality') this.#quality = event.total;
      listener(event);
    });
    this.#endpoint = endpoint;
  }

  /** @throws MediaError, DeadlineError */
  offer(): Promise<string> {
    return this.#request((endpoint) => endpoint.createOffer(), 'SDP offer');
  }

  /** @throws MediaError, DeadlineError */
  answer(offer: string): Promise<string> {
    return this.#request((endpoint) => endpoint.createAnswer(offer), 'SDP answer');
  }

  /** @throws MediaError, DeadlineError */
  accept(answer: string): Promise<void> {
    return this.#request((endpoint) => endpoint.acceptAnswer(answer), 'SDP answer of the far end');
  }

  /** Idempotent; resolves when the endpoint is closed or has had its time, never rejects. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #secured(suite: string): void {
    this.#suite = suite;
    this.options.logger.info('PBX media secured', { srtp: suite });
  }

  async #close(): Promise<void> {
    if (!this.#opening) return;
    // Not awaited one after the other: an endpoint that comes after the deadline is closed all the same.
    const closed = this.#opening.then(
      (endpoint) => endpoint.close(),
      () => undefined,
    );
    try {
      await this.#deadline(closed, 'closing of media');
    } catch (err) {
      this.options.logger.warn('media not closed', { err });
    }
  }

  #isClosed(): boolean {
    return this.#closing !== undefined;
  }

  async #request<T>(ask: (endpoint: RtpEndpoint) => Promise<T>, what: string): Promise<T> {
    if (!this.#endpoint || this.#closing) throw new Error('media is closed');
    return this.#deadline(ask(this.#endpoint), what);
  }

  #deadline<T>(promise: Promise<T>, what: string): Promise<T> {
    return withDeadline(promise, this.options.mediaMs, what, this.options.clock);
  }
}

/** How a leg ends because of an error of its media: errors that know say so themselves. */
export function reasonOfMediaError(error: unknown): EndReason {
  if (error instanceof Error && 'toEndReason' in error && typeof error.toEndReason === 'function') {
    return (error as Error & { toEndReason(): EndReason }).toEndReason();
  }
  return endReason('internal', { text: 'media engine failed' });
}

/** How an offer of the far end is refused: one whose media address is not allowed is not acceptable, not forbidden. */
export function reasonOfOfferError(error: unknown): EndReason {
  const reason = reasonOfMediaError(error);
  if (reason.code !== 'not_allowed') return reason;
  const { sipStatus, q850 } = endReason('no_codec');
  return { ...reason, sipStatus, q850 };
}

/** How a leg ends because of an answer of the far end's that is no use: whatever is wrong with it, no codec was agreed on. */
export function reasonOfAnswerError(error: unknown): EndReason {
  const reason = reasonOfMediaError(error);
  return reason.code === 'internal' ? endReason('no_codec', { text: 'answer without usable SDP' }) : reason;
}
