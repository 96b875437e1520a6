import { endReason, type EndReason } from '../call/end-reason.js';
import { BridgeError } from '../lib/bridge-error.js';
import { DeadlineError } from '../lib/deadline.js';
import { MediaError } from '../media/media-error.js';
import { reasonFromGraphError } from './graph-cause.js';
import { GraphError } from './graph-error.js';

/** What must survive a crash could not be stored, so the step was not taken. */
export class JournalError extends BridgeError {
  constructor(cause: unknown) {
    super('SIP2WA_JOURNAL', 'call journal does not take entries', { cause });
  }
}

/** How a leg ends because of what an adapter threw. */
export function reasonOf(error: unknown): EndReason {
  if (error instanceof GraphError) return reasonFromGraphError(error);
  if (error instanceof MediaError) return error.toEndReason();
  if (error instanceof JournalError) return endReason('internal', { sipStatus: 503, retryAfterS: 5 });
  if (error instanceof DeadlineError) return endReason('media_failed', { text: error.message });
  return endReason('internal', error instanceof BridgeError ? { text: error.message } : {});
}
