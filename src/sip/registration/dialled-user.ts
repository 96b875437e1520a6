import type { Trunk } from '../../routing/types.js';
import { accountUser } from '../account.js';
import type { SrfRequest } from '../drachtio-types.js';
import { plainSipText } from '../sip-text.js';
import { userOfUri } from '../sip-uri.js';

/** The account that an INVITE came to, where its Request-URI is the Contact that we registered. */
export function registeredTrunk(trunks: readonly Trunk[], request: Pick<SrfRequest, 'uri'>): Trunk | undefined {
  const user = userOfUri(request.uri);
  return user === undefined ? undefined : trunks.find((trunk) => isAccount(trunk, user));
}

/**
 * Whom a call is for: the user of the Request-URI. Where that is our own account, since a registrar puts our Contact there
 * (RFC 3261 §16.6), the number that was dialled stands in P-Called-Party-ID (RFC 7315 §4.2) or in To.
 */
export function dialledUser(trunk: Trunk, request: Pick<SrfRequest, 'uri' | 'get'>): string {
  const user = userOfUri(request.uri) ?? '';
  if (!isAccount(trunk, user)) return user;
  const named = [request.get('P-Called-Party-ID'), request.get('To')].map(userOfHeader);
  return named.find((other) => other !== undefined && !isAccount(trunk, other)) ?? user;
}

const isAccount = ({ register, auth }: Trunk, user: string): boolean =>
  register && auth !== undefined && plainSipText(accountUser(auth), 128) === user;

/** The user of a header of the name-addr form; undefined if it holds none. */
function userOfHeader(value: string | undefined): string | undefined {
  // A display name may hold brackets of its own, between its quotes.
  const bare = (value ?? '').replace(/"(?:[^"\\]|\\.)*"/g, '');
  return userOfUri(/<([^<>]*)>/.exec(bare)?.[1] ?? bare);
}
