import { endReason, type EndDetail, type EndReason } from '../call/end-reason.js';
import { metaFailures, metaOtherwise, type MetaFailure } from '../call/failure-table.js';
import type { GraphError } from './graph-error.js';

/** What Meta said went wrong with a call, from an HTTP answer or a webhook. */
interface MetaFault {
  readonly metaCode?: number | undefined;
  readonly metaSubcode?: number | undefined;
  readonly message?: string | undefined;
  readonly title?: string | undefined;
  readonly details?: string | undefined;
  readonly retryAfterS?: number | undefined;
}

/** An error as webhooks carry it, beside or inside `calls`. */
export interface WebhookError {
  readonly code: number;
  readonly title: string | undefined;
  readonly details: string | undefined;
}

/** Meta did not say in time what became of a request. */
export const timedOutReason = reasonOf(metaOtherwise.timeout, { title: 'no answer from Meta in time' });
/** The user's REJECTED. */
export const rejectedReason = reasonOf(metaOtherwise.rejected, {});

/** How a call ends because a request to the Graph API failed. */
export function reasonFromGraphError(error: GraphError): EndReason {
  if (error.fault === 'token') return reasonOf(metaOtherwise.noAccess, { title: error.message });
  if (error.fault === 'timeout') return timedOutReason;
  if (error.fault === 'transport') return reasonOf(metaOtherwise.unreachable, { title: 'Meta cannot be reached' });
  const failure = failureOf(error) ?? failureOfStatus(error.httpStatus ?? 0);
  return reasonOf(failure, { ...factsOf(error), title: error.title ?? error.message });
}

/**
 * How a call ends by a `terminate` webhook. COMPLETED says nothing about an answer (it covers calls nobody picked up), so the
 * caller says whether there was one.
 */
export function reasonFromWebhookErrors(
  errors: readonly WebhookError[],
  call: {
    readonly answered: boolean;
    readonly direction: 'user_initiated' | 'business_initiated';
    readonly outcome: 'COMPLETED' | 'FAILED' | undefined;
  },
): EndReason {
  for (const { code, title, details } of errors) {
    const fault = { metaCode: code, title, details };
    const known = failureOf(fault);
    if (known) return reasonOf(inCall(known, call.answered), fault);
  }
  const [first] = errors;
  const said = first ? { metaCode: first.code, title: first.title, details: first.details } : {};
  if (call.outcome === 'FAILED' || first) return reasonOf(inCall(metaOtherwise.failed, call.answered), said);
  if (call.answered) return endReason('hangup');
  return endReason(call.direction === 'user_initiated' ? 'cancelled' : 'no_answer');
}

const inCall = (failure: MetaFailure, answered: boolean): MetaFailure =>
  answered ? (failure.afterAnswer ?? failure) : failure;

function failureOf(fault: MetaFault): MetaFailure | undefined {
  const code = fault.metaCode;
  if (code === undefined) return undefined;
  if (code === 100) return failureOfInvalidParameter(fault);
  if (code >= 200 && code <= 299) return metaOtherwise.noAccess;
  return metaFailures.get(code);
}

/** The number is not ours to use, or not there: what Meta says of an object without permission. Subcode 33 is the same. */
const noAccess = /missing permissions?|does not support this operation|unsupported post request/i;
const noAccessSubcode = 33;
/** `to` is an English word too: it is a parameter only in quotes, in brackets, or where the text calls it one. */
const recipient =
  /['"`‘’“”]to['"`‘’“”]|\(to\)|\bto param(?:eter)?\b|\bparam(?:eter)?:? to(?= (?:must|is|has|was|should|does|can)|[^\w ]|$)|\b(?:recipient|recipient_id|callee|phone[ _]number(?! id)|wa_id)\b/i;
const session = /\bsdp|fingerprint|session\b/i;
const malformed =
  /format|malformed|digit|numeric|\ba valid(?! whatsapp)|invalid (?:phone|number|to|recipient)|too (?:short|long)/i;

/** Code 100 is any invalid parameter; its text names which one. */
function failureOfInvalidParameter({ metaSubcode, message, title, details }: MetaFault): MetaFailure {
  const said = [details, title, message].join(' \n');
  if (metaSubcode === noAccessSubcode || noAccess.test(said)) return metaOtherwise.noAccess;
  if (!recipient.test(said) || session.test(said)) return metaOtherwise.badRequest;
  return malformed.test(said) ? metaOtherwise.malformedUser : metaOtherwise.unknownUser;
}

/** For codes that are not in the table. */
function failureOfStatus(httpStatus: number): MetaFailure {
  if (httpStatus === 429) return metaOtherwise.http429;
  if (httpStatus === 401 || httpStatus === 403) return metaOtherwise.noAccess;
  return httpStatus >= 400 && httpStatus < 500 ? metaOtherwise.http4xx : metaOtherwise.http5xx;
}

const factsOf = ({ metaCode, title, details, retryAfterS }: GraphError): MetaFault => ({
  metaCode,
  title,
  details,
  retryAfterS,
});

function reasonOf({ code, sipStatus, q850, retryAfterS }: MetaFailure, fault: MetaFault): EndReason {
  const after = fault.retryAfterS ?? retryAfterS;
  return endReason(code, {
    ...detailOf(fault),
    ...(sipStatus !== undefined && { sipStatus }),
    ...(q850 !== undefined && { q850 }),
    ...(after !== undefined && { retryAfterS: after }),
  });
}

function detailOf(fault: MetaFault): EndDetail {
  const text = fault.details ?? fault.title;
  return {
    ...(fault.metaCode !== undefined && { metaCode: fault.metaCode }),
    ...(text !== undefined && { text }),
  };
}
