import { endReason, type EndReason } from '../../call/end-reason.js';
import type { GraphError } from '../graph-error.js';
import { reasonFromGraphError } from '../graph-cause.js';
import type { UsedUp } from './call-tally.js';
import { freeAtMs, limitText, type ActionAnswer } from './permission-answer.js';
import type { PermissionName } from './permission-state.js';

/** Why a user without permission is not called, by what is known of it. */
const withoutPermission: Readonly<Partial<Record<PermissionName, string>>> = {
  requested: 'permission was asked already, no answer yet',
  revoked: 'the user has taken the permission back',
  expired: 'the permission has run out',
};

const seconds = (ms: number): number => Math.max(1, Math.ceil(ms / 1000));

const after = (ms: number | undefined): { retryAfterS?: number } =>
  ms === undefined || ms <= 0 ? {} : { retryAfterS: seconds(ms) };

/** The user has not given leave: 403. */
export function noPermission(name: PermissionName): EndReason {
  return endReason('no_permission', {
    text: withoutPermission[name] ?? 'the user has not given permission to be called',
  });
}

/** The user is asked now: 480, and the call may come again. */
export const permissionRequested = (): EndReason =>
  endReason('permission_requested', { text: 'permission requested from the user' });

/** Meta said that no call can be placed: 403, as it answers such a call itself (138012). */
export function callLimit(start: ActionAnswer, nowMs: number): EndReason {
  const free = freeAtMs(start);
  const text = `Meta allows no call to the user now${limitText(start)}`;
  return endReason('limit', { sipStatus: 403, text, ...after(free && free - nowMs) });
}

/** A limit of ours keeps the user from being called: the same status. */
export function ownCallLimit({ why, freeAtMs: free }: UsedUp, nowMs: number): EndReason {
  return endReason('limit', { sipStatus: 403, text: why, ...after(free && free - nowMs) });
}

/** No permission, and the user cannot be asked now: 403, with the time when that is possible again if it is known. */
export function cannotAsk(why: string, inMs: number | undefined): EndReason {
  return endReason('no_permission', { text: `no permission, and it cannot be asked for now: ${why}`, ...after(inMs) });
}

/** Why Meta does not let the user be asked. */
export const requestLimitText = (action: ActionAnswer): string => `Meta does not allow it${limitText(action)}`;

/** The request did not go out: no permission, in Meta's own words. */
export function requestFailed(error: GraphError): EndReason {
  const { text = error.message, metaCode, retryAfterS } = reasonFromGraphError(error);
  return endReason('no_permission', {
    text: `permission could not be asked for: ${text}`,
    ...(metaCode !== undefined && { metaCode }),
    ...(error.retryAfterS !== undefined && retryAfterS !== undefined && { retryAfterS }),
  });
}
