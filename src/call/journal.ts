import type { CallId } from '../lib/ids.js';

/**
 * What is about to happen to a call, or has come in. `ended` closes the call: nothing of it is left to be ended after a crash.
 *
 * - `webhook`: an event of Meta's, before its 200 (`data.kind`, `waCallId`, `numberId`, ...); `call` is the delivery's id.
 * - `webhook_settled`: a call's webhook was dropped (stale, duplicate, foreign), so that no call of ours stands behind its `waCallId`.
 * - `dial`: connect (WhatsApp: `opaque`) or INVITE (SIP: `sipCallId`) is about to go out.
 * - `connected`: Meta's id of a business-initiated call is known (`waCallId`).
 * - `accept`: accept is about to go out (`waCallId`).
 * - `dialog`, `dialog_ended`, `bye_unconfirmed`: a SIP dialog stands (its record), is over, or its BYE had no answer.
 * - `permission_handled`: the permission reply of `data.messageId` has been acted on.
 */
export type JournalEvent =
  | 'webhook'
  | 'webhook_settled'
  | 'dial'
  | 'connected'
  | 'accept'
  | 'dialog'
  | 'dialog_ended'
  | 'bye_unconfirmed'
  | 'permission_handled'
  | 'ended';

/** One line of the call journal: what must be known after a crash to end both sides of an orphan. */
export interface JournalEntry {
  readonly call: CallId;
  readonly event: JournalEvent;
  /** Dialog ids, Call-ID, tags, CSeq, route set, WhatsApp call id: strings only. */
  readonly data: Readonly<Record<string, string>>;
}

/** Append-only journal. A step that must survive a crash is appended before it is taken. */
export interface Journal {
  /** Resolves when the entry is safe. Rejects when it cannot be stored; the step must then not be taken. */
  append(entry: JournalEntry): Promise<void>;
}

/** Remembers webhook events for 8 days, over restarts, so that a replay is known for what it is. Keys are short texts. */
export interface SeenKeys {
  has(key: string): boolean;
  /** Remembers; never throws. */
  add(key: string): void;
}
