import type { CallId } from '../lib/ids.js';

/** One line of the call journal: what must be known after a crash to end both sides of an orphan. */
export interface JournalEntry {
  readonly call: CallId;
  /** What is about to happen (`dial`, `accept`, `hangup`) or has come in (`webhook`). */
  readonly event: string;
  /** Dialog ids, Call-ID, tags, CSeq, route set, WhatsApp call id: strings only. */
  readonly data: Readonly<Record<string, string>>;
}

/** Append-only journal. A step that must survive a crash is appended before it is taken. */
export interface Journal {
  /** Resolves when the entry is safe. Rejects when it cannot be stored; the step must then not be taken. */
  append(entry: JournalEntry): Promise<void>;
}
