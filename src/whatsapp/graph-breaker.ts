import { assertNever } from '../lib/assert-never.js';

/**
 * Whether new work may go to Meta, for one scope (the app, or one number):
 *
 * ```
 *           a limit, or 5 faults in a row
 *  closed ───────────────────────────────► open ◄─────────────┐
 *    ▲                                       │ time is up, and │ limit or fault again:
 *    │ answered                              ▼ one is sent     │ twice as long
 *    └──────────────────────────────────── probing ────────────┘
 * ```
 * Times are monotonic, in milliseconds.
 */
export type BreakerState =
  | { readonly phase: 'closed'; readonly faults: number }
  | {
      readonly phase: 'open' | 'probing';
      readonly why: BreakerCause;
      readonly untilMs: number;
      readonly trips: number;
    };

/** Meta asked for quiet, or it cannot be reached. */
export type BreakerCause = 'limit' | 'fault';

/** `isProbe`: it is about the one request that was let through to see whether things are well again. */
export type BreakerEvent =
  | { readonly type: 'probe_sent' }
  | { readonly type: 'answered'; readonly isProbe: boolean }
  | { readonly type: 'faulted'; readonly isProbe: boolean }
  /** It was never sent after all. */
  | { readonly type: 'unsent'; readonly isProbe: boolean }
  /** `namedMs` is what Meta asked for; else it is `baseMs`, doubled with each time in a row. */
  | {
      readonly type: 'limited';
      readonly isProbe: boolean;
      readonly namedMs?: number | undefined;
      readonly baseMs: number;
    };

export const closedBreaker: BreakerState = { phase: 'closed', faults: 0 };

const FAULTS_TO_OPEN = 5;
const FAULT_BASE_MS = 2_000;
const FAULT_CAP_MS = 30_000;
const LIMIT_CAP_MS = 15 * 60_000;
/** However long Meta asks for: after this it is asked again. */
const NAMED_CAP_MS = 60 * 60_000;
/** A probe of which nothing is heard is followed by another after this; longer than any request may take (`graph.timeout`). */
const PROBE_MS = 65_000;
/** What is said to come back after, while the probe is on its way. */
const PROBE_WAIT_MS = 1_000;

/** How long new work is refused, in milliseconds; undefined when it may go. */
export function refusedForMs(state: BreakerState, nowMs: number): number | undefined {
  if (state.phase === 'closed' || nowMs >= state.untilMs) return undefined;
  return state.phase === 'open' ? state.untilMs - nowMs : PROBE_WAIT_MS;
}

/** Whether new work that goes now is the probe. */
export function wantsProbe(state: BreakerState, nowMs: number): boolean {
  return state.phase !== 'closed' && nowMs >= state.untilMs;
}

/** One step; total, any event in any state. */
export function breakerStep(state: BreakerState, event: BreakerEvent, nowMs: number): BreakerState {
  switch (event.type) {
    case 'probe_sent':
      return state.phase === 'closed' ? state : { ...state, phase: 'probing', untilMs: nowMs + PROBE_MS };
    case 'answered':
      return answered(state, event.isProbe);
    case 'faulted':
      return faulted(state, event.isProbe, nowMs);
    case 'unsent':
      return state.phase === 'probing' && event.isProbe ? { ...state, phase: 'open', untilMs: nowMs } : state;
    case 'limited':
      return limited(state, event, nowMs);
    default:
      return assertNever(event, 'breaker event');
  }
}

/** An answer shows that Meta can be reached; that a limit is over, only the probe shows. */
function answered(state: BreakerState, isProbe: boolean): BreakerState {
  if (state.phase === 'closed') return closedBreaker;
  const isOver = state.why === 'fault' || (state.phase === 'probing' && isProbe);
  return isOver ? closedBreaker : state;
}

function faulted(state: BreakerState, isProbe: boolean, nowMs: number): BreakerState {
  if (state.phase === 'closed') {
    const faults = state.faults + 1;
    return faults < FAULTS_TO_OPEN ? { phase: 'closed', faults } : openFault(0, nowMs);
  }
  return state.phase === 'probing' && isProbe ? openFault(state.trips + 1, nowMs) : state;
}

function openFault(trips: number, nowMs: number): BreakerState {
  const forMs = Math.min(FAULT_BASE_MS * 2 ** trips, FAULT_CAP_MS);
  return { phase: 'open', why: 'fault', untilMs: nowMs + forMs, trips };
}

function limited(
  state: BreakerState,
  { isProbe, namedMs, baseMs }: Extract<BreakerEvent, { readonly type: 'limited' }>,
  nowMs: number,
): BreakerState {
  const isAgain = state.phase === 'probing' && isProbe;
  const trips = state.phase === 'closed' ? 0 : state.trips + (isAgain ? 1 : 0);
  const forMs =
    namedMs === undefined ? Math.min(baseMs * 2 ** trips, LIMIT_CAP_MS) : Math.min(Math.max(namedMs, 0), NAMED_CAP_MS);
  // What was on its way when it opened tells nothing new, but a later time counts.
  const sooner = state.phase === 'open' ? state.untilMs : 0;
  return { phase: 'open', why: 'limit', untilMs: Math.max(sooner, nowMs + forMs), trips };
}
