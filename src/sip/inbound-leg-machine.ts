import { endReason, type EndReason } from '../call/end-reason.js';
import type { LegEvent } from '../call/leg.js';
import { assertNever } from '../lib/assert-never.js';

/*
 * The SIP leg on which a call arrived (RFC 3261 §13.3, §9.2, §15).
 *
 *               prepared         ring              answer             acked
 *   preparing ──────────► trying ────► ringing ───────────► answering ──────► confirmed
 *       │ refused            │ reject     │ reject             │ hangup           │ hangup
 *       ▼                    ▼            ▼                    ▼        acked     ▼
 *   refusing ◄───────────────┴────────────┘             awaitingAck ────────► hangingUp
 *       │ wireDone     cancelled ↓             BYE, no ACK ↓    │ wireDone        │ wireDone, BYE
 *       └──────────────────► closing ◄─────────────────────────┴─────────────────┘
 *                               │ mediaClosed
 *                               ▼
 *                           terminated
 */

export type InboundLegState =
  | 'preparing' // media endpoint and answer; the call is not announced yet
  | 'trying'
  | 'ringing'
  | 'refusing' // a final status other than 2xx is on its way
  | 'answering' // 200 is out or on its way, ACK awaited
  | 'awaitingAck' // to be hung up, but BYE must not overtake the ACK (RFC 3261 §15)
  | 'confirmed'
  | 'hangingUp' // BYE is out
  | 'closing' // nothing left on the wire; media is being closed
  | 'terminated';

export type InboundLegEvent =
  /** The offer is usable, or our own offer stands ready. */
  | { readonly type: 'prepared' }
  /** The INVITE cannot be served: no codec, no port. */
  | { readonly type: 'unusable'; readonly reason: EndReason }
  | { readonly type: 'ring' }
  | { readonly type: 'answer' }
  | { readonly type: 'reject'; readonly reason: EndReason }
  | { readonly type: 'hangup'; readonly reason: EndReason }
  /** CANCEL came, or a 200 found no transaction any more. */
  | { readonly type: 'cancelled'; readonly reason: EndReason }
  /** The 200 could not be sent. */
  | { readonly type: 'answerFailed'; readonly reason: EndReason }
  /** The ACK came; with the answer to our offer in it, that was usable. */
  | { readonly type: 'acked' }
  /** The ACK came, but the answer in it is of no use. */
  | { readonly type: 'ackUnusable'; readonly reason: EndReason }
  /** BYE from the far end, or from the SIP server because no ACK came. */
  | { readonly type: 'remoteEnded'; readonly reason: EndReason }
  | { readonly type: 'mediaFailed'; readonly reason: EndReason }
  | { readonly type: 'linkLost'; readonly reason: EndReason }
  /** The final status is out, BYE was answered, or either was given up; in `awaitingAck`: no ACK came in time. */
  | { readonly type: 'wireDone' }
  | { readonly type: 'mediaClosed' };

export type InboundLegEffect =
  /** Hands the call to the daemon. */
  | { readonly type: 'announce' }
  | { readonly type: 'sendRinging' }
  | { readonly type: 'sendAnswer' }
  | { readonly type: 'sendRefusal'; readonly reason: EndReason }
  /** BYE follows for this reason once the ACK has come. */
  | { readonly type: 'awaitAck'; readonly reason: EndReason }
  | { readonly type: 'sendBye'; readonly reason: EndReason }
  | { readonly type: 'closeMedia' }
  | { readonly type: 'report'; readonly event: LegEvent };

export interface InboundLegTransition {
  readonly next: InboundLegState;
  readonly effects: readonly InboundLegEffect[];
}

/** Every rule of the arriving leg. An event that means nothing in a state changes nothing. */
export function inboundTransition(state: InboundLegState, event: InboundLegEvent): InboundLegTransition {
  switch (state) {
    case 'preparing':
      return event.type === 'prepared' ? to('trying', { type: 'announce' }) : fromUnanswered(state, event);
    case 'trying':
    case 'ringing':
      return fromUnanswered(state, event);
    case 'answering':
      return fromAnswering(event);
    case 'awaitingAck':
      return fromAwaitingAck(event);
    case 'confirmed':
      return fromConfirmed(event);
    case 'refusing':
    case 'hangingUp':
      return fromEnding(state, event);
    case 'closing':
      return event.type === 'mediaClosed' ? to('terminated', report({ type: 'terminated' })) : late(state, event);
    case 'terminated':
      return late(state, event);
    default:
      return assertNever(state, 'leg state');
  }
}

function fromUnanswered(state: 'preparing' | 'trying' | 'ringing', event: InboundLegEvent): InboundLegTransition {
  switch (event.type) {
    case 'ring':
      return state === 'trying' ? to('ringing', { type: 'sendRinging' }) : to(state);
    case 'answer':
      return state === 'preparing' ? to(state) : to('answering', { type: 'sendAnswer' });
    case 'unusable':
    case 'reject':
    case 'hangup':
      return to('refusing', { type: 'sendRefusal', reason: event.reason });
    case 'mediaFailed':
      return to('refusing', failed(event.reason), { type: 'sendRefusal', reason: event.reason });
    case 'cancelled':
      return to('closing', report({ type: 'cancelled', reason: event.reason }), closeMedia);
    case 'remoteEnded':
    case 'linkLost':
      return to('closing', failed(event.reason), closeMedia);
    default:
      return to(state);
  }
}

function fromAnswering(event: InboundLegEvent): InboundLegTransition {
  switch (event.type) {
    case 'acked':
      return to('confirmed', report({ type: 'confirmed' }));
    case 'ackUnusable':
      return to('hangingUp', failed(event.reason), { type: 'sendBye', reason: event.reason });
    case 'cancelled':
      return to('closing', report({ type: 'cancelled', reason: event.reason }), closeMedia);
    case 'hangup':
    case 'reject': // too late to refuse: the 200 stands
      return to('awaitingAck', { type: 'awaitAck', reason: event.reason });
    case 'mediaFailed':
      return to('awaitingAck', failed(event.reason), { type: 'awaitAck', reason: event.reason });
    case 'answerFailed':
    case 'remoteEnded':
    case 'linkLost':
      return to('closing', failed(event.reason), closeMedia);
    default:
      return to('answering');
  }
}

function fromAwaitingAck(event: InboundLegEvent): InboundLegTransition {
  switch (event.type) {
    case 'acked':
    case 'ackUnusable':
      return to('hangingUp', { type: 'sendBye', reason: givenUp });
    case 'cancelled':
    case 'answerFailed':
    case 'remoteEnded':
    case 'linkLost':
    case 'wireDone':
      return to('closing', closeMedia);
    default:
      return to('awaitingAck');
  }
}

function fromConfirmed(event: InboundLegEvent): InboundLegTransition {
  switch (event.type) {
    case 'hangup':
    case 'reject':
      return to('hangingUp', { type: 'sendBye', reason: event.reason });
    case 'mediaFailed':
      return to('hangingUp', report({ type: 'ended', reason: event.reason }), {
        type: 'sendBye',
        reason: event.reason,
      });
    case 'remoteEnded':
    case 'linkLost':
      return to('closing', report({ type: 'ended', reason: event.reason }), closeMedia);
    default:
      return to('confirmed');
  }
}

function fromEnding(state: 'refusing' | 'hangingUp', event: InboundLegEvent): InboundLegTransition {
  switch (event.type) {
    case 'wireDone':
    case 'cancelled':
    case 'remoteEnded':
    case 'linkLost':
      return to('closing', closeMedia);
    default:
      return to(state);
  }
}

/** An ACK for a leg that nobody waits for any more: its dialog stands now, and is hung up. */
function late(state: 'closing' | 'terminated', event: InboundLegEvent): InboundLegTransition {
  const standing = event.type === 'acked' || event.type === 'ackUnusable';
  return standing ? to(state, { type: 'sendBye', reason: givenUp }) : to(state);
}

const givenUp = endReason('cancelled', { text: 'given up before the ACK' });
const closeMedia: InboundLegEffect = { type: 'closeMedia' };

function report(event: LegEvent): InboundLegEffect {
  return { type: 'report', event };
}

function failed(reason: EndReason): InboundLegEffect {
  return report({ type: 'failed', reason, retry: false });
}

function to(next: InboundLegState, ...effects: InboundLegEffect[]): InboundLegTransition {
  return { next, effects };
}
