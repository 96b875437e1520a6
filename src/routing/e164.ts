import type { E164 } from '../lib/ids.js';

/** Digits of an E.164 number: 7 (shortest in use) to 15 (ITU-T E.164 §6). */
const E164_DIGITS = /^[1-9]\d{6,14}$/;

/**
 * Reads a number in international form: `+49…`, `0049…` or bare digits with the country code, visual separators
 * (RFC 3966 §5.1.1) allowed. Returns undefined for anything else; it never guesses a country.
 */
export function toE164(text: string): E164 | undefined {
  const compact = text.trim().replace(/[\s().-]/g, '');
  const digits = compact.startsWith('+') ? compact.slice(1) : compact.replace(/^00/, '');
  return E164_DIGITS.test(digits) ? (`+${digits}` as E164) : undefined;
}

/** Last digits only, for logs. */
export function maskNumber(number: string): string {
  return number.length <= 4 ? number : `${'*'.repeat(3)}${number.slice(-4)}`;
}
