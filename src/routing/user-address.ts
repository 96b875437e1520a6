import type { E164 } from '../lib/ids.js';
import { toE164 } from './e164.js';

declare const userIdBrand: unique symbol;
/** A business-scoped user id of Meta's (`US.13491208655302741918`, or a parent's): stands for a user who hides the number. */
export type WaUserId = string & { readonly [userIdBrand]: true };

/** Who is called: a number, or a user known by a business-scoped id only. */
export type UserAddress = { readonly number: E164 } | { readonly userId: WaUserId };

/** Country code, a dot, and letters, digits and dots (Meta's page on business-scoped user ids). */
const USER_ID = /^[A-Z]{2}\.[A-Za-z0-9]+(?:\.[A-Za-z0-9]+)*$/;
const USER_ID_CAP = 128;

/** Whether a text is a business-scoped user id. */
export function isWaUserId(text: string): text is WaUserId {
  return text.length <= USER_ID_CAP && USER_ID.test(text);
}

/** Reads what a PBX dialled: a number in international form or a business-scoped user id; undefined for anything else. */
export function toUserAddress(dialled: string): UserAddress | undefined {
  if (isWaUserId(dialled)) return { userId: dialled };
  const number = toE164(dialled);
  return number && { number };
}

/** The address as one text: the number with plus, or the id. */
export function userText(user: UserAddress): string {
  return 'number' in user ? user.number : user.userId;
}
