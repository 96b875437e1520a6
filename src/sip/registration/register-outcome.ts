import { parseSrfUri, type SrfResponse } from '../drachtio-types.js';
import { parseRetryAfter } from '../sip-headers.js';
import { plainSipText } from '../sip-text.js';
import type { RegisterFailure, RegistrationEvent } from './registration-machine.js';

/** What a REGISTER came to. */
export type RegisterOutcome = Extract<RegistrationEvent, { readonly type: 'granted' | 'failed' | 'tooBrief' }>;

/** What was asked for. */
export interface AskedBinding {
  /** As it was sent, our address in it. */
  readonly contact: string;
  readonly lifetimeMs: number;
}

/** Statuses below 500 that say nothing against us: later is another matter (RFC 3261 §21.4). */
const passing = new Set([408, 480]);

/**
 * Judges the final response to a REGISTER (RFC 3261 §10.2). A redirection is not followed: where it leads to a server of the
 * trunk, that one is registered at by itself, and nobody else is to see the password.
 */
export function outcomeOf(response: SrfResponse, asked: AskedBinding): RegisterOutcome {
  const { status } = response;
  const why = plainSipText(`${status} ${response.reason}`);
  const retryAfterS = parseRetryAfter(response.get('Retry-After'));
  const retry = retryAfterS === undefined ? {} : { retryAfterMs: retryAfterS * 1_000 };
  if (response.source_address === '') return failedBy({ kind: 'unreachable', why: `no answer: ${status}` });
  if (status < 300) {
    const lifetimeMs = grantedLifetimeMs(response, asked);
    return lifetimeMs > 0 ? { type: 'granted', lifetimeMs } : failedBy({ kind: 'refused', why: 'granted no time' });
  }
  if (status === 423) {
    const leastMs = secondsIn(response.get('Min-Expires'));
    if (leastMs !== undefined) return { type: 'tooBrief', leastMs };
  }
  const isPassing = passing.has(status) || (status >= 500 && status < 600);
  return failedBy({ kind: isPassing ? 'unreachable' : 'refused', why, ...retry });
}

const failedBy = (failure: RegisterFailure): RegisterOutcome => ({ type: 'failed', failure });

/** Of our own binding, else of all, else as asked (RFC 3261 §10.2.4); milliseconds. */
function grantedLifetimeMs(response: SrfResponse, { contact, lifetimeMs }: AskedBinding): number {
  const own = ownBindingExpires(response, contact);
  return secondsIn(own) ?? secondsIn(response.get('Expires')) ?? lifetimeMs;
}

/** The `expires` of our binding among those that the registrar lists; a single one is ours, however it is written. */
function ownBindingExpires(response: SrfResponse, contact: string): string | undefined {
  try {
    const bindings = response.has('Contact') ? response.getParsedHeader('contact') : [];
    const ours = placeOf(/<([^>]*)>/.exec(contact)?.[1] ?? contact);
    const own = bindings.find(({ uri }) => ours !== undefined && placeOf(uri) === ours);
    return (own ?? (bindings.length === 1 ? bindings[0] : undefined))?.params['expires'];
  } catch {
    return undefined;
  }
}

/** User, host and port of a URI, to compare it by (RFC 3261 §19.1.4). */
function placeOf(uri: string): string | undefined {
  const { user = '', host, port } = parseSrfUri(uri) ?? {};
  return host === undefined ? undefined : `${user}@${host.toLowerCase()}:${port}`;
}

/** Delta-seconds of a header as milliseconds (RFC 3261 §25.1). */
function secondsIn(text: string | undefined): number | undefined {
  const seconds = /^\s*"?(\d{1,10})"?\s*$/.exec(text ?? '')?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1_000;
}
