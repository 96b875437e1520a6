import type { Logger } from '../lib/logger.js';
import type { SrfMessage } from './drachtio-types.js';
import { plainSipText } from './sip-text.js';

/** By which a PBX hands over a string that Meta is to carry along and give back (`biz_opaque_callback_data`). */
const opaqueHeader = 'X-WA-Opaque';

/** Longest string that is taken, in characters: four times what Meta carries. What is longer is cut, and that is said. */
export const opaqueLimit = 2_048;

/** The PBX's opaque string in a request or response, cleaned of control characters; undefined if absent or empty. */
export function opaqueOf(message: SrfMessage, logger: Logger): string | undefined {
  const raw = message.get(opaqueHeader) ?? '';
  const text = plainSipText(raw, opaqueLimit);
  if (Array.from(raw).length > opaqueLimit) {
    logger.warn('X-WA-Opaque is longer than is taken and was cut', { characters: raw.length, limit: opaqueLimit });
  }
  return text === '' ? undefined : text;
}
