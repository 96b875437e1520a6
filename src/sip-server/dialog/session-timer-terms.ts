import type { SipHeader, SipRequest, SipResponse, WithHeaders } from '../sip/message.js';
import { elements, first, header } from '../sip/message.js';

/** What this server wants of session timers (RFC 4028). */
export interface SessionPolicy {
  /** The interval asked for, in seconds; 0 leaves session timers alone altogether. */
  readonly expiresS: number;
  /** The shortest interval taken, in seconds: our Min-SE (§5 has no less than 90). */
  readonly minS: number;
}

export const DEFAULT_SESSION_POLICY: SessionPolicy = { expiresS: 600, minS: 90 };

/** What both sides of a dialog have settled on. */
export interface SessionTerms {
  readonly intervalS: number;
  readonly refresher: 'us' | 'them';
}

const OPTION = 'timer';
const INTERVAL = /^(\d{1,9})[ \t]*(?:;|$)/;

const secondsOf = (message: WithHeaders, key: string): number | undefined => {
  const digits = INTERVAL.exec(first(message, key) ?? '')?.[1];
  return digits === undefined ? undefined : Number(digits);
};

/** Min-SE of a request or of a 422; 0 without one. */
export const minSeOf = (message: WithHeaders): number => secondsOf(message, 'min-se') ?? 0;

function refresherOf(message: WithHeaders): 'uac' | 'uas' | undefined {
  const role = /;[ \t]*refresher[ \t]*=[ \t]*(uac|uas)[ \t]*(?:;|$)/i.exec(
    first(message, 'session-expires') ?? '',
  )?.[1];
  return role?.toLowerCase() as 'uac' | 'uas' | undefined;
}

const knowsTimer = (message: WithHeaders): boolean =>
  ['supported', 'require'].some((key) => elements(message, key).some((tag) => tag.toLowerCase() === OPTION));

/** Requests that refresh a session (§3). */
export const refreshesSession = (method: string): boolean => method === 'INVITE' || method === 'UPDATE';

/** Is the request to be refused with 422? Who does not know the extension cannot be (§9). */
export function asksTooShort(request: SipRequest, policy: SessionPolicy): boolean {
  const askedS = secondsOf(request, 'session-expires');
  const isShort = policy.expiresS > 0 && askedS !== undefined && askedS < policy.minS;
  return isShort && refreshesSession(request.method) && knowsTimer(request);
}

/** The terms a 2xx of ours sets, and the headers that say so. */
export interface AnsweredTerms {
  readonly terms: SessionTerms;
  readonly headers: (own: readonly SipHeader[]) => SipHeader[];
}

/**
 * As the answering side of an INVITE or UPDATE (§9, table 2). The peer's wish who refreshes is followed; without one it
 * is who did so far, at first this server, for some peers that know the extension never refresh. The interval may be made
 * shorter, never longer.
 */
export function answerTerms(
  request: SipRequest,
  policy: SessionPolicy,
  current: SessionTerms | undefined,
): AnsweredTerms | undefined {
  const askedS = secondsOf(request, 'session-expires');
  const knows = knowsTimer(request);
  const isWanted = knows || askedS !== undefined || current !== undefined;
  if (policy.expiresS === 0 || !isWanted || (askedS !== undefined && askedS < policy.minS)) return undefined;
  const ourS = Math.max(current?.intervalS ?? policy.expiresS, minSeOf(request), policy.minS);
  const terms: SessionTerms = {
    intervalS: askedS === undefined ? ourS : Math.min(askedS, ourS),
    refresher: knows ? wishedRefresher(request, current) : 'us',
  };
  const own = header('Session-Expires', `${terms.intervalS};refresher=${terms.refresher === 'us' ? 'uas' : 'uac'}`);
  return {
    terms,
    headers: (lines) => {
      const told = [...withOption(lines, 'Supported'), own];
      return knows ? withOption(told, 'Require') : told;
    },
  };
}

/** A 2xx with what it says of the terms. */
export const withTerms = (response: SipResponse, answer: AnsweredTerms | undefined): SipResponse =>
  answer ? { ...response, headers: answer.headers(response.headers) } : response;

function wishedRefresher(request: SipRequest, current: SessionTerms | undefined): SessionTerms['refresher'] {
  const wish = refresherOf(request);
  if (wish === undefined) return current?.refresher ?? 'us';
  return wish === 'uac' ? 'them' : 'us';
}

/** As the asking side: what a 2xx says (§7.2). Without the header there is no session timer, or no longer one. */
export function learnTerms(response: SipResponse, policy: SessionPolicy): SessionTerms | undefined {
  const saidS = secondsOf(response, 'session-expires');
  if (policy.expiresS === 0 || saidS === undefined) return undefined;
  return {
    // Less than our Min-SE is against §9, and would have us refresh without end.
    intervalS: Math.max(saidS, policy.minS),
    refresher: refresherOf(response) === 'uas' ? 'them' : 'us',
  };
}

/**
 * The headers of an INVITE or UPDATE of ours with session timers asked for (§7.1, §7.4). In a session that has one the
 * roles are kept; at first the peer may choose. `minSeS` is the largest Min-SE a 422 has told.
 */
export function offerTerms(
  headers: readonly SipHeader[],
  policy: SessionPolicy,
  current: SessionTerms | undefined,
  minSeS = 0,
): SipHeader[] {
  const leastS = Math.max(policy.minS, minSeS);
  const seconds = Math.max(current?.intervalS ?? policy.expiresS, leastS);
  const role = current ? `;refresher=${current.refresher === 'us' ? 'uac' : 'uas'}` : '';
  const rest = headers.filter((line) => line.key !== 'session-expires' && line.key !== 'min-se');
  return [
    ...withOption(rest, 'Supported'),
    header('Session-Expires', `${seconds}${role}`),
    header('Min-SE', String(leastS)),
  ];
}

/** The header with our option tag in it, beside what it has. */
function withOption(headers: readonly SipHeader[], name: 'Supported' | 'Require'): SipHeader[] {
  const key = name.toLowerCase();
  const at = headers.findIndex((line) => line.key === key);
  const present = headers[at];
  if (!present) return [...headers, header(name, OPTION)];
  if (elements({ headers }, key).some((tag) => tag.toLowerCase() === OPTION)) return [...headers];
  const value = present.value === '' ? OPTION : `${present.value}, ${OPTION}`;
  return headers.map((line, index) => (index === at ? { ...line, value } : line));
}
