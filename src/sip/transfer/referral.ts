import type { SrfHeaders, SrfRequest, SrfResponse } from '../drachtio-types.js';

/** A REFER that came inside a dialog (RFC 3515), not answered yet, and the way to report on it there. */
export interface Referral {
  readonly request: SrfRequest;
  readonly response: SrfResponse;
  /** Ours in that dialog: a 2xx to REFER has it (RFC 3515 §2.2), as has NOTIFY; a drachtio-server adds none. */
  readonly contact: string;
  /**
   * Sends a NOTIFY in that dialog. Calls back with its final status; undefined when it could not be sent, as when the dialog
   * is over: a BYE takes the subscription along, since the SIP server forgets the dialog. Never throws.
   */
  notify(headers: SrfHeaders, body: string, done: (status: number | undefined) => void): void;
}

/** By which a dialog is known, from our side (RFC 3261 §12). */
export interface DialogIds {
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
}

/** Hands a REFER to who takes it; nobody does for a leg that is on its own. */
export function takeReferral(referral: Referral, onReferral: ((referral: Referral) => void) | undefined): void {
  if (onReferral) onReferral(referral);
  else referral.response.send(603);
}
