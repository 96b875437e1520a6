import { endReason, type EndCode, type EndReason } from '../call/end-reason.js';
import { BridgeError } from '../lib/bridge-error.js';

/** A session description that cannot be used, and how the leg ends because of it. */
export class SdpError extends BridgeError {
  constructor(
    readonly endCode: EndCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super('SIP2WA_SDP', message, options);
  }

  toEndReason(): EndReason {
    return endReason(this.endCode, { text: this.message });
  }
}
