import type { EndReason } from './end-reason.js';
import type { LegQuality } from './media-quality.js';

/** RFC 4235 dialog states, as both SIP and WhatsApp legs go through them. */
export type LegState = 'trying' | 'proceeding' | 'early' | 'confirmed' | 'terminated';

/** Which side of a call: the leg that originated it, or the one that is dialled. */
export type LegRole = 'a' | 'b';

/**
 * What a leg reports. Order within a leg: any of progress/earlyMedia, then answered (B) or confirmed (A),
 * then at most one of failed/cancelled/ended, then `terminated`, which comes exactly once and last.
 * A leg that is hung up or rejected by us reports only `terminated`.
 */
export type LegEvent =
  /** B leg: the far end rings (180; RINGING). */
  | { readonly type: 'progress' }
  /** B leg: media before the answer (183 with SDP). */
  | { readonly type: 'earlyMedia' }
  /** B leg: picked up (200; ACCEPTED with Meta's answer applied). */
  | { readonly type: 'answered' }
  /** A leg: our answer has arrived (ACK; accept returned 200). */
  | { readonly type: 'confirmed' }
  /** The leg could not be set up or answered. `retry`: another target may be tried (B leg only). */
  | { readonly type: 'failed'; readonly reason: EndReason; readonly retry: boolean }
  /** A leg: the caller gave up before the answer. */
  | { readonly type: 'cancelled'; readonly reason: EndReason }
  /** The far end hung up, or the leg died, after the answer. */
  | { readonly type: 'ended'; readonly reason: EndReason }
  | { readonly type: 'held' }
  | { readonly type: 'resumed' }
  /** A DTMF key was pressed at the far end, outside the media (INFO). */
  | { readonly type: 'dtmf'; readonly digit: string; readonly durationMs: number }
  /** After the answer: the far end is being, or was, put through to somebody else; `mediaId` is another one now, or none. */
  | { readonly type: 'mediaMoved' }
  /** Everything of this leg is over on the wire and its media is closed. */
  | { readonly type: 'terminated' };

/** What is known of a leg: for the CDR, for the journal, and for the other side's dial plan. */
export type LegFacts = Readonly<Record<string, string>>;

/** One side of a call. Commands never throw and never wait: what comes of them is reported as events. */
export interface Leg {
  /** SIP or WhatsApp; for logs and the CDR. */
  readonly kind: 'sip' | 'whatsapp';
  /** Id of this leg's media endpoint in the media engine, once it has one, and while it has one. */
  readonly mediaId: string | undefined;
  /** Facts of the leg as they stand now: sipCallId, waCallId, addresses, the operator's opaque string, Meta's own times. */
  readonly facts: LegFacts;
  /** How this leg's audio was so far, once that is known; what was after a transfer counts. */
  readonly quality?: LegQuality | undefined;
  /** Sets the one receiver of this leg's events. Events that came before are delivered at once, in order. */
  listen(listener: (event: LegEvent) => void): void;
  /** Ends the leg whatever its state (CANCEL, BYE, terminate). Idempotent. */
  hangup(reason: EndReason): void;
}

/** The leg on which a call arrived. */
export interface OriginatingLeg extends Leg {
  /** The call is being routed: 100 Trying is out; a WhatsApp leg pre-accepts here. */
  trying(): void;
  /** The dialled side rings: 180 on SIP; nothing on WhatsApp, whose user hears ringing already. `dialled`: its leg's facts. */
  ring(dialled?: LegFacts): void;
  /** The dialled side answered: 200 OK; accept. Reports `confirmed` or `failed`. `dialled`: its leg's facts. */
  answer(dialled?: LegFacts): void;
  /** Refuses the call before the answer: final status; reject, or terminate once pre-accepted. `dialled`: as of `ring`. */
  reject(reason: EndReason, dialled?: LegFacts): void;
}

/** The leg that is dialled. */
export interface DialledLeg extends Leg {
  /** Places the call. Reports progress, earlyMedia, answered or failed. */
  dial(): void;
}
