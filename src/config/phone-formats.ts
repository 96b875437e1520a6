import type { E164 } from '../lib/ids.js';
import { toE164 as normalise } from '../routing/e164.js';
import type { Format } from './formats.js';

/** Where the id is found. */
export const REAL_ID =
  'its phone_number_id stands in the App Dashboard under WhatsApp > API Setup, and in WhatsApp Manager';

/** Meta's phone_number_id: digits that are no telephone number. */
export const numberId: Format = {
  json: { type: 'string', pattern: '^\\d{5,20}$' },
  complaint: (value) => {
    const text = typeof value === 'string' ? value : '';
    if (/^\d{5,20}$/.test(text)) return undefined;
    if (/^\+[\d\s().-]+$/.test(text)) {
      return {
        message: 'looks like a phone number, not like an id',
        cure: `write the number under "number"; ${REAL_ID}`,
      };
    }
    return { message: "must be Meta's phone_number_id, digits only", cure: REAL_ID };
  },
};

/** A telephone number in E.164 form; spaces, dots, dashes and parentheses are let through. */
export const phoneNumber: Format = {
  json: { type: 'string', pattern: '^\\+[\\d\\s().-]+$' },
  complaint: (value) => {
    if (typeof value === 'string' && toE164(value) !== undefined) return undefined;
    return {
      message: 'must be a phone number in international form',
      cure: 'write it in quotes with + and country code, for example "+15551112222"',
    };
  },
};

/** The number with a leading plus and digits only, or nothing. Without a plus it might be a national number: none. */
export function toE164(text: string): E164 | undefined {
  return text.trim().startsWith('+') ? normalise(text) : undefined;
}

/** Caller pattern of a route. */
export const routeFrom: Format = {
  json: { type: 'string', pattern: '^(\\+?\\d{1,15}\\*?|\\*)$' },
  complaint: (value) =>
    typeof value === 'string' && /^(\+?[1-9]\d{0,14}\*?|\*)$/.test(value)
      ? undefined
      : {
          message: 'must be a caller in international form',
          cure: 'write it in quotes with + and country code; a * at the end stands for the rest, for example "+49*"',
        },
};

/** Whom a trunk may call: a number or a business-scoped user id, with a `*` at the end how either begins; or `*`. */
export const destination: Format = {
  json: { type: 'string', pattern: '^(\\+[1-9]\\d{0,14}\\*?|[A-Z]{2}\\.[A-Za-z0-9.]*\\*?|\\*)$' },
  complaint: (value) =>
    typeof value === 'string' && /^(\+[1-9]\d{0,14}\*?|[A-Z]{2}\.[A-Za-z0-9.]*\*?|\*)$/.test(value)
      ? undefined
      : {
          message: 'must be a number in international form',
          cure: 'write it in quotes with + and country code; a * at the end stands for the rest, for example "+49*"',
        },
};

/** User part of a SIP URI (RFC 3261 §25.1), without escapes. */
export const sipUser: Format = {
  json: { type: 'string', pattern: "^[A-Za-z0-9+*_.!~'()&=$,/-]{1,64}$" },
  complaint: (value) =>
    typeof value === 'string' && /^[A-Za-z0-9+*_.!~'()&=$,/-]{1,64}$/.test(value)
      ? undefined
      : { message: 'must be the user part of a SIP address', cure: 'write for example "600" or "+15551112222"' },
};

/** Meta's limit for keys and values of `request_uri_user_params`. */
const MAX_PARAMETER = 128;

/** `request_uri_user_params`: names and values as they may stand in a user part. */
export const uriParameters: Format = {
  json: { type: 'object', additionalProperties: { type: 'string', maxLength: MAX_PARAMETER } },
  complaint: (value) => {
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
    const words = isMap ? Object.entries(value).flat() : [undefined];
    if (words.every(isParameterWord)) return undefined;
    return {
      message: 'must be a block of KEY: VALUE, each text without blanks and ; = @',
      cure: `write for example { tgrp: whatsapp }, at most ${MAX_PARAMETER} characters each`,
    };
  },
};

function isParameterWord(word: unknown): boolean {
  return typeof word === 'string' && word.length <= MAX_PARAMETER && /^[A-Za-z0-9\-_.!~*'()[\]/:&+$%]+$/.test(word);
}
