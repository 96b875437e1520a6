import type { InviteOutcome } from './outbound-invite.js';
import type { ServerNews } from './server-watch.js';

/** What the outcome of an INVITE tells of the server that it went to; undefined: nothing. */
export function newsOfInvite(outcome: InviteOutcome): ServerNews | undefined {
  if ('isElsewhere' in outcome && outcome.isElsewhere) return undefined;
  switch (outcome.type) {
    case 'redirected':
      return 'hit';
    case 'provisional':
      return outcome.from === '' ? undefined : 'hit';
    case 'accepted':
      return 'accepted';
    case 'silent':
      return 'miss';
    case 'refused':
      return newsOfRefusal(outcome);
    default:
      return undefined;
  }
}

function newsOfRefusal({ status, from, reason }: Extract<InviteOutcome, { type: 'refused' }>): ServerNews | undefined {
  // It never left us: that is no fault of the server's.
  if (status === undefined) return undefined;
  // Our own SIP server said so: there was no way to send, or nobody answered.
  if (from === '') return 'miss';
  return status === 503 && reason.retryAfterS !== undefined ? { retryAfterS: reason.retryAfterS } : 'hit';
}
