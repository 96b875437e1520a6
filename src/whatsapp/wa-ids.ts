import type { CallId, E164, WaCallId } from '../lib/ids.js';
import { toE164 } from '../routing/e164.js';

const WA_ID = /^[A-Za-z0-9+/=._:-]{1,256}$/;

/** Whether a text may be an id of Meta's: opaque, but of harmless characters and bounded length. */
export function isWaId(text: string): text is WaCallId {
  return WA_ID.test(text);
}

/** A WhatsApp user's number as webhooks give it (digits without "+"); undefined for a business-scoped user id. */
export function userNumber(text: string | undefined): E164 | undefined {
  return text !== undefined && /^\+?\d+$/.test(text) ? toE164(text) : undefined;
}

/** Longest `biz_opaque_callback_data` Meta takes, in characters. */
export const OPAQUE_CAP = 512;

const OPAQUE_KEY = /^s2w:([0-9A-HJKMNP-TV-Z]{26})(?:;|$)/;

/**
 * What a call carries as `biz_opaque_callback_data`: our key, so that its webhooks find it without Meta's id, then whatever the
 * operator wants to see again, cut so that both together are of a length that Meta takes. Our key comes first and has a fixed
 * length, so that nothing behind it can pass for another call's.
 */
export function opaqueOf(call: CallId, own = ''): string {
  const key = `s2w:${call}`;
  return own === '' ? key : `${key};${cutText(own, OPAQUE_CAP - key.length - 1)}`;
}

/** At most `cap` UTF-16 units, no character cut in two: whichever way Meta counts, it is not longer. */
function cutText(text: string, cap: number): string {
  if (text.length <= cap) return text;
  const isPairCut = /[\ud800-\udbff]/.test(text.charAt(cap - 1));
  return text.slice(0, isPairCut ? cap - 1 : cap);
}

/** Our call id in a `biz_opaque_callback_data`, if it is one of ours. */
export function callOfOpaque(opaque: string | undefined): CallId | undefined {
  return OPAQUE_KEY.exec(opaque ?? '')?.[1] as CallId | undefined;
}
