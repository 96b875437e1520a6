import { maskNumber } from '../routing/e164.js';
import type { SrfMessage } from './drachtio-types.js';
import { addressesOf, splitHeader, type AddressValue } from './header-list.js';
import { userOfUri } from './sip-uri.js';

/** Who a call from a PBX says it is from, and over whom it was forwarded. */
export interface CallerIdentity {
  /** Users that the PBX vouches for, the most trustworthy first. Empty where the trunk's word is not taken. */
  readonly assertedUsers: readonly string[];
  /** User of From; undefined when it is anonymous or cannot be read. */
  readonly fromUser: string | undefined;
  /** Whom the call was forwarded by, the first one first. Empty where the trunk's word is not taken. */
  readonly divertedBy: readonly string[];
  /** The caller wants to be told to nobody (RFC 3323, RFC 3325 §9.3). */
  readonly isPrivate: boolean;
}

/** Identities of one call that are looked at: P-Asserted-Identity has two at most (RFC 3325 §9.1). */
const identityLimit = 4;
/** Forwards of one call that are looked at. */
const forwardLimit = 8;

/**
 * Reads From, and with `isTrusted` also what an INVITE inside a trust domain (RFC 3324) tells: P-Asserted-Identity,
 * Remote-Party-ID and P-Preferred-Identity, Diversion (RFC 5806) or else History-Info (RFC 7044). A wish for privacy is heard
 * from everybody. Never throws.
 */
export function callerIdentity(invite: Pick<SrfMessage, 'get'>, isTrusted: boolean): CallerIdentity {
  const [from] = addressesOf(invite.get('From'));
  const asserted = isTrusted ? assertedIn(invite) : [];
  const isHidden = asserted.some(({ params }) => /^(?:full|uri)$/i.test(params.get('privacy') ?? ''));
  return {
    assertedUsers: usersOf(asserted).slice(0, identityLimit),
    fromUser: usersOf(from ? [from] : [])[0],
    divertedBy: isTrusted ? usersOf(forwardsIn(invite)) : [],
    isPrivate: isHidden || (from !== undefined && isAnonymous(from)) || wantsPrivacy(invite.get('Privacy')),
  };
}

/** What records and logs say of the caller: last digits only, and nothing of one who wants to be told to nobody. */
export function callerFacts(identity: CallerIdentity): { caller?: string; divertedBy?: string } {
  const caller = identity.isPrivate ? 'anonymous' : (identity.assertedUsers[0] ?? identity.fromUser);
  const [first] = identity.divertedBy;
  return {
    ...(caller !== undefined && { caller: identity.isPrivate ? caller : maskedUser(caller) }),
    ...(first !== undefined && { divertedBy: maskedUser(first) }),
  };
}

/** An extension or a name of a few letters is nobody's telephone number. */
const maskedUser = (user: string): string => (/\d{7}/.test(user.replace(/[\s().-]/g, '')) ? maskNumber(user) : user);

/** By party: a Remote-Party-ID of the called side says nothing of the caller. */
function assertedIn(invite: Pick<SrfMessage, 'get'>): AddressValue[] {
  const remoteParty = addressesOf(invite.get('Remote-Party-ID')).filter(({ params }) =>
    /^(?:calling)?$/i.test(params.get('party') ?? ''),
  );
  return [
    ...addressesOf(invite.get('P-Asserted-Identity')),
    ...remoteParty,
    ...addressesOf(invite.get('P-Preferred-Identity')),
  ];
}

/** Diversion has the last forward first (RFC 5806 §3); of History-Info the last entry is where the call goes now. */
function forwardsIn(invite: Pick<SrfMessage, 'get'>): AddressValue[] {
  const diversion = addressesOf(invite.get('Diversion')).slice(0, forwardLimit);
  if (diversion.length > 0) return diversion.reverse();
  return addressesOf(invite.get('History-Info')).slice(0, -1).slice(0, forwardLimit);
}

/** Users of addresses, each once, without anonymous ones. Headers inside a URI (`?Reason=…`) are no part of a user. */
function usersOf(addresses: readonly AddressValue[]): string[] {
  const users = addresses.flatMap((address) => (isAnonymous(address) ? [] : [userOfUri(address.uri)]));
  return [...new Set(users.filter((user) => user !== undefined))];
}

/** As RFC 3323 §4.1.1.3 has it, and as PBXs write it. */
function isAnonymous({ uri }: AddressValue): boolean {
  const user = userOfUri(uri) ?? '';
  return /@[^@]*\.invalid(?:[:;>?]|$)/i.test(uri) || /^(?:anonymous|unavailable|restricted|unknown)$/i.test(user);
}

/** `critical` needs nothing more: WhatsApp users are shown the business number, never the caller. */
function wantsPrivacy(header: string | undefined): boolean {
  const wishes = splitHeader(header ?? '', ';').flatMap((part) => splitHeader(part, ','));
  return wishes.some((wish) => /^\s*(?:id|user|header)\s*$/i.test(wish));
}
