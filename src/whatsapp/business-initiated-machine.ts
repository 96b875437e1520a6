import type { Step as MachineStep } from '../lib/machine-runner.js';
import type { EndReason } from '../call/end-reason.js';
import type { LegEvent } from '../call/leg.js';
import { rejectedReason, timedOutReason } from './graph-cause.js';

/*
 * The rules of a business-initiated WhatsApp leg. Pure.
 *
 *          dial          offer_ready            id_known            ACCEPTED and answer applied
 *   idle ───────► offering ────────► connecting ────────► dialled ────────────────────────────► confirmed
 *                                        │ outcome unknown    ▲                                     │
 *                                        └───► uncertain ─────┘ a webhook names the id              │
 *                                              (an answer of no use: ending at once, and abandoned)  │
 *   any of them:  hangup, a failure, REJECTED, Meta's terminate ──────► ending ◄────────────────────┘
 *                                                                         │ told, heard, media closed | deadline
 *                                                                         ▼
 *                                                                     terminated (absorbing)
 *
 * Meta's rules that hold here: order of HTTP reply, connect webhook and statuses is not guaranteed; ACCEPTED is the pick-up;
 * connect is never repeated; terminate is always posted when the end comes from our side, as soon as the id is known. After
 * the terminate of a call that was picked up Meta's own is waited for, shortly: it has the times that Meta bills by.
 */

export type BusinessLegPhase =
  'idle' | 'offering' | 'connecting' | 'uncertain' | 'dialled' | 'confirmed' | 'ending' | 'terminated';

export interface BusinessLegState {
  readonly phase: BusinessLegPhase;
  readonly rang: boolean;
  /** Meta's answer to our offer. */
  readonly answer: 'none' | 'applying' | 'applied';
  /** ACCEPTED has come. */
  readonly accepted: boolean;
  /** Meta's terminate has come. */
  readonly over: boolean;
  /**
   * While ending: what is still to be done. `id`: connect is on its way and must be terminated once it has a name; `word`:
   * Meta's own terminate is waited for.
   */
  readonly open: { readonly wire: 'id' | 'post' | 'word' | 'none'; readonly media: boolean };
}

export type BusinessLegEvent =
  | { readonly type: 'dial' }
  | { readonly type: 'hangup' }
  | { readonly type: 'offer_ready' }
  | { readonly type: 'offer_failed'; readonly reason: EndReason }
  /** Meta's id of the call is known, by the HTTP reply or by a webhook that was faster. */
  | { readonly type: 'id_known' }
  /** Meta did not take the call. */
  | { readonly type: 'connect_refused'; readonly reason: EndReason }
  /** No usable answer to connect: Meta may have taken the call. */
  | { readonly type: 'connect_unknown'; readonly reason: EndReason }
  /** Something answered that is not Meta, or not whole: the call may stand all the same, but no webhook is worth the wait. */
  | { readonly type: 'connect_unusable'; readonly reason: EndReason }
  | { readonly type: 'adoption_timeout' }
  | { readonly type: 'remote_answer'; readonly sdp: string }
  | { readonly type: 'answer_applied' }
  | { readonly type: 'answer_failed'; readonly reason: EndReason }
  | { readonly type: 'ringing' }
  | { readonly type: 'accepted' }
  | { readonly type: 'rejected' }
  | { readonly type: 'media_failed'; readonly reason: EndReason }
  /** Meta's terminate webhook, with the reason it has before and after the answer. */
  | { readonly type: 'remote_terminated'; readonly before: EndReason; readonly after: EndReason }
  | { readonly type: 'wire_ended' }
  /** Meta's own terminate did not come soon after ours. */
  | { readonly type: 'word_timeout' }
  | { readonly type: 'media_closed' }
  | { readonly type: 'end_deadline' };

export type BusinessLegEffect =
  | { readonly do: 'prepare_offer' }
  | { readonly do: 'connect' }
  | { readonly do: 'apply_answer'; readonly sdp: string }
  | { readonly do: 'open_sending' }
  | { readonly do: 'post_terminate' }
  /** The call may exist at Meta, but nobody waits for its id any more: whoever learns it ends it. */
  | { readonly do: 'abandon' }
  | { readonly do: 'close_media' }
  | { readonly do: 'arm_adoption' }
  | { readonly do: 'disarm_adoption' }
  | { readonly do: 'arm_word' }
  | { readonly do: 'disarm_word' }
  | { readonly do: 'arm_deadline' }
  | { readonly do: 'disarm_deadline' }
  | { readonly do: 'emit'; readonly event: LegEvent };

type Step = MachineStep<BusinessLegState, BusinessLegEffect>;

export const initialBusinessLegState: BusinessLegState = {
  phase: 'idle',
  rang: false,
  answer: 'none',
  accepted: false,
  over: false,
  open: { wire: 'none', media: false },
};

type EventOf<Type extends BusinessLegEvent['type']> = Extract<BusinessLegEvent, { readonly type: Type }>;
type Row = { readonly [Type in BusinessLegEvent['type']]?: (state: BusinessLegState, event: EventOf<Type>) => Step };

/** Applies one event; one that a phase has no rule for is absorbed. */
export function transition(state: BusinessLegState, event: BusinessLegEvent): Step {
  const rule = table[state.phase][event.type] as
    ((state: BusinessLegState, event: BusinessLegEvent) => Step) | undefined;
  return rule ? rule(state, event) : { next: state, effects: [] };
}

const go = (state: BusinessLegState, phase: BusinessLegPhase, ...effects: BusinessLegEffect[]): Step => ({
  next: { ...state, phase },
  effects,
});

const emit = (event: LegEvent): BusinessLegEffect => ({ do: 'emit', event });
const failed = (reason: EndReason): BusinessLegEffect => emit({ type: 'failed', reason, retry: false });

/** Picked up and Meta's answer applied, in whichever order they came. */
function settleAnswer(state: BusinessLegState): Step {
  if (!state.accepted || state.answer !== 'applied') return { next: state, effects: [] };
  return go(state, 'confirmed', { do: 'open_sending' }, emit({ type: 'answered' }));
}

/** Goes to `ending`; what is still to be said to Meta follows from how far the call got. */
function end(state: BusinessLegState, wire: BusinessLegState['open']['wire'], ...told: BusinessLegEffect[]): Step {
  const effects: BusinessLegEffect[] = [...told];
  if (state.phase === 'uncertain') effects.push({ do: 'disarm_adoption' });
  if (wire === 'post') effects.push({ do: 'post_terminate' });
  effects.push({ do: 'arm_deadline' }, { do: 'close_media' });
  return { next: { ...state, phase: 'ending', open: { wire, media: true } }, effects };
}

function endHere(state: BusinessLegState, ...told: BusinessLegEffect[]): Step {
  switch (state.phase) {
    case 'connecting':
      return end(state, 'id', ...told);
    case 'uncertain':
      return end(state, 'none', ...told, { do: 'abandon' });
    case 'dialled':
    case 'confirmed':
      return end(state, 'post', ...told);
    case 'idle':
    case 'offering':
    case 'ending':
    case 'terminated':
      return end(state, 'none', ...told);
  }
}

const failHere = (state: BusinessLegState, event: { readonly reason: EndReason }): Step =>
  endHere(state, failed(event.reason));

function settle(
  state: BusinessLegState,
  done: Partial<BusinessLegState['open']>,
  ...before: BusinessLegEffect[]
): Step {
  const next: BusinessLegState = { ...state, open: { ...state.open, ...done } };
  if (next.open.wire !== 'none' || next.open.media) return { next, effects: before };
  return go(next, 'terminated', ...before, { do: 'disarm_deadline' }, emit({ type: 'terminated' }));
}

const hangup = (state: BusinessLegState): Step => endHere(state);

/** Our terminate is through: of a call that was picked up, Meta has its times to tell yet. */
function wireEnded(state: BusinessLegState): Step {
  if (state.open.wire !== 'post') return { next: state, effects: [] };
  if (!state.accepted || state.over) return settle(state, { wire: 'none' });
  return { next: { ...state, open: { ...state.open, wire: 'word' } }, effects: [{ do: 'arm_word' }] };
}

/** What the leg's own deadline leaves behind. */
function givingUp({ open }: BusinessLegState): BusinessLegEffect[] {
  if (open.wire === 'id') return [{ do: 'abandon' }];
  return open.wire === 'word' ? [{ do: 'disarm_word' }] : [];
}

/** Meta's terminate came after ours had been asked for. */
function overMeanwhile(state: BusinessLegState): Step {
  const next: BusinessLegState = { ...state, over: true };
  return state.open.wire === 'word' ? settle(next, { wire: 'none' }, { do: 'disarm_word' }) : { next, effects: [] };
}

const table: Readonly<Record<BusinessLegPhase, Row>> = {
  idle: {
    hangup,
    dial: (state) => go(state, 'offering', { do: 'prepare_offer' }),
  },
  offering: {
    hangup,
    media_failed: failHere,
    offer_ready: (state) => go(state, 'connecting', { do: 'connect' }),
    offer_failed: failHere,
  },
  connecting: {
    hangup,
    media_failed: failHere,
    id_known: (state) => go(state, 'dialled'),
    connect_refused: (state, { reason }) => end(state, 'none', failed(reason)),
    connect_unknown: (state) => go(state, 'uncertain', { do: 'arm_adoption' }),
    connect_unusable: (state, { reason }) => end(state, 'none', failed(reason), { do: 'abandon' }),
  },
  uncertain: {
    hangup,
    media_failed: failHere,
    id_known: (state) => go(state, 'dialled', { do: 'disarm_adoption' }),
    adoption_timeout: (state) => endHere(state, failed(timedOutReason)),
  },
  dialled: {
    hangup,
    media_failed: failHere,
    remote_answer: (state, { sdp }) =>
      state.answer === 'none'
        ? { next: { ...state, answer: 'applying' }, effects: [{ do: 'apply_answer', sdp }] }
        : { next: state, effects: [] },
    answer_applied: (state) =>
      state.answer === 'applying' ? settleAnswer({ ...state, answer: 'applied' }) : { next: state, effects: [] },
    answer_failed: failHere,
    ringing: (state) =>
      state.rang || state.accepted
        ? { next: state, effects: [] }
        : { next: { ...state, rang: true }, effects: [emit({ type: 'progress' })] },
    accepted: (state) => settleAnswer({ ...state, accepted: true }),
    rejected: (state) => end(state, 'none', failed(rejectedReason)),
    remote_terminated: (state, { before }) => end(state, 'none', failed(before)),
  },
  confirmed: {
    hangup,
    media_failed: (state, { reason }) => endHere(state, emit({ type: 'ended', reason })),
    remote_terminated: (state, { after }) => end(state, 'none', emit({ type: 'ended', reason: after })),
  },
  ending: {
    id_known: (state) =>
      state.open.wire === 'id'
        ? { next: { ...state, open: { ...state.open, wire: 'post' } }, effects: [{ do: 'post_terminate' }] }
        : { next: state, effects: [] },
    connect_refused: (state) =>
      state.open.wire === 'id' ? settle(state, { wire: 'none' }) : { next: state, effects: [] },
    connect_unknown: (state) =>
      state.open.wire === 'id' ? settle(state, { wire: 'none' }, { do: 'abandon' }) : { next: state, effects: [] },
    connect_unusable: (state) =>
      state.open.wire === 'id' ? settle(state, { wire: 'none' }, { do: 'abandon' }) : { next: state, effects: [] },
    wire_ended: wireEnded,
    remote_terminated: overMeanwhile,
    word_timeout: (state) =>
      state.open.wire === 'word' ? settle(state, { wire: 'none' }) : { next: state, effects: [] },
    media_closed: (state) => settle(state, { media: false }),
    end_deadline: (state) => go(state, 'terminated', ...givingUp(state), emit({ type: 'terminated' })),
  },
  terminated: {},
};
