import { endReason, type EndCode, type EndDetail, type EndReason } from '../call/end-reason.js';
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

interface Row {
  readonly code: EndCode;
  readonly sipStatus?: number;
  readonly q850?: number;
  /** Retry-After when Meta names no time, in seconds. */
  readonly retryAfterS?: number;
}

const row = (code: EndCode, extra: Omit<Row, 'code'> = {}): Row => ({ code, ...extra });

/**
 * Meta's error codes to our end codes. SIP statuses follow the table of codes in the API notes; the choices where that
 * leaves room are in decision note 0050.
 */
const rows: ReadonlyMap<number, Row> = new Map([
  // Service and rate limits (Meta's general error codes).
  [1, row('upstream')],
  [2, row('upstream')],
  [4, row('limit', { retryAfterS: 60 })],
  [10, row('credentials')],
  [190, row('credentials')],
  [613, row('limit', { retryAfterS: 5 })],
  [80007, row('limit', { retryAfterS: 60 })],
  [130429, row('limit', { retryAfterS: 60 })],
  [130497, row('not_allowed')],
  [131000, row('upstream')],
  [131009, row('internal')],
  [131016, row('upstream')],
  [131026, row('unavailable')],
  [131030, row('not_allowed')],
  [131044, row('not_allowed')],
  // The number is in SIP mode: a fault of the set-up, not of the call.
  [131055, row('internal', { sipStatus: 503 })],
  // Calling (Meta's troubleshooting page).
  [138000, row('not_allowed')],
  [138001, row('not_found')],
  [138002, row('limit', { retryAfterS: 10 })],
  [138003, row('busy')],
  [138004, row('upstream', { sipStatus: 500 })],
  [138005, row('limit', { retryAfterS: 3600 })],
  [138006, row('no_permission')],
  [138007, row('media_failed')],
  [138008, row('internal')],
  [138009, row('no_permission')],
  [138011, row('no_permission')],
  [138012, row('limit', { sipStatus: 403, retryAfterS: 3600 })],
  [138013, row('not_allowed')],
  [138014, row('not_allowed')],
  [138015, row('not_allowed')],
  [138017, row('internal')],
  [138018, row('not_allowed')],
  [138019, row('unavailable')],
  [138020, row('unavailable')],
  [138021, row('media_timeout')],
  [138022, row('media_timeout')],
  [138023, row('media_failed', { q850: 41 })],
  [138024, row('not_allowed')],
  [138025, row('not_allowed')],
]);

/** How a call ends because a request to the Graph API failed. */
export function reasonFromGraphError(error: GraphError): EndReason {
  if (error.fault === 'token') return endReason('credentials', { text: error.message });
  if (error.fault === 'timeout') return endReason('upstream', { sipStatus: 504, text: 'no answer from Meta in time' });
  if (error.fault === 'transport') return endReason('upstream', { text: 'Meta cannot be reached' });
  const known = rowOf(error);
  if (known) return reasonOf(known, error);
  return reasonOf(rowOfStatus(error.httpStatus ?? 0), { ...factsOf(error), title: error.title ?? error.message });
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
    const known = rowOf(fault);
    if (known) return reasonOf(call.answered ? afterAnswer(known) : known, fault);
  }
  const first = errors[0];
  const said = first ? detailOf({ metaCode: first.code, title: first.title, details: first.details }) : {};
  if (call.outcome === 'FAILED' || first) return endReason(call.answered ? 'upstream' : 'unavailable', said);
  if (call.answered) return endReason('hangup');
  return endReason(call.direction === 'user_initiated' ? 'cancelled' : 'no_answer');
}

/** A relay that cannot be reached is "unavailable" before the answer, and lost media after it. */
const afterAnswer = (known: Row): Row => (known.code === 'unavailable' ? row('media_failed', { q850: 41 }) : known);

function rowOf(fault: MetaFault): Row | undefined {
  const code = fault.metaCode;
  if (code === undefined) return undefined;
  if (code === 100) return rowOfInvalidParameter(fault);
  if (code >= 200 && code <= 299) return row('credentials');
  return rows.get(code);
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
function rowOfInvalidParameter({ metaSubcode, message, title, details }: MetaFault): Row {
  const said = [details, title, message].join(' \n');
  if (metaSubcode === noAccessSubcode || noAccess.test(said)) return row('credentials');
  if (!recipient.test(said) || session.test(said)) return row('internal');
  return malformed.test(said) ? row('bad_number') : row('not_found');
}

/** For codes that are not in the table. */
function rowOfStatus(httpStatus: number): Row {
  if (httpStatus === 429) return row('limit', { retryAfterS: 60 });
  if (httpStatus === 401 || httpStatus === 403) return row('credentials');
  return httpStatus >= 400 && httpStatus < 500 ? row('upstream', { sipStatus: 500 }) : row('upstream');
}

const factsOf = ({ metaCode, title, details, retryAfterS }: GraphError): MetaFault => ({
  metaCode,
  title,
  details,
  retryAfterS,
});

function reasonOf({ code, sipStatus, q850, retryAfterS }: Row, fault: MetaFault): EndReason {
  const after = fault.retryAfterS ?? retryAfterS;
  return endReason(code, {
    ...detailOf(fault),
    ...(sipStatus !== undefined && { sipStatus }),
    ...(q850 !== undefined && { q850 }),
    ...(after !== undefined && (code === 'limit' || fault.retryAfterS !== undefined) && { retryAfterS: after }),
  });
}

function detailOf(fault: MetaFault): EndDetail {
  const text = fault.details ?? fault.title;
  return {
    ...(fault.metaCode !== undefined && { metaCode: fault.metaCode }),
    ...(text !== undefined && { text }),
  };
}
