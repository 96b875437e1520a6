import type { EndReason } from '../call/end-reason.js';
import type { PbxCodec } from '../routing/types.js';
import type { SrfHeaders } from './drachtio-types.js';
import { splitHeader } from './header-list.js';
import { plainSipText, quotedSipText, unquotedSipText } from './sip-text.js';

/** Our name in Warning (RFC 3261 §20.43: a pseudonym may stand for the host) and User-Agent. */
export const agentName = 'sip2wa';

/** Methods we answer (RFC 3261 §20.5). */
export const allowedMethods = 'INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER';

/** Extensions of ours: RFC 3262, RFC 3891, RFC 4488. The SIP server adds those that are its own alone. */
export const supportedOptions = '100rel, replaces, norefersub';

/** Retry-After of a 503 that says nothing itself, in seconds: without one it counts as 500 (RFC 3261 §21.5.4). */
const defaultRetryAfterS = 5;
/** A 503 stops all calls of the PBX to us for that time, not only those to one user (RFC 3261 §21.5.4). */
const longestOutageS = 3600;
/** Meta's longest limit runs for 7 days. */
const longestRetryAfterS = 7 * 24 * 3600;

/** What a Reason header says (RFC 3326), as far as it is used. */
export interface SipReason {
  readonly protocol: string;
  readonly cause: number;
  readonly text: string | undefined;
}

/** Longest text of Reason and Warning, in characters: Meta's sentences are longer than names. */
const textLimit = 160;

/** What the other side said, with Meta's error code before it: the words an operator can look up. */
function saidText({ metaCode, text = '' }: EndReason): string {
  return plainSipText(metaCode === undefined ? text : `${metaCode} ${text}`, textLimit);
}

/** `Reason: Q.850;cause=16;text="…"` (RFC 3326, in responses RFC 6432). */
export function reasonHeader(reason: EndReason): string {
  const text = saidText(reason);
  return `Q.850;cause=${reason.q850}${text === '' ? '' : `;text=${quotedSipText(text, textLimit)}`}`;
}

/** `Reason: SIP;cause=488;text="…"`: an answer that came too late to be refused in its own transaction. */
export function sipReasonHeader(status: number, text: string): string {
  return `SIP;cause=${status};text=${quotedSipText(text)}`;
}

/** Warning 399 (miscellaneous) with Meta's error code, for the operator who reads a trace. */
function metaWarning(reason: EndReason): string {
  return `399 ${agentName} ${quotedSipText(saidText(reason), textLimit)}`;
}

/** Warning 399 (miscellaneous), for whoever reads a trace at the other side. */
export function otherWarning(text: string): string {
  return `399 ${agentName} ${quotedSipText(text)}`;
}

/** Warning 305 (incompatible media format) naming what we would have taken (RFC 3261 §20.43). */
export function codecWarning(codecs: readonly PbxCodec[]): string {
  return `305 ${agentName} ${quotedSipText(`supported: ${codecs.join(' ')}`)}`;
}

/** Headers of a final response that refuses for this reason. */
export function refusalHeaders(reason: EndReason, codecs: readonly PbxCodec[]): SrfHeaders {
  const headers: SrfHeaders = { Reason: reasonHeader(reason) };
  if (reason.metaCode !== undefined) headers['Warning'] = metaWarning(reason);
  else if (reason.code === 'no_codec') headers['Warning'] = codecWarning(codecs);
  const retryAfterS = reason.retryAfterS ?? (reason.sipStatus === 503 ? defaultRetryAfterS : undefined);
  if (retryAfterS !== undefined) {
    const longestS = reason.sipStatus === 503 ? longestOutageS : longestRetryAfterS;
    headers['Retry-After'] = String(Math.min(longestS, Math.max(0, Math.ceil(retryAfterS))));
  }
  return headers;
}

/** Reads the Reason header's values, the Q.850 one first; what does not parse is left out. */
export function parseReasonHeader(value: string | undefined): SipReason[] {
  if (value === undefined) return [];
  const reasons = splitHeader(value, ',').flatMap((part) => parseReason(part));
  return reasons.sort((a, b) => Number(b.protocol === 'Q.850') - Number(a.protocol === 'Q.850'));
}

function parseReason(value: string): SipReason[] {
  const [protocol = '', ...params] = splitHeader(value, ';').map((part) => part.trim());
  let cause: number | undefined;
  let text: string | undefined;
  for (const param of params) {
    const [, name, content = ''] = /^([\w-]+)\s*=\s*(.*)$/s.exec(param) ?? [];
    if (name?.toLowerCase() === 'cause' && /^\d{1,3}$/.test(content)) cause = Number(content);
    if (name?.toLowerCase() === 'text') text = unquotedSipText(content);
  }
  return cause === undefined ? [] : [{ protocol: protocol.toUpperCase(), cause, text }];
}

/** Seconds of a Retry-After header (RFC 3261 §20.33: comment and parameters may follow). */
export function parseRetryAfter(value: string | undefined): number | undefined {
  const seconds = /^\s*(\d{1,9})/.exec(value ?? '')?.[1];
  return seconds === undefined ? undefined : Math.min(longestOutageS, Number(seconds));
}
