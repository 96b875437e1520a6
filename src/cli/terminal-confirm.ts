import { createInterface } from 'node:readline/promises';
import type { Confirm } from './settings.js';

/** Asks on the process's terminal; undefined where nobody could answer. */
export function terminalConfirm(): Confirm {
  const { stdin, stderr } = process;
  if (!stdin.isTTY || !stderr.isTTY) return undefined;
  return async (question) => {
    const lines = createInterface({ input: stdin, output: stderr });
    try {
      return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `)).trim());
    } finally {
      lines.close();
    }
  };
}
