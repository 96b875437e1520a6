import type { Logger } from '../lib/logger.js';
import { accountUser } from './account.js';
import type { SrfHeaders } from './drachtio-types.js';
import { fitted, inviteHeaders, type InviteFacts } from './invite-headers.js';
import type { NextHop } from './next-hop.js';
import { contactOnFlow } from './registration/outbound-flow.js';
import { escapeSipUser } from './sip-uri.js';

export interface InviteParts {
  readonly facts: InviteFacts;
  readonly uri: string;
  readonly offer: string;
  readonly nextHop: NextHop | undefined;
  /** Our registration goes by the connection alone: the call is to stay on it. */
  readonly isFlow: boolean;
  /** Further headers. */
  readonly headers: SrfHeaders | undefined;
}

/**
 * The headers of an INVITE to a PBX, facts left out as far as it would be too large for a drachtio-server otherwise.
 * @throws RangeError where it is too large without any
 */
export function composeInvite({ facts, uri, offer, headers, ...way }: InviteParts, logger: Logger): SrfHeaders {
  const all = { ...inviteHeaders(facts), ...flowContact(facts, way), ...headers };
  const fit = fitted(uri, all, offer);
  if (!fit) throw new RangeError('INVITE is larger than a drachtio-server takes');
  const { leftOut } = fit;
  if (leftOut.length > 0) logger.warn('facts left out of an INVITE that would be too large', { leftOut });
  return fit.headers;
}

/** RFC 5626 §4.3. */
function flowContact(
  { target }: InviteFacts,
  { nextHop, isFlow }: Pick<InviteParts, 'nextHop' | 'isFlow'>,
): SrfHeaders {
  const { auth } = target.trunk;
  if (!isFlow || !nextHop || !auth) return {};
  return { Contact: contactOnFlow(escapeSipUser(accountUser(auth)), nextHop.transport) };
}
