import type { Clock } from './clock.js';
import { systemClock } from './clock.js';

/** An await on the outside took longer than it may. */
export class DeadlineError extends Error {
  readonly code = 'SIP2WA_DEADLINE';
  constructor(
    readonly what: string,
    readonly deadlineMs: number,
  ) {
    super(`${what} took longer than ${deadlineMs} ms`);
    this.name = 'DeadlineError';
  }
}

/**
 * Waits for `promise` no longer than `deadlineMs`. The promise itself is not cancelled; its late outcome is ignored.
 * @throws DeadlineError when time runs out first.
 */
export function withDeadline<T>(
  promise: Promise<T>,
  deadlineMs: number,
  what: string,
  clock: Clock = systemClock,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = clock.after(deadlineMs, () => reject(new DeadlineError(what, deadlineMs)));
    promise.then(
      (value) => {
        timer.cancel();
        resolve(value);
      },
      (error: unknown) => {
        timer.cancel();
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}
