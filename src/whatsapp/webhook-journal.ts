import type { JournalData } from '../call/journal.js';
import { callOfOpaque } from './wa-ids.js';
import type { CallEventOfMeta, PermissionReply, WebhookEvent } from './webhook-events.js';

/** What the journal keeps of an event before its 200: enough to end an orphan, or to act on a reply, after a crash. */
export function journalData(event: WebhookEvent): JournalData | undefined {
  switch (event.kind) {
    case 'unknown':
    case 'settings_changed':
      return undefined;
    case 'permission_reply':
      return replyData(event);
    default:
      return callData(event);
  }
}

/** Ids only, never an SDP, a name or a number. */
function callData(event: CallEventOfMeta): JournalData {
  const { kind, numberId, waCallId, timestampMs, opaque } = event;
  const opaqueCall = callOfOpaque(opaque);
  return {
    kind,
    numberId,
    waCallId,
    timestampMs: String(timestampMs ?? ''),
    ...(event.kind === 'call_status' && { status: event.status }),
    ...(opaqueCall !== undefined && { opaqueCall }),
  };
}

/** All of a reply but the user's name. */
function replyData(reply: PermissionReply): JournalData {
  const { kind, numberId, user } = reply;
  const nameless = { ...reply, user: { ...user, name: undefined, username: undefined } };
  return { kind, numberId, key: replyKey(reply), reply: JSON.stringify(nameless) };
}

/** What tells a reply from every other; Meta's id of the message, but for one that has none. */
export function replyKey({ numberId, messageId, user, timestampMs, response }: PermissionReply): string {
  if (messageId !== undefined) return `${numberId}|${messageId}`;
  return [numberId, user.number ?? user.userId ?? '', timestampMs ?? '', response].join('|');
}

/** The reply that `journalData` kept. @throws SyntaxError if it is none */
export function replyOf(data: JournalData): PermissionReply {
  return JSON.parse(data['reply'] ?? '') as PermissionReply;
}
