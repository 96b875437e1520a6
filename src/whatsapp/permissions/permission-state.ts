/*
 * A user's leave to be called by one business number, as far as it is known here. Pure: no clock, no I/O.
 *
 *                    looked up: no_permission                 requested
 *            ┌──────────────────────────────► none ───────────────────────────► requested
 *            │                                 ▲  ▲            rejected, lapsed     │
 *  unknown ──┤                                 │  └─────────────────────────────────┤
 *     ▲      │ looked up, accepted             │ looked up: no_permission           │ accepted
 *     │      └────────────► temporary ─────────┤                                    │
 *     │                     permanent ◄────────┼────────────────────────────────────┘
 *     │                       │   │            │
 *     │ 138006 of a connect   │   │ time       │ rejected
 *     └───────────────────────┘   ▼            ▼
 *                              expired      revoked        (both go on like `none`)
 *
 * Webhooks come late, twice and out of order, and look-ups are on their way meanwhile: what is older than what is known, by
 * Meta's stamp for replies and by the time of asking for look-ups, changes nothing.
 */

/** Meta's three words; one we do not know counts as `no_permission`. */
export type PermissionStatus = 'no_permission' | 'temporary' | 'permanent';

export type PermissionName = 'unknown' | 'none' | 'requested' | 'temporary' | 'permanent' | 'expired' | 'revoked';

/** All times are wall clock, milliseconds since the Unix epoch. */
export interface PermissionState {
  readonly name: PermissionName;
  /** When the permission ends (`temporary`, `expired`). */
  readonly expiresAtMs?: number;
  /** When the user was asked (`requested`). */
  readonly requestedAtMs?: number;
  /** When Meta was last asked, by a look-up or by a call that it refused. */
  readonly askedAtMs: number;
  /** When the last reply of the user came in, what Meta stamped it with, and its message id. */
  readonly heardAtMs: number;
  readonly reply?: { readonly stampMs: number; readonly messageId: string | undefined };
}

export type PermissionInput =
  /** `askedAtMs`: before the request went out. */
  | {
      readonly type: 'looked_up';
      readonly status: PermissionStatus;
      readonly expiresAtMs: number | undefined;
      readonly askedAtMs: number;
    }
  /** A permission request went out; `sentAtMs` is before it did, since the answer may outrun the confirmation. */
  | { readonly type: 'requested'; readonly sentAtMs: number }
  | ({ readonly type: 'accepted'; readonly permanent: boolean; readonly expiresAtMs: number | undefined } & Reply)
  /** `automatic`: taken away by Meta after too many calls that nobody answered. */
  | ({ readonly type: 'rejected'; readonly automatic: boolean } & Reply)
  /** Meta refused a call for want of permission (138006). */
  | { readonly type: 'call_refused'; readonly atMs: number }
  | { readonly type: 'time'; readonly atMs: number };

interface Reply {
  readonly stampMs: number;
  readonly messageId: string | undefined;
  readonly heardAtMs: number;
}

const DAY_MS = 24 * 3600_000;
/** A temporary permission runs for 7 days from the approval, and a request lapses after as long (Meta's permission page). */
export const TEMPORARY_MS = 7 * DAY_MS;
export const REQUEST_LAPSE_MS = 7 * DAY_MS;
/** Meta's stamps are whole seconds of a clock that is not ours: only more than this is a difference. */
const CLOCK_SKEW_MS = 60_000;

/** Nothing is known yet. */
export const unknownPermission: PermissionState = { name: 'unknown', askedAtMs: 0, heardAtMs: 0 };

/** Whether the user may be called as far as is known. */
export const isGranted = ({ name }: PermissionState): boolean => name === 'temporary' || name === 'permanent';

/** Applies one event; what is older than what is known, or was seen before, changes nothing (the same object is returned). */
export function permissionTransition(state: PermissionState, event: PermissionInput): PermissionState {
  if (isStale(state, event)) return state;
  switch (event.type) {
    case 'looked_up':
      return lookedUp(state, event);
    case 'requested':
      return isGranted(state) ? state : named(state, { name: 'requested', requestedAtMs: event.sentAtMs });
    case 'accepted':
      return accepted(state, event);
    case 'rejected': {
      const isTakenAway = isGranted(state) || event.automatic || state.name === 'revoked';
      const name = isTakenAway ? 'revoked' : 'none';
      return { ...named(state, { name }), ...heard(event) };
    }
    case 'call_refused': {
      const known = state.name === 'requested' ? state : named(state, { name: 'unknown' });
      return { ...known, askedAtMs: event.atMs };
    }
    default:
      return timePassed(state, event.atMs);
  }
}

function lookedUp(state: PermissionState, event: Extract<PermissionInput, { type: 'looked_up' }>): PermissionState {
  const { status, expiresAtMs, askedAtMs } = event;
  if (status === 'permanent') return { ...named(state, { name: 'permanent' }), askedAtMs };
  // Without an end it is believed as long as any answer is.
  if (status === 'temporary') {
    const end = expiresAtMs === undefined ? {} : { expiresAtMs };
    return timePassed({ ...named(state, { name: 'temporary' }), ...end, askedAtMs }, askedAtMs);
  }
  const waiting = timePassed(state, askedAtMs);
  // Meta's answer does not say whether a request is with the user, or how a permission came to its end.
  const stays = waiting.name === 'requested' || waiting.name === 'expired' || waiting.name === 'revoked';
  return { ...(stays ? waiting : named(state, { name: 'none' })), askedAtMs };
}

function accepted(state: PermissionState, event: Extract<PermissionInput, { type: 'accepted' }>): PermissionState {
  if (event.permanent) return { ...named(state, { name: 'permanent' }), ...heard(event) };
  const expiresAtMs = event.expiresAtMs ?? event.stampMs + TEMPORARY_MS;
  return timePassed({ ...named(state, { name: 'temporary' }), ...heard(event), expiresAtMs }, event.heardAtMs);
}

/** A new name without what belonged to the old one. */
function named(
  { askedAtMs, heardAtMs, reply }: PermissionState,
  next: Pick<PermissionState, 'name' | 'requestedAtMs'>,
): PermissionState {
  return { ...next, askedAtMs, heardAtMs, ...(reply && { reply }) };
}

/** A stamp from the future would shut out every later reply. */
function heard({ stampMs, messageId, heardAtMs }: Reply): Pick<PermissionState, 'heardAtMs' | 'reply'> {
  return { heardAtMs, reply: { stampMs: Math.min(stampMs, heardAtMs), messageId } };
}

function timePassed(state: PermissionState, atMs: number): PermissionState {
  const { name, expiresAtMs, requestedAtMs } = state;
  if (name === 'temporary' && expiresAtMs !== undefined && expiresAtMs <= atMs) return { ...state, name: 'expired' };
  const lapsed = name === 'requested' && (requestedAtMs ?? 0) + REQUEST_LAPSE_MS <= atMs;
  return lapsed ? named(state, { name: 'none' }) : state;
}

function isStale(state: PermissionState, event: PermissionInput): boolean {
  switch (event.type) {
    case 'looked_up':
      return event.askedAtMs < state.heardAtMs || event.askedAtMs < state.askedAtMs;
    case 'requested':
      return event.sentAtMs < state.heardAtMs;
    case 'accepted':
    case 'rejected':
      return isOldReply(state, event);
    case 'call_refused':
      return event.atMs < state.heardAtMs;
    default:
      return false;
  }
}

function isOldReply({ askedAtMs, reply }: PermissionState, { stampMs, messageId }: Reply): boolean {
  if (reply && messageId !== undefined && messageId === reply.messageId) return true;
  return stampMs < (reply?.stampMs ?? 0) || stampMs < askedAtMs - CLOCK_SKEW_MS;
}
