import type { Logger } from '../lib/logger.js';
import { accountUser } from './account.js';
import type { SrfHeaders } from './drachtio-types.js';
import { largestPart } from './frame-room.js';
import { credentialsBytes, fitted, inviteHeaders, type InviteFacts, type InviteText } from './invite-headers.js';
import { isDirect, type NextHop } from './next-hop.js';
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
  const { target } = facts;
  const nextHop = isDirect(target) ? undefined : way.nextHop?.uri;
  return fitInvite({ uri, nextHop, headers: all, body: offer }, logger, target.trunk.auth ? credentialsBytes : 0);
}

/**
 * The headers of an INVITE, without the facts for which a frame has no room; some bytes may be kept free.
 * @throws RangeError where it is too large without any
 */
export function fitInvite(invite: InviteText, logger: Logger, reservedBytes = 0): SrfHeaders {
  const fit = fitted(invite, reservedBytes);
  if (!fit) throw new RangeError(`INVITE is larger than a drachtio-server takes: ${largestOf(invite)}`);
  const { leftOut } = fit;
  if (leftOut.length > 0) logger.warn('facts left out of an INVITE that would be too large', { leftOut });
  return fit.headers;
}

function largestOf({ uri, nextHop = '', headers, body }: InviteText): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const { part, bytes } = largestPart([nextHop, uri, ...lines].join('\r\n') + `\r\n\r\n${body}`);
  return `${bytes} bytes are ${part}`;
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
