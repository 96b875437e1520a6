import type { Journal, JournalEntry } from '../call/journal.js';

/** Keeps the last entries in memory: nothing survives a crash. The file form takes its place behind the same port. */
export class MemoryJournal implements Journal {
  readonly #entries: JournalEntry[] = [];

  constructor(private readonly capacity = 10_000) {}

  append(entry: JournalEntry): Promise<void> {
    this.#entries.push(entry);
    if (this.#entries.length > this.capacity) this.#entries.shift();
    return Promise.resolve();
  }

  entries(): readonly JournalEntry[] {
    return this.#entries;
  }
}
