import type { SessionTerms } from './session-timer-terms.js';

/** What a session is refreshed with: UPDATE where the peer allows it, for it carries no description (RFC 4028 §7.4). */
export type RefreshMethod = 'UPDATE' | 'INVITE';

interface Running {
  readonly terms: SessionTerms;
  readonly method: RefreshMethod;
}

export type SessionTimerState =
  | { readonly type: 'off' }
  | (Running & { readonly type: 'idle' })
  /** `raised`: times a 422 has made us ask again. */
  | (Running & { readonly type: 'refreshing'; readonly raised: number })
  | { readonly type: 'ended' };

export type SessionTimerEvent =
  /** A 2xx to an INVITE or UPDATE, in either direction. Without terms the session has no timer (any longer). */
  | { readonly type: 'agreed'; readonly terms: SessionTerms | undefined; readonly canUpdate: boolean }
  /** `busy`: an INVITE is under way in the dialog. */
  | { readonly type: 'refreshDue'; readonly busy: boolean }
  /** Our refresh got this final answer. `glareMs` is the wait after a 491. */
  | { readonly type: 'refused'; readonly status: number; readonly minSeS: number; readonly glareMs: number }
  | { readonly type: 'expired' };

export type SessionTimerEffect =
  | { readonly type: 'armRefresh'; readonly delayMs: number }
  | { readonly type: 'armExpiry'; readonly delayMs: number }
  | { readonly type: 'disarm' }
  | { readonly type: 'refresh'; readonly method: RefreshMethod; readonly terms: SessionTerms; readonly minSeS: number }
  | { readonly type: 'bye' };

export interface SessionTimerStep {
  readonly state: SessionTimerState;
  readonly effects: readonly SessionTimerEffect[];
}

const MS = 1000;
const BUSY_RETRY_MS = 2000;
/** Times a request is sent again because of a 422: each of a few proxies may want more than the one before it. */
export const MAX_RAISED = 3;

/** Who has heard of no refresh ends the session this long before it runs out (§10). */
const earlyS = (intervalS: number): number => Math.min(32, intervalS / 3);

const stay = (state: SessionTimerState): SessionTimerStep => ({ state, effects: [] });
const ended: SessionTimerStep = { state: { type: 'ended' }, effects: [{ type: 'disarm' }, { type: 'bye' }] };

/**
 * The session timer of one dialog, RFC 4028 §7 to §10.
 *
 *   off ──agreed──► idle ──refreshDue──► refreshing ──agreed──► idle
 *    ▲               │                      ├── 422: asks again for longer
 *    │               │                      ├── 405, 420, 501 to UPDATE: asks again with INVITE
 *    └─agreed(none)──┤                      ├── other: idle, due again after a sixth of the interval
 *                    └────── expired ───────┴── 408, 481, expired ──► ended (BYE)
 */
export function transition(state: SessionTimerState, event: SessionTimerEvent): SessionTimerStep {
  if (state.type === 'ended') return stay(state);
  if (event.type === 'agreed') return agreed(state, event.terms, event.canUpdate);
  if (state.type === 'off') return stay(state);
  if (event.type === 'expired') return ended;
  if (event.type === 'refreshDue') return state.type === 'idle' ? due(state, event.busy) : stay(state);
  return state.type === 'refreshing' ? refused(state, event) : stay(state);
}

function agreed(
  state: Exclude<SessionTimerState, { type: 'ended' }>,
  terms: SessionTerms | undefined,
  canUpdate: boolean,
): SessionTimerStep {
  if (!terms) return { state: { type: 'off' }, effects: [{ type: 'disarm' }] };
  // Once UPDATE was refused it is not tried again.
  const method = state.type !== 'off' ? state.method : canUpdate ? 'UPDATE' : 'INVITE';
  const { intervalS, refresher } = terms;
  const expiry = { type: 'armExpiry', delayMs: (intervalS - earlyS(intervalS)) * MS } as const;
  const refresh = { type: 'armRefresh', delayMs: (intervalS / 2) * MS } as const;
  const effects = refresher === 'us' ? [expiry, refresh] : [expiry];
  return { state: { type: 'idle', terms, method }, effects: [{ type: 'disarm' }, ...effects] };
}

function due(state: Extract<SessionTimerState, { type: 'idle' }>, busy: boolean): SessionTimerStep {
  if (busy) return { state, effects: [{ type: 'armRefresh', delayMs: BUSY_RETRY_MS }] };
  return ask({ ...state, type: 'refreshing', raised: 0 }, 0);
}

const ask = (state: Extract<SessionTimerState, { type: 'refreshing' }>, minSeS: number): SessionTimerStep => ({
  state,
  effects: [{ type: 'refresh', method: state.method, terms: state.terms, minSeS }],
});

function refused(
  state: Extract<SessionTimerState, { type: 'refreshing' }>,
  { status, minSeS, glareMs }: Extract<SessionTimerEvent, { type: 'refused' }>,
): SessionTimerStep {
  const { terms, method, raised } = state;
  if (status === 408 || status === 481) return ended;
  if (status === 422 && raised < MAX_RAISED) return ask({ ...state, raised: raised + 1 }, minSeS);
  if (method === 'UPDATE' && (status === 405 || status === 420 || status === 501))
    return ask({ ...state, method: 'INVITE' }, 0);
  const delayMs = status === 491 ? glareMs : (terms.intervalS / 6) * MS;
  return { state: { type: 'idle', terms, method }, effects: [{ type: 'armRefresh', delayMs }] };
}
