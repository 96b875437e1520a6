import { join } from 'node:path';
import type { Journal, SeenKeys } from '../call/journal.js';
import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import { FileJournal } from './file-journal.js';
import { KeptItems } from './kept-items.js';
import { MemoryJournal } from './memory-journal.js';
import type { RecoverableJournal } from './recovery.js';
import { SeenFile } from './seen-file.js';

/** What outlives the process: the journal, the webhooks that were seen, and the items that nobody understood. */
export interface Store {
  readonly journal: Journal;
  /** The journal of an earlier run; undefined when nothing is kept on disk. */
  readonly recoverable?: RecoverableJournal;
  readonly seen?: SeenKeys;
  readonly unknownWebhooks?: KeptItems;
  /** Writes what waits and lets the directory go. */
  close(): Promise<void>;
}

export interface StoreOptions {
  /** Directory; empty: everything is in memory and forgotten. */
  readonly dir: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** @throws BridgeError (`SIP2WA_JOURNAL_IN_USE`, `SIP2WA_JOURNAL_DIR`) when the directory cannot be had */
export async function openStore({ dir, clock, logger }: StoreOptions): Promise<Store> {
  if (dir === '') return { journal: new MemoryJournal(), close: () => Promise.resolve() };
  const journal = await FileJournal.open({ dir, clock, logger });
  const seen = await SeenFile.load({ dir, clock, logger });
  const unknownWebhooks = new KeptItems({ path: join(dir, 'unknown-webhooks.jsonl'), logger });
  const close = async (): Promise<void> => {
    await Promise.all([seen.close(), unknownWebhooks.close()]);
    await journal.close();
  };
  return { journal, recoverable: journal, seen, unknownWebhooks, close };
}
