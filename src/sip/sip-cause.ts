import { endReason, type EndReason } from '../call/end-reason.js';
import { sipFailures, sipFailuresByClass, type SipFailure } from '../call/failure-table.js';
import type { SrfMessage, SrfRequest, SrfResponse } from './drachtio-types.js';
import { parseReasonHeader, parseRetryAfter, type SipReason } from './sip-headers.js';
import { plainSipText } from './sip-text.js';

/** How an INVITE of ours failed. `retry`: another server of the trunk may do better. */
export interface DialFailure {
  readonly reason: EndReason;
  readonly retry: boolean;
}

const failureOf = (status: number): SipFailure => {
  const known = sipFailures.get(status);
  if (known) return known;
  if (status < 400) return sipFailuresByClass[3];
  if (status < 500) return sipFailuresByClass[4];
  return sipFailuresByClass[status < 600 ? 5 : 6];
};

/**
 * What a final response to our INVITE means. A Q.850 cause in its Reason header (RFC 6432) is taken over the table's.
 * @param local the SIP server made the response itself: nobody answered, or there was no way to send
 */
export function failureOfStatus(
  status: number,
  detail: { local?: boolean; reason?: string | undefined; retryAfter?: string | undefined; phrase?: string } = {},
): DialFailure {
  const isLocal = detail.local === true;
  const failure = isLocal ? nobodyAnswered : failureOf(status);
  const q850 = q850Of(detail.reason) ?? failure.q850;
  const retryAfterS = parseRetryAfter(detail.retryAfter);
  const text = plainSipText(`${status} ${detail.phrase ?? ''}`);
  return {
    reason: endReason(failure.code, {
      text,
      ...(isLocal || status < 400 ? {} : { sipStatus: status }),
      ...(q850 === undefined ? {} : { q850 }),
      ...(retryAfterS === undefined ? {} : { retryAfterS }),
    }),
    retry: failure.retry,
  };
}

const nobodyAnswered: SipFailure = { code: 'trunk_down', retry: true };

/** The same, read from srf's response object. */
export function failureOfResponse(response: SrfResponse): DialFailure {
  return failureOfStatus(response.status, {
    local: response.source_address === '',
    reason: response.get('Reason'),
    retryAfter: response.get('Retry-After'),
    phrase: response.reason,
  });
}

/** Why the far end sent BYE. What the SIP server sent in its place (no ACK, session timer) is told apart. */
export function reasonOfBye(bye: SrfRequest): EndReason {
  const header = bye.get('Reason');
  if (bye.source === 'application') {
    const text = parseReasonHeader(header)[0]?.text ?? 'dialog ended by the SIP server';
    return endReason('unavailable', { text, q850: recoveryOnTimerExpiry });
  }
  return endReason('hangup', detailOf(header));
}

/** Why the caller sent CANCEL. */
export function reasonOfCancel(cancel: SrfMessage): EndReason {
  return endReason('cancelled', detailOf(cancel.get('Reason')));
}

const recoveryOnTimerExpiry = 102;

function q850Of(header: string | undefined): number | undefined {
  const [first] = parseReasonHeader(header);
  return first?.protocol === 'Q.850' && first.cause > 0 && first.cause < 128 ? first.cause : undefined;
}

/** Q.850: another member of the group took the call (RFC 3326 §2: a CANCEL with SIP cause 200). */
const nonSelectedUserClearing = 26;

function detailOf(header: string | undefined): { q850?: number; text?: string } {
  const [first] = parseReasonHeader(header);
  const q850 = q850Of(header) ?? q850OfStatus(first);
  const text = first?.text;
  return { ...(q850 === undefined ? {} : { q850 }), ...(text === undefined || text === '' ? {} : { text }) };
}

/** The cause that a SIP status stands for, where the other side named no other. */
function q850OfStatus(reason: SipReason | undefined): number | undefined {
  if (reason?.protocol !== 'SIP') return undefined;
  return reason.cause === 200 ? nonSelectedUserClearing : sipFailures.get(reason.cause)?.q850;
}

/** Final statuses srf knows; it throws for any other. */
const known = new Set([
  400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 420, 421, 422, 423, 424,
  428, 429, 430, 433, 436, 437, 438, 439, 470, 480, 481, 482, 483, 484, 485, 486, 487, 488, 489, 491, 493, 494, 500,
  501, 502, 503, 504, 505, 513, 580, 600, 603, 604, 606,
]);

/** The status an INVITE is refused with: the reason's own if it is one that can be sent, else the x00 of its class. */
export function refusalStatus(reason: EndReason): number {
  if (known.has(reason.sipStatus)) return reason.sipStatus;
  return reason.sipStatus >= 400 && reason.sipStatus < 500 ? 480 : 500;
}
