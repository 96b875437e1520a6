import type { SipServer } from '../routing/types.js';
import type { SrfApi, SrfResponse } from './drachtio-types.js';
import { serverUri } from './sip-uri.js';

/** What came of asking: the server answered, our own SIP server did in its place, or the question never left. */
export type AskOutcome = 'answered' | 'unreachable' | 'unsent';

/** Asks a server by OPTIONS whether it lives (RFC 3261 §11). `onOutcome` may be called late, more than once or never. */
export function askServer(
  srf: SrfApi,
  server: SipServer,
  /** Where the server's name leads, if it has one. */
  nextHop: string | undefined,
  onOutcome: (outcome: AskOutcome, response?: SrfResponse) => void,
): void {
  try {
    srf.request(serverUri(server), { method: 'OPTIONS', ...(nextHop ? { proxy: nextHop } : {}) }, (_err, request) => {
      if (!request) return onOutcome('unsent');
      // Any status is a sign of life; one without a source address was made by our own SIP server.
      request.on('response', (response) => {
        onOutcome(response.source_address === '' ? 'unreachable' : 'answered', response);
      });
    });
  } catch {
    // The link to the SIP server is gone; that is told elsewhere.
    onOutcome('unsent');
  }
}
