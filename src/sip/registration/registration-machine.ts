import { assertNever } from '../../lib/assert-never.js';
import type { Step } from '../../lib/machine-runner.js';

/*
 * The registration of a trunk at one of its servers (RFC 3261 §10.2, backoff by RFC 5626 §4.5). Pure: times come in with
 * events, and what is random goes out as a range.
 *
 *            start               granted                 due, flowLost, moved
 *    idle ─────────► registering ───────► registered ─────────────────────────► refreshing
 *                     │    ▲  ▲            ▲    │ granted ◄───────────────────────  │
 *              failed │    │  └─linkBack───┼────┼──── (any but idle, unregistering,─┤ failed
 *                     ▼    │ due           │    │ linkLost, flowLost too soon  stopped)
 *                   waiting ◄──────────────┼────┴───────────────────────────────────┘
 *
 *    stop: whoever may be bound ──► unregistering ──settled──► stopped; the others ──► stopped
 */

/** Why there is no registration. */
export interface RegisterFailure {
  /**
   * `refused`: the registrar does not want us, and nothing changes that by asking again soon. `unreachable`: it is down,
   * overloaded, or not to be reached.
   */
  readonly kind: 'refused' | 'unreachable';
  /** For the log. */
  readonly why: string;
  readonly retryAfterMs?: number | undefined;
}

export type RegistrationEvent =
  | { readonly type: 'start' }
  /** The time that was waited for has come. */
  | { readonly type: 'due' }
  | { readonly type: 'granted'; readonly lifetimeMs: number }
  | { readonly type: 'failed'; readonly failure: RegisterFailure }
  /** 423: the registrar takes no lifetime below this (RFC 3261 §10.2.8). */
  | { readonly type: 'tooBrief'; readonly leastMs: number }
  /** The connection that the registration came over is gone, so long after the registration was granted. */
  | { readonly type: 'flowLost'; readonly upMs: number }
  /** The registrar sees us at another address or port than when it registered us. */
  | { readonly type: 'moved'; readonly upMs: number }
  /** The link to our own SIP server is gone, with whatever was asked over it; it is back. */
  | { readonly type: 'linkLost' }
  | { readonly type: 'linkBack' }
  | { readonly type: 'stop' }
  /** What came of the attempt to un-register does not matter: it was made, or had its time. */
  | { readonly type: 'unregistered' };

export type RegistrationEffect =
  /** Asks for this lifetime; a question that is out is forgotten. */
  | { readonly type: 'register'; readonly lifetimeMs: number }
  | { readonly type: 'unregister' }
  /** Posts `due` at a random moment in between; replaces what was waited for. */
  | { readonly type: 'wake'; readonly leastMs: number; readonly mostMs: number }
  /** Waits for nothing, and forgets a question that is out. */
  | { readonly type: 'rest' };

export type RegistrationPhase =
  'idle' | 'registering' | 'registered' | 'refreshing' | 'waiting' | 'unregistering' | 'stopped';

export interface RegistrationState {
  readonly phase: RegistrationPhase;
  /** Lifetime that is asked for. */
  readonly askMs: number;
  /** In a row, lost connections among them; kept over a registration that does not last. */
  readonly failures: number;
  /** The registrar may hold a binding of ours. */
  readonly mayBeBound: boolean;
  /** Why it is not registered, if it is not. */
  readonly failure: RegisterFailure | undefined;
}

/** RFC 5626 §4.5: the time after the first failure is between this and the double of it. */
const backoffBaseMs = 30_000;
const backoffCapMs = 1_800_000;
/** Between attempts at a registrar that refuses us. */
const refusedMs = 300_000;
/** Shortest pause, whatever a registrar or its lifetime says. */
const leastPauseMs = 10_000;
/** A registration is renewed this long before its end at the latest. */
const marginMs = 5_000;
/** A registration that lasts so long has not failed (RFC 5626 §4.5: the flow is stable). */
const stableMs = 60_000;
/** Longest lifetime that is asked for because a registrar wants it so, or believed. */
export const longestLifetimeMs = 86_400_000;
/** Part by which pauses that others named are made longer, so that not every agent comes back at once. */
const jitter = 0.1;

/** Nothing was asked yet. */
export const idleRegistration = (askMs: number): RegistrationState => ({
  ...{ phase: 'idle', askMs, failures: 0, mayBeBound: false, failure: undefined },
});

type RegistrationStep = Step<RegistrationState, RegistrationEffect>;

/** Every rule of a registration. */
export function registrationTransition(state: RegistrationState, event: RegistrationEvent): RegistrationStep {
  const { phase } = state;
  if (phase === 'stopped') return stay(state);
  if (phase === 'unregistering') return event.type === 'unregistered' ? stopped(state) : stay(state);
  if (event.type === 'stop') return stop(state);
  if (phase === 'idle') return event.type === 'start' ? ask(state, 'registering') : stay(state);
  switch (event.type) {
    case 'granted':
    case 'failed':
    case 'tooBrief':
      return isAsking(phase) ? answered(state, event) : stay(state);
    case 'due':
      return due(state);
    case 'flowLost':
    case 'moved':
      return phase === 'registered' ? elsewhere(state, event) : stay(state);
    case 'linkLost':
      return { next: { ...state, phase: 'waiting', failure: linkFailure }, effects: [{ type: 'rest' }] };
    case 'linkBack':
      return ask(state, 'registering');
    case 'start':
    case 'unregistered':
      return stay(state);
    default:
      return assertNever(event);
  }
}

const linkFailure: RegisterFailure = { kind: 'unreachable', why: 'the link to the SIP server is lost' };
const flowFailure: RegisterFailure = { kind: 'unreachable', why: 'the connection does not last' };

const isAsking = (phase: RegistrationPhase): boolean => phase === 'registering' || phase === 'refreshing';
const stay = (state: RegistrationState): RegistrationStep => ({ next: state, effects: [] });
const stopped = (state: RegistrationState): RegistrationStep => ({
  next: { ...state, phase: 'stopped', mayBeBound: false },
  effects: [{ type: 'rest' }],
});

function ask(state: RegistrationState, phase: 'registering' | 'refreshing'): RegistrationStep {
  return { next: { ...state, phase }, effects: [{ type: 'register', lifetimeMs: state.askMs }] };
}

/** A REGISTER that is out may still be granted: it is taken back too. */
function stop(state: RegistrationState): RegistrationStep {
  if (!state.mayBeBound && !isAsking(state.phase)) return stopped(state);
  return { next: { ...state, phase: 'unregistering' }, effects: [{ type: 'unregister' }] };
}

function due(state: RegistrationState): RegistrationStep {
  if (state.phase === 'waiting') return ask(state, 'registering');
  // It lasted until its refresh: what failed before is over.
  return state.phase === 'registered' ? ask({ ...state, failures: 0 }, 'refreshing') : stay(state);
}

type Answer = Extract<RegistrationEvent, { readonly type: 'granted' | 'failed' | 'tooBrief' }>;

function answered(state: RegistrationState, answer: Answer): RegistrationStep {
  if (answer.type === 'granted') return granted(state, answer.lifetimeMs);
  return answer.type === 'failed' ? wait(state, answer.failure) : tooBrief(state, answer.leastMs);
}

function granted(state: RegistrationState, lifetimeMs: number): RegistrationStep {
  const next = { ...state, phase: 'registered', mayBeBound: true, failure: undefined } as const;
  return { next, effects: [refreshWithin(Math.min(lifetimeMs, longestLifetimeMs))] };
}

/** At 75 to 90 % of the lifetime: early enough for one repetition, spread so that agents do not come in step. */
function refreshWithin(lifetimeMs: number): RegistrationEffect {
  const mostMs = Math.max(leastPauseMs, Math.min(0.9 * lifetimeMs, lifetimeMs - marginMs));
  return { type: 'wake', leastMs: Math.min(mostMs, Math.max(leastPauseMs, 0.75 * lifetimeMs)), mostMs };
}

/** Each 423 must ask for more than the one before, so there is an end to them. */
function tooBrief(state: RegistrationState, leastMs: number): RegistrationStep {
  const isUsable = leastMs > state.askMs && leastMs <= longestLifetimeMs;
  if (!isUsable) return wait(state, { kind: 'refused', why: 'wants a lifetime that makes no sense' });
  return ask({ ...state, askMs: leastMs }, state.phase === 'refreshing' ? 'refreshing' : 'registering');
}

/**
 * The first loss is made good at once; when the next connection does not last either, there is no hurry any more. A
 * registrar that sees us elsewhere each time it is asked is not asked each time.
 */
function elsewhere(
  state: RegistrationState,
  { type, upMs }: Extract<RegistrationEvent, { readonly type: 'flowLost' | 'moved' }>,
): RegistrationStep {
  const isStable = upMs >= stableMs;
  if (type === 'moved') return isStable ? ask(state, 'refreshing') : stay(state);
  if (!isStable && state.failures > 0) return wait(state, flowFailure);
  return ask({ ...state, failures: 1 }, 'refreshing');
}

function wait(state: RegistrationState, failure: RegisterFailure): RegistrationStep {
  const failures = state.failures + 1;
  // Who refuses a refresh has dropped the binding; who does not answer may still hold it.
  const mayBeBound = state.mayBeBound && failure.kind !== 'refused';
  return {
    next: { ...state, phase: 'waiting', failures, mayBeBound, failure },
    effects: [{ type: 'wake', ...pauseAfter(failure, failures) }],
  };
}

function pauseAfter(
  { kind, retryAfterMs = 0 }: RegisterFailure,
  failures: number,
): { readonly leastMs: number; readonly mostMs: number } {
  const namedMs = Math.min(retryAfterMs, backoffCapMs);
  if (kind === 'refused') return stretched(Math.max(refusedMs, namedMs));
  if (namedMs > 0) return stretched(Math.max(leastPauseMs, namedMs));
  const upperMs = Math.min(backoffCapMs, backoffBaseMs * 2 ** Math.min(failures, 16));
  return { leastMs: upperMs / 2, mostMs: upperMs };
}

const stretched = (ms: number): { readonly leastMs: number; readonly mostMs: number } => ({
  leastMs: ms,
  mostMs: ms * (1 + jitter),
});
