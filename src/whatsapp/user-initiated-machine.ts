import type { Step as MachineStep } from '../lib/machine-runner.js';
import type { EndReason } from '../call/end-reason.js';
import type { LegEvent } from '../call/leg.js';

/*
 * The rules of a user-initiated WhatsApp leg. Pure.
 *
 *            trying              sdp_ready          pre_accepted         answer            accepted
 *   idle ────────────► negotiating ───────► pre_accepting ───────► early ───────► accepting ───────► confirmed
 *                            └──────► ready ──────┴────────── answer ────────────────►│                  │
 *   any of them:  reject, hangup, a failure, Meta's terminate ─────► ending ◄─────────┴──────────────────┘
 *                                                                      │ posted, heard, media closed | deadline
 *                                                                      ▼
 *                                                                  terminated (absorbing)
 *
 * Meta's rules that hold here: `reject` only while nothing was pre-accepted, `terminate` after (also while the request is on
 * its way); ICE and DTLS start once Meta knows our answer; no RTP before accept returned 200, then at once. After our
 * terminate of an answered call Meta's own is waited for, shortly: it has the times that Meta counts.
 */

/** When the pre_accept goes out: at once, when the PBX rings, or not at all. */
export type PreAcceptPolicy = 'immediate' | 'on_progress' | 'never';

export type UserLegPhase =
  'idle' | 'negotiating' | 'ready' | 'pre_accepting' | 'early' | 'accepting' | 'confirmed' | 'ending' | 'terminated';

export interface UserLegState {
  readonly phase: UserLegPhase;
  readonly policy: PreAcceptPolicy;
  /** The PBX rings. */
  readonly ringing: boolean;
  /** The PBX answered before we could accept. */
  readonly answerWanted: boolean;
  /** A pre_accept or accept has gone out, whatever came of it. */
  readonly answerSent: boolean;
  /** The accept went through. */
  readonly answered: boolean;
  /** Meta's terminate has come. */
  readonly over: boolean;
  /** While ending: what is still to be done. `word`: Meta's own terminate is waited for. */
  readonly open: { readonly wire: 'post' | 'word' | 'none'; readonly media: boolean };
}

export type UserLegEvent =
  | { readonly type: 'trying' }
  | { readonly type: 'ring' }
  | { readonly type: 'answer' }
  | { readonly type: 'reject' }
  | { readonly type: 'hangup' }
  | { readonly type: 'sdp_ready' }
  | { readonly type: 'sdp_failed'; readonly reason: EndReason }
  | { readonly type: 'pre_accepted' }
  /** Not `fatal`: the network or Meta's servers; accept may yet succeed. */
  | { readonly type: 'pre_accept_failed'; readonly reason: EndReason; readonly fatal: boolean }
  | { readonly type: 'accepted' }
  | { readonly type: 'accept_failed'; readonly reason: EndReason }
  | { readonly type: 'media_failed'; readonly reason: EndReason }
  /** Meta's terminate webhook, with the reason it has before and after the answer. */
  | { readonly type: 'remote_terminated'; readonly before: EndReason; readonly after: EndReason }
  /** Our terminate or reject is through, or given up. */
  | { readonly type: 'wire_ended' }
  /** Meta's own terminate did not come soon after ours. */
  | { readonly type: 'word_timeout' }
  | { readonly type: 'media_closed' }
  | { readonly type: 'end_deadline' };

export type UserLegEffect =
  | { readonly do: 'prepare_answer' }
  | { readonly do: 'pre_accept' }
  | { readonly do: 'start_media' }
  | { readonly do: 'accept' }
  | { readonly do: 'open_sending' }
  | { readonly do: 'post'; readonly action: 'reject' | 'terminate' }
  | { readonly do: 'close_media' }
  | { readonly do: 'arm_word' }
  | { readonly do: 'disarm_word' }
  | { readonly do: 'arm_deadline' }
  | { readonly do: 'disarm_deadline' }
  | { readonly do: 'emit'; readonly event: LegEvent };

type Step = MachineStep<UserLegState, UserLegEffect>;

export const initialUserLegState = (policy: PreAcceptPolicy): UserLegState => ({
  phase: 'idle',
  policy,
  ringing: false,
  answerWanted: false,
  answerSent: false,
  answered: false,
  over: false,
  open: { wire: 'none', media: false },
});

type EventOf<Type extends UserLegEvent['type']> = Extract<UserLegEvent, { readonly type: Type }>;
type Row = { readonly [Type in UserLegEvent['type']]?: (state: UserLegState, event: EventOf<Type>) => Step };

/** Applies one event; one that a phase has no rule for is absorbed. */
export function transition(state: UserLegState, event: UserLegEvent): Step {
  const rule = table[state.phase][event.type] as ((state: UserLegState, event: UserLegEvent) => Step) | undefined;
  return rule ? rule(state, event) : { next: state, effects: [] };
}

const go = (state: UserLegState, phase: UserLegPhase, ...effects: UserLegEffect[]): Step => ({
  next: { ...state, phase },
  effects,
});

/** The answer is there and no request is on its way: sends what is due next. */
function proceed(state: UserLegState): Step {
  const sent: UserLegState = { ...state, answerSent: true };
  // Accepting straight away saves a round trip when the PBX has answered already.
  if (state.answerWanted) return go(sent, 'accepting', { do: 'accept' });
  const due = state.policy === 'immediate' || (state.policy === 'on_progress' && state.ringing);
  return due ? go(sent, 'pre_accepting', { do: 'pre_accept' }) : go(state, 'ready');
}

/** After pre_accept, whatever came of it. */
function preAccepted(state: UserLegState, ...effects: UserLegEffect[]): Step {
  return state.answerWanted ? go(state, 'accepting', ...effects, { do: 'accept' }) : go(state, 'early', ...effects);
}

const closing: readonly UserLegEffect[] = [{ do: 'arm_deadline' }, { do: 'close_media' }];

/** The end comes from our side: Meta is told, always. */
function endHere(state: UserLegState, ...told: UserLegEffect[]): Step {
  const action = state.answerSent ? 'terminate' : 'reject';
  return {
    next: { ...state, phase: 'ending', open: { wire: 'post', media: true } },
    effects: [...told, { do: 'post', action }, ...closing],
  };
}

/** The end comes from Meta's side: nothing to post. */
function endThere(state: UserLegState, event: LegEvent): Step {
  return {
    next: { ...state, phase: 'ending', open: { wire: 'none', media: true } },
    effects: [{ do: 'emit', event }, ...closing],
  };
}

const failHere = (state: UserLegState, event: { readonly reason: EndReason }): Step =>
  endHere(state, { do: 'emit', event: { type: 'failed', reason: event.reason, retry: false } });

function settle(state: UserLegState, done: Partial<UserLegState['open']>, ...before: UserLegEffect[]): Step {
  const next: UserLegState = { ...state, open: { ...state.open, ...done } };
  if (next.open.wire !== 'none' || next.open.media) return { next, effects: before };
  return go(next, 'terminated', ...before, { do: 'disarm_deadline' }, { do: 'emit', event: { type: 'terminated' } });
}

/** Our terminate is through: of a call that was answered, Meta has its times to tell yet. */
function wireEnded(state: UserLegState): Step {
  if (state.open.wire !== 'post') return { next: state, effects: [] };
  if (!state.answered || state.over) return settle(state, { wire: 'none' });
  return { next: { ...state, open: { ...state.open, wire: 'word' } }, effects: [{ do: 'arm_word' }] };
}

/** Meta's terminate came after ours had been asked for. */
function overMeanwhile(state: UserLegState): Step {
  const next: UserLegState = { ...state, over: true };
  return state.open.wire === 'word' ? settle(next, { wire: 'none' }, { do: 'disarm_word' }) : { next, effects: [] };
}

/** What may end a leg in any phase before the answer is confirmed. */
const unconfirmed = {
  reject: (state: UserLegState) => endHere(state),
  hangup: (state: UserLegState) => endHere(state),
  media_failed: failHere,
  remote_terminated: (state: UserLegState, { before }: EventOf<'remote_terminated'>) =>
    endThere(state, { type: 'cancelled', reason: before }),
} satisfies Row;

const wanting = (state: UserLegState): UserLegState => ({ ...state, answerWanted: true });
const rememberRing = (state: UserLegState): Step => ({ next: { ...state, ringing: true }, effects: [] });
const rememberAnswer = (state: UserLegState): Step => ({ next: wanting(state), effects: [] });

const table: Readonly<Record<UserLegPhase, Row>> = {
  idle: {
    ...unconfirmed,
    trying: (state) => go(state, 'negotiating', { do: 'prepare_answer' }),
    ring: rememberRing,
    answer: (state) => go(wanting(state), 'negotiating', { do: 'prepare_answer' }),
  },
  negotiating: {
    ...unconfirmed,
    ring: rememberRing,
    answer: rememberAnswer,
    sdp_ready: proceed,
    sdp_failed: failHere,
  },
  ready: {
    ...unconfirmed,
    ring: (state) => proceed({ ...state, ringing: true }),
    answer: (state) => proceed(wanting(state)),
  },
  pre_accepting: {
    ...unconfirmed,
    ring: rememberRing,
    answer: rememberAnswer,
    pre_accepted: (state) => preAccepted(state, { do: 'start_media' }),
    pre_accept_failed: (state, event) => (event.fatal ? failHere(state, event) : preAccepted(state)),
  },
  early: {
    ...unconfirmed,
    answer: (state) => go(state, 'accepting', { do: 'accept' }),
  },
  accepting: {
    ...unconfirmed,
    accepted: (state) =>
      go(
        { ...state, answered: true },
        'confirmed',
        { do: 'start_media' },
        { do: 'open_sending' },
        { do: 'emit', event: { type: 'confirmed' } },
      ),
    accept_failed: failHere,
  },
  confirmed: {
    reject: (state) => endHere(state),
    hangup: (state) => endHere(state),
    media_failed: (state, { reason }) => endHere(state, { do: 'emit', event: { type: 'ended', reason } }),
    remote_terminated: (state, { after }) => endThere(state, { type: 'ended', reason: after }),
  },
  ending: {
    wire_ended: wireEnded,
    remote_terminated: overMeanwhile,
    word_timeout: (state) =>
      state.open.wire === 'word' ? settle(state, { wire: 'none' }) : { next: state, effects: [] },
    media_closed: (state) => settle(state, { media: false }),
    end_deadline: (state) => {
      const told: UserLegEffect[] = state.open.wire === 'word' ? [{ do: 'disarm_word' }] : [];
      return go(state, 'terminated', ...told, { do: 'emit', event: { type: 'terminated' } });
    },
  },
  terminated: {},
};
