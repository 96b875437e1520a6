import type { E164, WaCallId } from '../lib/ids.js';
import type { WebhookError } from './graph-cause.js';

/** The WhatsApp person of an event, as far as it is known: number and business-scoped id may each be missing. */
export interface WaUser {
  readonly number: E164 | undefined;
  readonly userId: string | undefined;
  readonly parentUserId: string | undefined;
  /** Profile name: chosen by the user, not sanitised. */
  readonly name: string | undefined;
  readonly username: string | undefined;
}

export type WaDirection = 'user_initiated' | 'business_initiated';

interface OfNumber {
  /** `metadata.phone_number_id`. */
  readonly numberId: string;
  /** Wall clock, milliseconds since the Unix epoch; undefined when missing. */
  readonly timestampMs: number | undefined;
}

interface OfCall extends OfNumber {
  readonly waCallId: WaCallId;
  /** `biz_opaque_callback_data`. */
  readonly opaque: string | undefined;
}

interface Payloads {
  readonly ctaPayload: string | undefined;
  readonly deeplinkPayload: string | undefined;
}

/** A user calls the business. */
export interface UserConnect extends OfCall, Payloads {
  readonly kind: 'user_connect';
  readonly user: WaUser;
  /** Meta's SDP offer. */
  readonly offer: string;
}

/** Meta's answer to our offer. */
export interface BusinessConnect extends OfCall {
  readonly kind: 'business_connect';
  readonly user: WaUser;
  readonly answer: string;
}

/** How a business-initiated call goes at the user's end. */
export interface CallStatus extends OfCall {
  readonly kind: 'call_status';
  readonly status: 'RINGING' | 'ACCEPTED' | 'REJECTED';
  readonly user: WaUser;
}

export interface CallTerminate extends OfCall, Payloads {
  readonly kind: 'call_terminate';
  readonly direction: WaDirection | undefined;
  readonly outcome: 'COMPLETED' | 'FAILED' | undefined;
  /** Only of calls that were picked up. */
  readonly startMs: number | undefined;
  readonly endMs: number | undefined;
  readonly durationS: number | undefined;
  readonly errors: readonly WebhookError[];
}

/** The user's answer to a call permission request, or a grant or revocation without one. */
export interface PermissionReply extends OfNumber {
  readonly kind: 'permission_reply';
  readonly user: WaUser;
  readonly messageId: string | undefined;
  /** Id of the request message or of the call that led to it; absent for grants from the profile and automatic revocation. */
  readonly contextId: string | undefined;
  readonly response: 'accept' | 'reject';
  readonly permanent: boolean;
  readonly expiresAtMs: number | undefined;
  readonly source: 'user_action' | 'automatic' | undefined;
}

/** Somebody has changed the number's settings at Meta, be it we ourselves (`account_settings_update`). */
export interface SettingsChanged extends OfNumber {
  readonly kind: 'settings_changed';
}

/** Something this version has no use for, or that is not of Meta's form. Acknowledged, counted, never acted on. */
export interface UnknownEvent {
  readonly kind: 'unknown';
  readonly numberId: string | undefined;
  /** Webhook field, cut to 64 characters. */
  readonly field: string;
  /** What it was, or what was wrong with it. */
  readonly what: string;
  /** What Meta says went wrong, for the log: no call takes it. */
  readonly errors?: readonly WebhookError[];
}

/** What concerns one call. */
export type CallEventOfMeta = UserConnect | BusinessConnect | CallStatus | CallTerminate;

export type WebhookEvent = CallEventOfMeta | PermissionReply | SettingsChanged | UnknownEvent;

/** What became of webhook events; names are those of the `webhooks_total` results. */
export type WebhookResult =
  | 'handled'
  | 'duplicate'
  | 'foreign_number'
  | 'not_graph'
  | 'stale'
  | 'ended_before'
  | 'parked'
  | 'parked_overflow'
  | 'parked_forgotten'
  | 'abandoned'
  | 'unknown'
  | 'failed';
