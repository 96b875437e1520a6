import { endReason, type EndCode, type EndReason } from '../call/end-reason.js';
import type { SrfMessage, SrfRequest, SrfResponse } from './drachtio-types.js';
import { parseReasonHeader, parseRetryAfter } from './sip-headers.js';
import { plainSipText } from './sip-text.js';

/** How an INVITE of ours failed. `retry`: another server of the trunk may do better. */
export interface DialFailure {
  readonly reason: EndReason;
  readonly retry: boolean;
}

/** Final statuses with a meaning of their own; the rest goes by class. */
const codeOfStatus: Readonly<Record<number, EndCode>> = {
  401: 'not_allowed',
  403: 'not_allowed',
  404: 'not_found',
  407: 'not_allowed',
  408: 'no_answer',
  410: 'not_found',
  415: 'no_codec',
  429: 'limit',
  433: 'declined',
  480: 'unavailable',
  481: 'unavailable',
  482: 'no_route',
  483: 'no_route',
  484: 'bad_number',
  485: 'bad_number',
  486: 'busy',
  487: 'no_answer',
  488: 'no_codec',
  491: 'unavailable',
  503: 'trunk_down',
  504: 'trunk_down',
  600: 'busy',
  603: 'declined',
  604: 'not_found',
  606: 'no_codec',
  607: 'declined',
  608: 'declined',
};

function codeOf(status: number): EndCode {
  const code = codeOfStatus[status];
  if (code) return code;
  if (status < 400) return 'unavailable'; // 3xx: a redirect is not followed, it could point anywhere
  if (status < 500) return 'bad_request';
  return status < 600 ? 'trunk_down' : 'declined';
}

/**
 * What a final response to our INVITE means. A Q.850 cause in its Reason header (RFC 6432) is taken over the table's.
 * @param local the SIP server made the response itself: nobody answered, or there was no way to send
 */
export function failureOfStatus(
  status: number,
  detail: { local?: boolean; reason?: string | undefined; retryAfter?: string | undefined; phrase?: string } = {},
): DialFailure {
  const code = detail.local === true ? 'trunk_down' : codeOf(status);
  const cause = q850Of(detail.reason);
  const retryAfterS = parseRetryAfter(detail.retryAfter);
  const text = plainSipText(`${status} ${detail.phrase ?? ''}`);
  return {
    reason: endReason(code, {
      text,
      ...(detail.local === true || status < 400 ? {} : { sipStatus: status }),
      ...(cause === undefined ? {} : { q850: cause }),
      ...(retryAfterS === undefined ? {} : { retryAfterS }),
    }),
    retry: code === 'trunk_down',
  };
}

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

function detailOf(header: string | undefined): { q850?: number; text?: string } {
  const q850 = q850Of(header);
  const text = parseReasonHeader(header)[0]?.text;
  return { ...(q850 === undefined ? {} : { q850 }), ...(text === undefined || text === '' ? {} : { text }) };
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
