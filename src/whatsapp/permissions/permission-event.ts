import { given } from '../../lib/given.js';
import type { WaNumber } from '../../routing/types.js';
import type { PermissionReply } from '../webhook-events.js';

/** What a reply answers: a message of ours, a call, nothing (a grant from the profile, a revocation), or an id of another form. */
export type ReplyContext = 'message' | 'call' | 'none' | 'unknown';

/** A user's answer about being called, whole, as it is shown to whoever watches. Times are ISO 8601 in UTC. Names are not sanitised. */
export interface PermissionEvent {
  /** Alias of the business number, and Meta's phone_number_id. */
  readonly number: string;
  readonly numberId: string;
  readonly userNumber?: string;
  readonly userId?: string;
  readonly parentUserId?: string;
  readonly name?: string;
  readonly username?: string;
  readonly response: 'accept' | 'reject';
  readonly permanent: boolean;
  /** End of a temporary permission. */
  readonly expiresAt?: string;
  /** `automatic`: by the callback setting, or taken away by Meta after calls that nobody answered. */
  readonly source?: 'user_action' | 'automatic';
  readonly contextId?: string;
  readonly context: ReplyContext;
  readonly messageId?: string;
  /** Meta's stamp. */
  readonly timestamp?: string;
}

/** Makes the event of a reply. */
export function permissionEvent(reply: PermissionReply, number: Pick<WaNumber, 'name' | 'id'>): PermissionEvent {
  const { user, response, permanent, contextId } = reply;
  return {
    number: number.name,
    numberId: number.id,
    ...given('userNumber', user.number),
    ...given('userId', user.userId),
    ...given('parentUserId', user.parentUserId),
    ...given('name', user.name),
    ...given('username', user.username),
    response,
    permanent,
    ...given('expiresAt', iso(reply.expiresAtMs)),
    ...given('source', reply.source),
    ...given('contextId', contextId),
    context: contextOf(contextId),
    ...given('messageId', reply.messageId),
    ...given('timestamp', iso(reply.timestampMs)),
  };
}

function contextOf(id: string | undefined): ReplyContext {
  if (id === undefined || id === '') return 'none';
  if (id.startsWith('wamid.')) return 'message';
  return id.startsWith('wacid.') ? 'call' : 'unknown';
}

/** Milliseconds that no date can hold are no time. */
function iso(ms: number | undefined): string | undefined {
  return ms === undefined || ms > 8.64e15 ? undefined : new Date(ms).toISOString();
}
