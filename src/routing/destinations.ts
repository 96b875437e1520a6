import { userText, type UserAddress } from './user-address.js';

/**
 * Whether a trunk may call this user: `+49*` stands for every number that begins so, `US.*` for every user id of a country, `*`
 * for all; anything else must be the number or id itself. Without a list everybody may be called, by an empty one nobody.
 */
export function isDestination(user: UserAddress, destinations: readonly string[] | undefined): boolean {
  const text = userText(user);
  return destinations?.some((pattern) => matches(pattern, text)) ?? true;
}

function matches(pattern: string, text: string): boolean {
  return pattern.endsWith('*') ? text.startsWith(pattern.slice(0, -1)) : text === pattern;
}
