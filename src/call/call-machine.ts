import type { Step as MachineStep } from '../lib/machine-runner.js';
import { endReason, type EndReason, type EndedBy } from './end-reason.js';

/*
 * Every rule of a call. Pure: no I/O, no timers, no logger; look-ups are effects whose results come back as events.
 *
 *               routed            b.progress         b.answered        a.confirmed
 *  offered ────────────► dialing ───────────► alerting ─────────► answering ─────────► connected
 *     │  refused, gone      │  b.failed+next ↺   │ b.failed              │ a gone            │ x.ended, media,
 *     ▼                     ▼  a gone, noAnswer  ▼ noAnswer              ▼ answerAck         ▼ maxDuration, admin
 *   ending ◄────────────────┴────────────────────┴──────────────────────┴───────────────────┘
 *     │ both legs terminated | teardown
 *     ▼
 *   ended   (absorbing)
 *
 * The only way to `ending` is `end(reason)`: the first reason wins and everything else derives from it.
 */

export type CallStateName = 'offered' | 'dialing' | 'alerting' | 'answering' | 'connected' | 'ending' | 'ended';

/** Timers the interpreter runs; each fires as the event of the same name. */
export type CallTimer = 'noAnswer' | 'answerAck' | 'maxDuration' | 'teardown';

export interface CallState {
  readonly name: CallStateName;
  /** How many targets there are, and which one is dialled (its index); -1 before the first. */
  readonly targets: number;
  readonly attempt: number;
  /** Legs that were created and have not reported `terminated`: the A leg, and B legs by attempt. */
  readonly openA: boolean;
  readonly openB: readonly number[];
  readonly armed: readonly CallTimer[];
  /** Set once, on the way into `ending`. */
  readonly end: { readonly reason: EndReason; readonly by: EndedBy } | undefined;
}

type FromB = { readonly attempt: number };

/** What can happen to a call. Events of B legs carry the attempt they belong to. */
export type CallEvent =
  | { readonly type: 'routed'; readonly targets: number }
  | { readonly type: 'refused'; readonly reason: EndReason }
  | { readonly type: 'a.confirmed' }
  | { readonly type: 'a.cancelled'; readonly reason: EndReason }
  | { readonly type: 'a.failed'; readonly reason: EndReason }
  | { readonly type: 'a.ended'; readonly reason: EndReason }
  | { readonly type: 'a.terminated' }
  | ({ readonly type: 'b.progress' } & FromB)
  | ({ readonly type: 'b.earlyMedia' } & FromB)
  | ({ readonly type: 'b.answered' } & FromB)
  | ({ readonly type: 'b.failed'; readonly reason: EndReason; readonly retry: boolean } & FromB)
  | ({ readonly type: 'b.ended'; readonly reason: EndReason } & FromB)
  | ({ readonly type: 'b.terminated' } & FromB)
  | { readonly type: 'held'; readonly leg: 'a' | 'b' }
  | { readonly type: 'resumed'; readonly leg: 'a' | 'b' }
  | { readonly type: 'dtmf'; readonly leg: 'a' | 'b'; readonly digit: string; readonly durationMs: number }
  /** A leg's media endpoint is another one now, or there is none for the time being. */
  | { readonly type: 'mediaMoved'; readonly leg: 'a' | 'b' }
  | { readonly type: 'noAnswer' }
  | { readonly type: 'answerAck' }
  | { readonly type: 'maxDuration' }
  | { readonly type: 'teardown' }
  | { readonly type: 'mediaFirst' }
  | { readonly type: 'mediaIdle' }
  | { readonly type: 'admin.hangup' }
  | { readonly type: 'shutdown.force' };

export type CallEventType = CallEvent['type'];

/** What is to be done, as data; the interpreter in call.ts does it. */
export type CallEffect =
  | { readonly type: 'trying' }
  | { readonly type: 'dial'; readonly attempt: number }
  | { readonly type: 'ring' }
  | { readonly type: 'answer' }
  | { readonly type: 'reject'; readonly reason: EndReason }
  | { readonly type: 'hangup'; readonly leg: 'a'; readonly reason: EndReason }
  | { readonly type: 'hangup'; readonly leg: 'b'; readonly attempt: number; readonly reason: EndReason }
  /** `keep`: what the B leg says waits for the A leg. `join` lets it flow, both ways. `part` ends either. */
  | { readonly type: 'bridge'; readonly do: 'keep' | 'join' | 'part' }
  | { readonly type: 'arm'; readonly timer: CallTimer }
  | { readonly type: 'disarm'; readonly timer: CallTimer }
  | { readonly type: 'dtmf'; readonly to: 'a' | 'b'; readonly digit: string; readonly durationMs: number }
  | { readonly type: 'record'; readonly what: 'failover'; readonly reason: EndReason }
  | { readonly type: 'record'; readonly what: 'held' | 'resumed'; readonly leg: 'a' | 'b' }
  /** The teardown timer ran out: whatever is still open is given up. */
  | { readonly type: 'forceRelease' }
  /** The call is over; comes exactly once and last. */
  | { readonly type: 'ended'; readonly reason: EndReason; readonly by: EndedBy };

type Step = MachineStep<CallState, CallEffect>;

/** A call whose A leg has just arrived. */
export const initialCallState: CallState = {
  name: 'offered',
  targets: 0,
  attempt: -1,
  openA: true,
  openB: [],
  armed: [],
  end: undefined,
};

type EventOf<Type extends CallEventType> = Extract<CallEvent, { readonly type: Type }>;
type Row = { readonly [Type in CallEventType]?: (state: CallState, event: EventOf<Type>) => Step };

/** Applies one event. An event that a state has no rule for is absorbed: no change, no effect. */
export function transition(state: CallState, event: CallEvent): Step {
  if (isStale(state, event)) return stay(state);
  const rule = table[state.name][event.type] as ((state: CallState, event: CallEvent) => Step) | undefined;
  return rule ? rule(state, event) : stay(state);
}

/** B legs of earlier attempts have only their `terminated` left to say. */
function isStale(state: CallState, event: CallEvent): boolean {
  return 'attempt' in event && event.type !== 'b.terminated' && event.attempt !== state.attempt;
}

const stay = (state: CallState): Step => ({ next: state, effects: [] });

/** Who is gone already when the call ends, and so gets no command. */
type Gone = 'a' | 'b' | undefined;

/** The one exit. Rejects or hangs up what is still there, disarms all timers, gives the legs a time to go. */
function end(state: CallState, reason: EndReason, by: EndedBy, gone?: Gone): Step {
  const effects: CallEffect[] = state.armed.map((timer) => ({ type: 'disarm', timer }));
  if (hasBridge(state)) effects.push({ type: 'bridge', do: 'part' });
  if (state.openA && gone !== 'a') effects.push(endOfA(state, reason));
  if (gone !== 'b' && state.openB.includes(state.attempt)) {
    effects.push({ type: 'hangup', leg: 'b', attempt: state.attempt, reason });
  }
  const ending: CallState = { ...state, name: 'ending', armed: ['teardown'], end: { reason, by } };
  effects.push({ type: 'arm', timer: 'teardown' });
  const settled = settle(ending);
  return { next: settled.next, effects: [...effects, ...settled.effects] };
}

/** The B leg has answered. */
const hasBridge = ({ name }: CallState): boolean => name === 'answering' || name === 'connected';

const endOfA = (state: CallState, reason: EndReason): CallEffect =>
  hasBridge(state) ? { type: 'hangup', leg: 'a', reason } : { type: 'reject', reason };

/** `ending` turns to `ended` once no leg is open. */
function settle(state: CallState): Step {
  if (state.openA || state.openB.length > 0 || !state.end) return stay(state);
  const { reason, by } = state.end;
  return {
    next: { ...state, name: 'ended', armed: [] },
    effects: [
      { type: 'disarm', timer: 'teardown' },
      { type: 'ended', reason, by },
    ],
  };
}

const withoutA = (state: CallState): CallState => ({ ...state, openA: false });
const withoutB = (state: CallState, attempt: number): CallState => ({
  ...state,
  openB: state.openB.filter((open) => open !== attempt),
});

function dial(state: CallState, attempt: number, before: readonly CallEffect[]): Step {
  const next: CallState = { ...state, name: 'dialing', attempt, openB: [...state.openB, attempt] };
  return { next, effects: [...before, { type: 'dial', attempt }] };
}

function routed(state: CallState, event: EventOf<'routed'>): Step {
  if (event.targets < 1) return end(state, endReason('no_route'), 'bridge');
  const armed: CallState = { ...state, targets: event.targets, armed: ['noAnswer'] };
  return dial(armed, 0, [{ type: 'arm', timer: 'noAnswer' }, { type: 'trying' }]);
}

function bFailed(state: CallState, event: EventOf<'b.failed'>): Step {
  const another = event.retry && state.attempt + 1 < state.targets;
  if (!another) return end(state, event.reason, 'b', 'b');
  return dial(state, state.attempt + 1, [{ type: 'record', what: 'failover', reason: event.reason }]);
}

function bAnswered(state: CallState): Step {
  return {
    next: { ...state, name: 'answering', armed: ['answerAck'] },
    effects: [
      // The first words of the B leg come before the A leg is up.
      { type: 'bridge', do: 'keep' },
      { type: 'disarm', timer: 'noAnswer' },
      { type: 'arm', timer: 'answerAck' },
      { type: 'answer' },
    ],
  };
}

function aConfirmed(state: CallState): Step {
  return {
    next: { ...state, name: 'connected', armed: ['maxDuration'] },
    effects: [
      { type: 'disarm', timer: 'answerAck' },
      { type: 'bridge', do: 'join' },
      { type: 'arm', timer: 'maxDuration' },
    ],
  };
}

/** A leg that is gone without a word is a fault of its adapter; the call ends all the same. */
const lost = endReason('internal', { text: 'leg lost' });

const aLeaves = {
  'a.cancelled': (state: CallState, event: EventOf<'a.cancelled'>) => end(state, event.reason, 'a', 'a'),
  'a.failed': (state: CallState, event: EventOf<'a.failed'>) => end(state, event.reason, 'a', 'a'),
  'a.ended': (state: CallState, event: EventOf<'a.ended'>) => end(state, event.reason, 'a', 'a'),
  'a.terminated': (state: CallState) => end(withoutA(state), lost, 'a', 'a'),
} satisfies Row;

const bLeaves = {
  'b.ended': (state: CallState, event: EventOf<'b.ended'>) => end(state, event.reason, 'b', 'b'),
  'b.terminated': (state: CallState, event: EventOf<'b.terminated'>) =>
    event.attempt === state.attempt
      ? end(withoutB(state, event.attempt), lost, 'b', 'b')
      : stay(withoutB(state, event.attempt)),
} satisfies Row;

const operator = {
  'admin.hangup': (state: CallState) => end(state, endReason('admin'), 'bridge'),
  'shutdown.force': (state: CallState) => end(state, endReason('shutdown'), 'bridge'),
} satisfies Row;

const alerted = (state: CallState): Step => ({ next: { ...state, name: 'alerting' }, effects: [{ type: 'ring' }] });

const unanswered = {
  ...aLeaves,
  ...bLeaves,
  ...operator,
  'b.answered': bAnswered,
  'b.failed': bFailed,
  noAnswer: (state: CallState) => end({ ...state, armed: [] }, endReason('no_answer'), 'bridge'),
} satisfies Row;

/** What somebody says whom the B leg was put through to is kept like what was said before. */
const movedEarly = (state: CallState, event: EventOf<'mediaMoved'>): Step => ({
  next: state,
  effects: event.leg === 'b' ? [{ type: 'bridge', do: 'keep' }] : [],
});

const other = (leg: 'a' | 'b'): 'a' | 'b' => (leg === 'a' ? 'b' : 'a');

const table: Readonly<Record<CallStateName, Row>> = {
  offered: {
    ...aLeaves,
    ...operator,
    routed,
    refused: (state, event) => end(state, event.reason, 'bridge'),
  },
  dialing: { ...unanswered, 'b.progress': alerted, 'b.earlyMedia': alerted },
  alerting: unanswered,
  answering: {
    ...aLeaves,
    ...bLeaves,
    ...operator,
    'a.confirmed': aConfirmed,
    mediaMoved: movedEarly,
    'b.failed': (state, event) => end(state, event.reason, 'b', 'b'),
    answerAck: (state) => end({ ...state, armed: [] }, endReason('unavailable', { text: 'answer timeout' }), 'bridge'),
  },
  connected: {
    ...aLeaves,
    ...bLeaves,
    ...operator,
    'b.failed': (state, event) => end(state, event.reason, 'b', 'b'),
    maxDuration: (state) => end({ ...state, armed: [] }, endReason('max_duration'), 'bridge'),
    mediaFirst: (state) => end(state, endReason('media_timeout', { text: 'no media' }), 'bridge'),
    mediaIdle: (state) => end(state, endReason('media_timeout', { text: 'media stopped' }), 'bridge'),
    held: (state, event) => ({ next: state, effects: [{ type: 'record', what: 'held', leg: event.leg }] }),
    mediaMoved: (state) => ({ next: state, effects: [{ type: 'bridge', do: 'join' }] }),
    resumed: (state, event) => ({ next: state, effects: [{ type: 'record', what: 'resumed', leg: event.leg }] }),
    dtmf: (state, { leg, digit, durationMs }) => ({
      next: state,
      effects: [{ type: 'dtmf', to: other(leg), digit, durationMs }],
    }),
  },
  ending: {
    'a.terminated': (state) => settle(withoutA(state)),
    'b.terminated': (state, event) => settle(withoutB(state, event.attempt)),
    teardown: (state) => {
      const settled = settle({ ...state, openA: false, openB: [], armed: [] });
      const effects = settled.effects.filter((effect) => effect.type !== 'disarm');
      return { next: settled.next, effects: [{ type: 'forceRelease' }, ...effects] };
    },
  },
  ended: {},
};
