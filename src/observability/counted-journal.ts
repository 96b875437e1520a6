import type { Journal } from '../call/journal.js';

/** The same journal, with entries that could not be stored counted. */
export function countedJournal(journal: Journal, onFailure: () => void): Journal {
  return {
    append: async (entry) => {
      try {
        await journal.append(entry);
      } catch (error) {
        onFailure();
        throw error;
      }
    },
  };
}
