import { endReason, type EndReason } from '../../call/end-reason.js';
import type { LegEvent } from '../../call/leg.js';
import type { Step } from '../../lib/machine-runner.js';

/*
 * One side of a call whose SIP dialog may be replaced by another: by a REFER in it (RFC 3515), or by an INVITE with Replaces
 * (RFC 3891). Legs are numbered; leg 0 is the one that the call began with.
 *
 *             answered, confirmed            REFER, INVITE with Replaces
 *    setup ───────────────────────► single ──────────────────────────────► moving ──┐ the old leg hangs up:
 *      │                             │  ▲     successor stands, or failed while     │ no media for a while
 *      │                             │  └────── the old leg is still there ◄────────┤
 *      │ hangup, leg over            │ hangup, leg over                             │ successor failed, old leg gone; hangup
 *      ▼                             ▼                                              ▼
 *    over ◄──────────────────────────┴──────────────────────────────────────────────┘
 *      │ every leg terminated: reports `terminated`
 *
 * A leg that was replaced is `departing`: whoever referred is given the time to hang it up.
 */

export interface TransferState {
  readonly phase: 'setup' | 'single' | 'moving' | 'over';
  /** The leg that stands for all of them; in `moving` the one that is to be replaced. */
  readonly current: number;
  /** In `moving`: the old leg has not hung up. */
  readonly hasCurrent: boolean;
  readonly moving: { readonly leg: number; readonly by: 'refer' | 'replaces' } | undefined;
  /** A REFER that came before the leg stood, by the number of its leg to be. */
  readonly waiting: number | undefined;
  /** Legs that have not reported `terminated`. `ending`: hung up by us or by the far end. */
  readonly legs: ReadonlyMap<number, 'up' | 'ending'>;
}

export type TransferEvent =
  /** A REFER that may be followed: `leg` is the number of the leg it asks for. */
  | { readonly type: 'referred'; readonly leg: number }
  /** An INVITE came that is to replace the current leg. */
  | { readonly type: 'replaced'; readonly leg: number }
  | { readonly type: 'fromLeg'; readonly leg: number; readonly event: LegEvent }
  | { readonly type: 'hangup'; readonly reason: EndReason }
  /** The time for a departing leg to be hung up by its far end is over. */
  | { readonly type: 'overdue'; readonly leg: number }
  /** The successor did not answer in time. */
  | { readonly type: 'noAnswer' };

export type TransferEffect =
  /** Answers 202 and dials. */
  | { readonly type: 'follow'; readonly leg: number }
  /** Answers the INVITE that replaces. */
  | { readonly type: 'adopt'; readonly leg: number }
  /** Refuses the REFER or the INVITE. */
  | { readonly type: 'refuse'; readonly leg: number; readonly status: 481 | 491 | 603 }
  /** Tells the referrer how the leg that it asked for is getting on. */
  | { readonly type: 'notify'; readonly leg: number; readonly news: 'ringing' | 'progress' | 'answered' | EndReason }
  | { readonly type: 'hangup'; readonly leg: number; readonly reason: EndReason }
  /** Waits for the far end of a departing leg to hang up. */
  | { readonly type: 'awaitBye'; readonly leg: number }
  | { readonly type: 'timer'; readonly do: 'arm' | 'disarm' }
  | { readonly type: 'report'; readonly event: LegEvent };

type TransferStep = Step<TransferState, TransferEffect>;
type Effects = readonly TransferEffect[];

export const initialTransferState: TransferState = {
  phase: 'setup',
  current: 0,
  hasCurrent: true,
  moving: undefined,
  waiting: undefined,
  legs: new Map([[0, 'up']]),
};

const step = (next: TransferState, ...effects: TransferEffect[]): TransferStep => ({ next, effects });
const report = (event: LegEvent): TransferEffect => ({ type: 'report', event });

/** Every rule of a transfer. What means nothing in a state changes nothing. */
export function transferTransition(state: TransferState, event: TransferEvent): TransferStep {
  switch (event.type) {
    case 'referred':
      return referred(state, event.leg);
    case 'replaced':
      return replaced(state, event.leg);
    case 'hangup':
      return over(state, event.reason);
    case 'overdue':
      return hangUp(state, event.leg, transferred);
    case 'noAnswer':
      return noAnswer(state);
    case 'fromLeg':
      return fromLeg(state, event.leg, event.event);
  }
}

function referred(state: TransferState, leg: number): TransferStep {
  if (state.phase === 'over') return step(state, { type: 'refuse', leg, status: 481 });
  if (state.phase === 'single') return begin(state, leg, 'refer');
  if (state.phase === 'setup' && state.waiting === undefined) return step({ ...state, waiting: leg });
  return step(state, { type: 'refuse', leg, status: 491 });
}

/** RFC 3891 §3: 603 for a dialog that is over, and none is replaced by a call before it stands. */
function replaced(state: TransferState, leg: number): TransferStep {
  if (state.phase === 'single') return begin(state, leg, 'replaces');
  const status = state.phase === 'over' ? 603 : state.phase === 'moving' ? 491 : 481;
  return step(state, { type: 'refuse', leg, status });
}

function begin(state: TransferState, leg: number, by: 'refer' | 'replaces'): TransferStep {
  const legs = new Map(state.legs).set(leg, 'up');
  return step(
    { ...state, phase: 'moving', hasCurrent: true, moving: { leg, by }, legs },
    { type: 'timer', do: 'arm' },
    { type: by === 'refer' ? 'follow' : 'adopt', leg },
  );
}

function fromLeg(state: TransferState, leg: number, event: LegEvent): TransferStep {
  if (!state.legs.has(leg)) return step(state);
  if (state.phase !== 'over' && leg === state.moving?.leg) return fromSuccessor(state, leg, event);
  if (state.phase !== 'over' && leg === state.current && state.hasCurrent) {
    return state.phase === 'moving' ? fromOld(state, leg, event) : fromCurrent(state, leg, event);
  }
  return fromGone(state, leg, event);
}

/** The leg that stands for all, no transfer being on its way. */
function fromCurrent(state: TransferState, leg: number, event: LegEvent): TransferStep {
  switch (event.type) {
    case 'answered':
    case 'confirmed':
      return stands(state, event);
    case 'failed':
    case 'cancelled':
    case 'ended':
      return then(over(marked(state, leg), event.reason), [report(event)]);
    case 'terminated':
      return settled(over(without(state, leg), lost));
    default:
      return step(state, report(event));
  }
}

function stands(state: TransferState, event: LegEvent): TransferStep {
  const single: TransferState = { ...state, phase: 'single', waiting: undefined };
  if (state.waiting === undefined) return step(single, report(event));
  const { next, effects } = begin(single, state.waiting, 'refer');
  return { next, effects: [report(event), ...effects] };
}

/** The leg that is to be replaced, while that is on its way. */
function fromOld(state: TransferState, leg: number, event: LegEvent): TransferStep {
  switch (event.type) {
    case 'failed':
    case 'cancelled':
    case 'ended':
      return step({ ...marked(state, leg), hasCurrent: false }, report({ type: 'mediaMoved' }));
    case 'terminated':
      return step({ ...without(state, leg), hasCurrent: false }, report({ type: 'mediaMoved' }));
    case 'held':
    case 'resumed':
    case 'dtmf':
      return step(state, report(event));
    default:
      return step(state);
  }
}

function fromSuccessor(state: TransferState, leg: number, event: LegEvent): TransferStep {
  switch (event.type) {
    case 'progress':
    case 'earlyMedia':
      return step(state, ...notify(state, event.type === 'progress' ? 'ringing' : 'progress'));
    case 'answered':
    case 'confirmed':
      return moved(state, leg);
    case 'failed':
    case 'cancelled':
    case 'ended':
      return notMoved(marked(state, leg), event.reason);
    case 'terminated':
      return notMoved(without(state, leg), lost);
    default:
      return step(state);
  }
}

/** A leg that was replaced or given up: its end is all that is left of it. */
function fromGone(state: TransferState, leg: number, event: LegEvent): TransferStep {
  switch (event.type) {
    case 'failed':
    case 'cancelled':
    case 'ended':
      return step(marked(state, leg));
    case 'terminated':
      return settled(step(without(state, leg)));
    default:
      return step(state);
  }
}

function moved(state: TransferState, leg: number): TransferStep {
  const { current: old, hasCurrent, moving } = state;
  const next: TransferState = { ...state, phase: 'single', current: leg, hasCurrent: true, moving: undefined };
  const effects: TransferEffect[] = [{ type: 'timer', do: 'disarm' }, ...notify(state, 'answered')];
  const joined = [...effects, report({ type: 'mediaMoved' })];
  if (!hasCurrent) return { next, effects: joined };
  if (moving?.by === 'refer') return { next, effects: [...joined, { type: 'awaitBye', leg: old }] };
  return then(hangUp(next, old, transferred), joined);
}

/** The call goes on with the old leg if that is still there. */
function notMoved(state: TransferState, reason: EndReason): TransferStep {
  const disarm: TransferEffect = { type: 'timer', do: 'disarm' };
  if (state.hasCurrent) {
    const next: TransferState = { ...state, phase: 'single', moving: undefined };
    return step(next, disarm, ...notify(state, reason));
  }
  return settled(then(over(state, reason), [report({ type: 'ended', reason })]));
}

function noAnswer(state: TransferState): TransferStep {
  if (state.phase !== 'moving' || !state.moving) return step(state);
  const given = hangUp(state, state.moving.leg, unanswered);
  return then(notMoved(given.next, unanswered), given.effects);
}

/** Tells the referrer, as long as there is a dialog to do it in. */
function notify(
  { moving, hasCurrent }: TransferState,
  news: Extract<TransferEffect, { type: 'notify' }>['news'],
): Effects {
  return moving?.by === 'refer' && hasCurrent ? [{ type: 'notify', leg: moving.leg, news }] : [];
}

/** The one exit: whatever is still up is hung up. */
function over(state: TransferState, reason: EndReason): TransferStep {
  if (state.phase === 'over') return step(state);
  const effects: TransferEffect[] = [];
  if (state.phase === 'moving') effects.push({ type: 'timer', do: 'disarm' });
  if (state.waiting !== undefined) effects.push({ type: 'refuse', leg: state.waiting, status: 481 });
  let next: TransferState = { ...state, phase: 'over', moving: undefined, waiting: undefined };
  for (const leg of state.legs.keys()) {
    const hung = hangUp(next, leg, reason);
    next = hung.next;
    effects.push(...hung.effects);
  }
  return { next, effects };
}

function hangUp(state: TransferState, leg: number, reason: EndReason): TransferStep {
  if (state.legs.get(leg) !== 'up') return step(state);
  return step(marked(state, leg), { type: 'hangup', leg, reason });
}

function marked(state: TransferState, leg: number): TransferState {
  return { ...state, legs: new Map(state.legs).set(leg, 'ending') };
}

function without(state: TransferState, leg: number): TransferState {
  const legs = new Map(state.legs);
  legs.delete(leg);
  return { ...state, legs };
}

/** Reports the end of all once the last leg is over. */
function settled({ next, effects }: TransferStep): TransferStep {
  const isOver = next.phase === 'over' && next.legs.size === 0;
  return { next, effects: isOver ? [...effects, report({ type: 'terminated' })] : effects };
}

/** The same step, with these effects first. */
function then({ next, effects }: TransferStep, first: Effects): TransferStep {
  return { next, effects: [...first, ...effects] };
}

const lost = endReason('internal', { text: 'leg lost' });
const transferred = endReason('hangup', { text: 'transferred' });
const unanswered = endReason('no_answer', { text: 'nobody answered the transfer' });
