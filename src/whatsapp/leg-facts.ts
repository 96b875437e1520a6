import type { LegFacts } from '../call/leg.js';
import { opaqueOf } from './wa-ids.js';
import type { CallId } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import type { CallTerminate } from './webhook-events.js';

const iso = (atMs: number): string => new Date(atMs).toISOString();

/** What Meta's terminate says of a call, for its record: outcome, its own times (picked-up calls only), payloads. */
export function factsOfTerminate(event: CallTerminate): LegFacts {
  const { outcome, startMs, endMs, durationS } = event;
  return {
    ...(outcome && { metaStatus: outcome }),
    ...(startMs !== undefined && { metaStart: iso(startMs) }),
    ...(endMs !== undefined && { metaEnd: iso(endMs) }),
    ...(durationS !== undefined && { metaDurationS: String(durationS) }),
    ...payloadFacts(event),
  };
}

/** Payloads of the button or link that the user came by. */
export function payloadFacts({
  ctaPayload,
  deeplinkPayload,
}: {
  readonly ctaPayload?: string | undefined;
  readonly deeplinkPayload?: string | undefined;
}): LegFacts {
  return {
    ...(ctaPayload !== undefined && { ctaPayload }),
    ...(deeplinkPayload !== undefined && { deeplinkPayload }),
  };
}

/** The string that goes to Meta with a call; says so when the operator's own part of it had to be cut. */
export function opaqueFor(call: CallId, own: string | undefined, logger: Logger): string {
  const opaque = opaqueOf(call, own);
  if (own !== undefined && own !== '' && !opaque.endsWith(`;${own}`)) {
    logger.warn('opaque string of the PBX is too long for Meta and was cut; the call record has it whole', {
      characters: own.length,
      sent: opaque.length,
    });
  }
  return opaque;
}

/** Meta is to give back what it was given; whether it does is worth a line, nothing depends on it. */
export function compareOpaque(sent: string | undefined, event: CallTerminate, logger: Logger): void {
  if (sent === undefined || event.opaque === sent) return;
  logger.debug('opaque string came back changed', { sent, returned: event.opaque ?? 'none' });
}
