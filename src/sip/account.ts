import type { SipServer, Trunk, TrunkAuth } from '../routing/types.js';

/** `user@domain` in a user name, the domain a host name or an address. */
const withDomain = /^(.+)@([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])$/;

/** The user of our address at a trunk: the digest's user name, without a domain that it holds. */
export function accountUser({ username }: TrunkAuth): string {
  return withDomain.exec(username)?.[1] ?? username;
}

/** Our address at a trunk, as it registers and, with `from: account`, calls: at the user name's domain, or the server's. */
export function accountAt(
  { auth }: Pick<Trunk, 'auth'>,
  { hostname }: Pick<SipServer, 'hostname'>,
): { readonly user: string; readonly host: string } | undefined {
  if (!auth) return undefined;
  const domain = withDomain.exec(auth.username)?.[2];
  return { user: accountUser(auth), host: domain?.replace(/^\[|\]$/g, '') ?? hostname };
}
