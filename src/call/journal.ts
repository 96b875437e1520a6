import type { CallId } from '../lib/ids.js';

/**
 * What is about to happen to a call, or has come in. `ended` closes the call: nothing of it is left to be ended after a crash.
 *
 * - `webhook`: an event of Meta's, before its 200 (`data.kind`, `waCallId`, `numberId`, ...); `call` is the delivery's id.
 * - `webhook_settled`: a user's connect was dropped (stale, duplicate, foreign): no call of ours stands behind its `waCallId`.
 * - `began`: the switchboard has a call (`direction`, `startMs`, alias of its `number`, `trunk`; `waCallId` of a user's call).
 * - `invited`: an INVITE came that waits for our answer (`sipCallId`, the SIP server's name `txn` for it).
 * - `dial`: connect (WhatsApp: `opaque`) or INVITE (SIP: `sipCallId`) is about to go out; again once the INVITE has a `txn`.
 * - `connected`: Meta's id of a business-initiated call is known (`waCallId`).
 * - `accept`: accept is about to go out (`waCallId`).
 * - `dialog`, `dialog_ended`, `bye_unconfirmed`: a SIP dialog stands (its record), is over, or its BYE had no answer.
 * - `permission_handled`: the permission reply of `data.key` has been acted on.
 * - `recorded`: the call record of an orphan is written; what is left of it is only to be ended.
 */
export type JournalEvent =
  | 'webhook'
  | 'webhook_settled'
  | 'began'
  | 'invited'
  | 'dial'
  | 'connected'
  | 'accept'
  | 'dialog'
  | 'dialog_ended'
  | 'bye_unconfirmed'
  | 'permission_handled'
  | 'recorded'
  | 'ended';

/** Facts of an entry: ids, tags, stamps. No SDP, no names. */
export type JournalData = Readonly<Record<string, string>>;

/** One line of the call journal: what must be known after a crash to end both sides of an orphan. */
export interface JournalEntry {
  readonly call: CallId;
  readonly event: JournalEvent;
  /** Dialog ids, Call-ID, tags, CSeq, route set, WhatsApp call id: strings only. */
  readonly data: JournalData;
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

/** A SIP dialog, or an INVITE that was about to go out, that a crash left without an owner. */
export interface OrphanDialog {
  readonly call: CallId;
  readonly sipCallId: string;
  /** The far end had answered: `data` is its dialog record. Else `data` is the `dial` or `invited` entry. */
  readonly stands: boolean;
  /** Data of the `dial` or `invited` entry, if there is one, overlaid by that of the last `dialog` entry. */
  readonly data: JournalData;
}

/**
 * Ends what a crash left up on the SIP side, all at once. Resolves when each is over or given up; whoever ends one appends
 * its `dialog_ended` or `bye_unconfirmed`. Never rejects.
 */
export type EndOrphanDialogs = (orphans: readonly OrphanDialog[]) => Promise<void>;
