import { BridgeError } from '../lib/bridge-error.js';
import { endReason, type EndCode, type EndReason } from '../call/end-reason.js';

/** When ports are used up: as long as a pair rests after a call. */
const limitRetryAfterS = 5;

/** An SDP or a media set-up that cannot be used. */
export class MediaError extends BridgeError {
  constructor(
    /** How the leg ends because of it. */
    readonly endCode: EndCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super('SIP2WA_MEDIA', message, options);
  }

  toEndReason(): EndReason {
    const text = this.message;
    return endReason(this.endCode, this.endCode === 'limit' ? { text, retryAfterS: limitRetryAfterS } : { text });
  }
}
