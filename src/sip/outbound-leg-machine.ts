import { endReason, type EndReason } from '../call/end-reason.js';
import type { LegEvent } from '../call/leg.js';
import { assertNever } from '../lib/assert-never.js';

/*
 * The dialled SIP leg (RFC 3261 §13.2, §9.1, §15).
 *
 *            dial           prepared           ringing             accepted            answerUsable
 *   idle ──────────► preparing ────► inviting ────────► proceeding ─────────► answering ─────────► confirmed
 *                        │              │  refused, silent   │                   │ unusable            │
 *                        │              │  hangup ──────► cancelling ─accepted─► hangingUp ◄─ hangup ──┤
 *                        ▼              ▼                    ▼ final, silent,     ▼ wireDone, BYE      ▼ BYE
 *                     closing ◄─────────┴────────────────────┴────────────────────┴────────────────────┘
 *                        │ mediaClosed
 *                        ▼
 *                    terminated      (a 200 that comes even now is hung up: no ghost leg)
 */

export type OutboundLegState =
  | 'idle'
  | 'preparing' // media endpoint, offer, journal
  | 'inviting' // INVITE is out, nothing came back yet
  | 'proceeding' // a provisional response came
  | 'answering' // 200 came and was acknowledged; its SDP is being applied
  | 'confirmed'
  | 'cancelling' // CANCEL asked for, final response awaited
  | 'hangingUp' // BYE is out
  | 'closing' // nothing left on the wire; media is being closed
  | 'terminated';

export type OutboundLegEvent =
  | { readonly type: 'dial' }
  | { readonly type: 'prepared' }
  | { readonly type: 'ringing' }
  | { readonly type: 'earlyMedia' }
  /** A final response other than 2xx, or the INVITE could not be sent at all. */
  | { readonly type: 'refused'; readonly reason: EndReason; readonly retry: boolean }
  /** No sign of life from the server in time. */
  | { readonly type: 'silent'; readonly reason: EndReason }
  /** 2xx; srf has sent the ACK. */
  | { readonly type: 'accepted' }
  | { readonly type: 'answerUsable' }
  | { readonly type: 'answerUnusable'; readonly reason: EndReason }
  | { readonly type: 'hangup'; readonly reason: EndReason }
  /** BYE from the far end. */
  | { readonly type: 'remoteEnded'; readonly reason: EndReason }
  /** Media died under the leg. */
  | { readonly type: 'mediaFailed'; readonly reason: EndReason }
  /** The link to the SIP server is gone: whatever it held is lost. */
  | { readonly type: 'linkLost'; readonly reason: EndReason }
  /** BYE was answered or given up; CANCEL was given up. */
  | { readonly type: 'wireDone' }
  | { readonly type: 'mediaClosed' };

export type OutboundLegEffect =
  | { readonly type: 'prepare' }
  | { readonly type: 'sendInvite' }
  | { readonly type: 'sendCancel'; readonly reason: EndReason }
  | { readonly type: 'applyAnswer' }
  | { readonly type: 'sendBye'; readonly reason: EndReason }
  | { readonly type: 'closeMedia' }
  | { readonly type: 'report'; readonly event: LegEvent };

export interface OutboundLegTransition {
  readonly next: OutboundLegState;
  readonly effects: readonly OutboundLegEffect[];
}

/** Every rule of the dialled leg. An event that means nothing in a state changes nothing. */
export function outboundTransition(state: OutboundLegState, event: OutboundLegEvent): OutboundLegTransition {
  switch (state) {
    case 'idle':
      return fromIdle(event);
    case 'preparing':
      return fromPreparing(event);
    case 'inviting':
    case 'proceeding':
      return fromInviting(state, event);
    case 'answering':
      return fromAnswering(event);
    case 'confirmed':
      return fromConfirmed(event);
    case 'cancelling':
      return fromCancelling(event);
    case 'hangingUp':
      return fromHangingUp(event);
    case 'closing':
      return event.type === 'mediaClosed' ? to('terminated', report({ type: 'terminated' })) : late(state, event);
    case 'terminated':
      return late(state, event);
    default:
      return assertNever(state, 'leg state');
  }
}

function fromIdle(event: OutboundLegEvent): OutboundLegTransition {
  switch (event.type) {
    case 'dial':
      return to('preparing', { type: 'prepare' });
    case 'hangup':
      return to('closing', closeMedia);
    case 'linkLost':
      return to('closing', failed(event.reason, true), closeMedia);
    default:
      return to('idle');
  }
}

function fromPreparing(event: OutboundLegEvent): OutboundLegTransition {
  switch (event.type) {
    case 'prepared':
      return to('inviting', { type: 'sendInvite' });
    case 'refused':
      return to('closing', failed(event.reason, event.retry), closeMedia);
    case 'mediaFailed':
      return to('closing', failed(event.reason, false), closeMedia);
    case 'linkLost':
      return to('closing', failed(event.reason, true), closeMedia);
    case 'hangup':
      return to('closing', closeMedia);
    default:
      return to('preparing');
  }
}

function fromInviting(state: 'inviting' | 'proceeding', event: OutboundLegEvent): OutboundLegTransition {
  switch (event.type) {
    case 'ringing':
      return to('proceeding', report({ type: 'progress' }));
    case 'earlyMedia':
      return to('proceeding', report({ type: 'earlyMedia' }));
    case 'accepted':
      return to('answering', { type: 'applyAnswer' });
    case 'refused':
      return to('closing', failed(event.reason, event.retry), closeMedia);
    case 'silent':
      // The server holds the CANCEL until a provisional response comes (RFC 3261 §9.1); nobody waits for it.
      return to('closing', failed(event.reason, true), { type: 'sendCancel', reason: event.reason }, closeMedia);
    case 'mediaFailed':
      return to('cancelling', failed(event.reason, false), { type: 'sendCancel', reason: event.reason });
    case 'linkLost':
      return to('closing', failed(event.reason, true), closeMedia);
    case 'hangup':
      return to('cancelling', { type: 'sendCancel', reason: event.reason });
    case 'remoteEnded':
      return to('closing', failed(event.reason, false), closeMedia);
    default:
      return to(state);
  }
}

function fromAnswering(event: OutboundLegEvent): OutboundLegTransition {
  switch (event.type) {
    case 'answerUsable':
      return to('confirmed', report({ type: 'answered' }));
    case 'answerUnusable':
    case 'mediaFailed':
      return to('hangingUp', failed(event.reason, false), { type: 'sendBye', reason: event.reason });
    case 'hangup':
      return to('hangingUp', { type: 'sendBye', reason: event.reason });
    case 'remoteEnded':
    case 'linkLost':
      return to('closing', failed(event.reason, false), closeMedia);
    default:
      return to('answering');
  }
}

function fromConfirmed(event: OutboundLegEvent): OutboundLegTransition {
  switch (event.type) {
    case 'hangup':
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

function fromCancelling(event: OutboundLegEvent): OutboundLegTransition {
  switch (event.type) {
    case 'accepted': // the 200 crossed our CANCEL: it stands, and is hung up (RFC 3261 §9.1)
      return late('hangingUp', event);
    case 'refused':
    case 'silent': // the server is dead; a 200 that comes all the same is hung up late
    case 'remoteEnded':
    case 'linkLost':
    case 'wireDone':
      return to('closing', closeMedia);
    default:
      return to('cancelling');
  }
}

function fromHangingUp(event: OutboundLegEvent): OutboundLegTransition {
  switch (event.type) {
    case 'wireDone':
    case 'remoteEnded':
    case 'linkLost':
      return to('closing', closeMedia);
    default:
      return to('hangingUp');
  }
}

/** A 200 for a leg that was given up: hang it up, or the PBX would talk to nobody. */
function late(state: OutboundLegState, event: OutboundLegEvent): OutboundLegTransition {
  return event.type === 'accepted' ? to(state, { type: 'sendBye', reason: cancelledLate }) : to(state);
}

const cancelledLate = endReason('cancelled', { text: 'answered after it was given up' });

const closeMedia: OutboundLegEffect = { type: 'closeMedia' };

function report(event: LegEvent): OutboundLegEffect {
  return { type: 'report', event };
}

function failed(reason: EndReason, retry: boolean): OutboundLegEffect {
  return report({ type: 'failed', reason, retry });
}

function to(next: OutboundLegState, ...effects: OutboundLegEffect[]): OutboundLegTransition {
  return { next, effects };
}
