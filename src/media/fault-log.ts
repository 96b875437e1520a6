import type { Logger } from '../lib/logger.js';

/** Different faults of one leg that are logged; what comes 50 times a second must not fill the disk. */
const maxFaults = 20;

/** Logs faults of something that goes on regardless: each message once, twenty different ones at most. */
export function faultLog(logger: Logger, what: string): (error: unknown) => void {
  const known = new Set<string>();
  return (err) => {
    const message = err instanceof Error ? err.message : String(err);
    if (known.has(message) || known.size >= maxFaults) return;
    known.add(message);
    logger.error(what, { err });
  };
}
