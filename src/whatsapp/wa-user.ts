import { userNumber } from './wa-ids.js';
import type { WaDirection, WaUser } from './webhook-events.js';
import type { Contact } from './webhook-schema.js';

/** One of a call's two ends as a webhook names it. */
export interface Party {
  /** A number without "+", or a business-scoped user id (some events carry it here). */
  readonly id: string | undefined;
  readonly userId: string | undefined;
  readonly parentUserId: string | undefined;
}

const digitsOf = (text: string | undefined): string => (text ?? '').replace(/\D/g, '');
/** Digits of a number; nothing of a business-scoped id, whose digits mean another thing. */
const numberOf = (id: string | undefined): string => (/[^\d+]/.test(id ?? '') ? '' : digitsOf(id));

/**
 * The user of a call: the end that is not the business by direction. Meta's samples have it both ways round, so an end that
 * shows the business's own display number is not believed to be the user, nor one that the contacts do not know while they
 * know the other.
 */
export function userOfCall(
  ends: { readonly from: Party; readonly to: Party },
  direction: WaDirection,
  displayNumber: string | undefined,
  contacts: readonly Contact[],
): WaUser {
  const business = digitsOf(displayNumber);
  const isBusiness = ({ id }: Party): boolean => business !== '' && numberOf(id) === business;
  const isContact = (party: Party): boolean => contacts.some((contact) => matches(contact, idsOf(party)));
  const [expected, other] = direction === 'user_initiated' ? [ends.from, ends.to] : [ends.to, ends.from];
  const isOtherNamed = isContact(other) && !isContact(expected);
  const swapped = !isBusiness(other) && (isBusiness(expected) || isOtherNamed);
  return userOfParty(swapped ? other : expected, displayNumber, contacts);
}

/** Completes what is known of a user from the contacts of the same webhook. */
export function userOfParty(party: Party, displayNumber: string | undefined, contacts: readonly Contact[]): WaUser {
  const business = digitsOf(displayNumber);
  const isBusiness = business !== '' && numberOf(party.id) === business;
  const known = idsOf(isBusiness ? { ...party, id: undefined } : party);
  const contact = contacts.find((one) => matches(one, known)) ?? onlyOne(contacts, business, known);
  return complete(known, contact);
}

/** What an end says of itself: a number, or ids, one of which may stand where a number was expected. */
const idsOf = ({ id, userId, parentUserId }: Party): KnownIds => {
  const number = userNumber(id);
  return { number, userId: userId ?? (number === undefined ? businessScopedId(id) : undefined), parentUserId };
};

type KnownIds = Pick<WaUser, 'number' | 'userId' | 'parentUserId'>;

const complete = (known: KnownIds, contact: Contact | undefined): WaUser => {
  const { wa_id: id, user_id: userId, parent_user_id: parentUserId, profile } = contact ?? {};
  const said = idsOf({ id, userId, parentUserId });
  return {
    number: known.number ?? said.number,
    userId: known.userId ?? said.userId,
    parentUserId: known.parentUserId ?? said.parentUserId,
    name: profile?.name,
    username: profile?.username,
  };
};

/** An id that is not all digits, where a number was expected. */
const businessScopedId = (id: string | undefined): string | undefined =>
  id !== undefined && /[^\d+]/.test(id) ? id : undefined;

const matches = (contact: Contact, { number, userId, parentUserId }: KnownIds): boolean =>
  (number !== undefined && userNumber(contact.wa_id) === number) ||
  (userId !== undefined && (contact.user_id === userId || contact.wa_id === userId)) ||
  (parentUserId !== undefined && contact.parent_user_id === parentUserId);

/** A single contact speaks for a user of whom nothing that contradicts it is known. */
function onlyOne(contacts: readonly Contact[], business: string, { number, userId }: KnownIds): Contact | undefined {
  const [contact] = contacts;
  if (!contact || contacts.length > 1) return undefined;
  if (business !== '' && numberOf(contact.wa_id) === business) return undefined;
  const contradictsNumber = number !== undefined && contact.wa_id !== undefined;
  const contradictsId = userId !== undefined && contact.user_id !== undefined;
  return contradictsNumber || contradictsId ? undefined : contact;
}
