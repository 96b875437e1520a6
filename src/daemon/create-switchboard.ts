import type { CdrSink } from '../call/call-record.js';
import type { Target } from '../routing/types.js';
import type { WhatsAppFacts } from '../sip/invite-headers.js';
import type { OutboundLegOptions } from '../sip/outbound-sip-leg.js';
import type { SipUserAgent } from '../sip/sip-user-agent.js';
import { Switchboard, type ArrivingUserCall } from '../switchboard.js';
import { BusinessInitiatedLeg } from '../whatsapp/business-initiated-leg.js';
import type { Base } from './base.js';
import type { WhatsAppSide } from './whatsapp-side.js';

/** The switchboard between both sides: how it makes the legs that it dials. */
export function createSwitchboard(
  base: Base,
  sip: SipUserAgent,
  whatsapp: WhatsAppSide,
  surroundings: { readonly cdr: CdrSink; readonly takesCalls: () => boolean },
): Switchboard {
  const { live, clock, logger, media, timeline, journal } = base;
  return new Switchboard({
    // Asked for with each call: a reload may have come in between.
    get numbers() {
      return live.current.numbers;
    },
    get trunks() {
      return new Map(live.current.trunks.map((trunk) => [trunk.name, trunk]));
    },
    get routes() {
      return live.current.routes;
    },
    get answerTimeoutMs() {
      return live.current.calls.answerTimeoutMs;
    },
    get ringTimeoutMs() {
      return live.current.calls.ringTimeoutMs;
    },
    get maxDurationMs() {
      return live.current.calls.maxDurationMs;
    },
    createBridge: (call) => media.createBridge(call),
    dialTrunk: (target, from) => sip.createOutboundLeg(toPbx(target, from)),
    placed: (targets) => sip.placed(targets),
    isWell: (target) => sip.isWell(target),
    dialUser: (number, to, { call, opaque, trunk }) => {
      const log = logger.child({ call, leg: 'b' });
      const codecs = whatsapp.codecsFor(number, trunk);
      return new BusinessInitiatedLeg({ ...whatsapp.legDeps, call, number, to, codecs, opaque, logger: log });
    },
    gate: whatsapp.permissions,
    clock,
    random: Math.random,
    observer: timeline,
    journal,
    ...surroundings,
    logger,
  });
}

/** What a PBX is told of a user's call. */
function toPbx(target: Target, from: ArrivingUserCall): OutboundLegOptions {
  return {
    call: from.call,
    target,
    caller: { user: from.from ?? from.fromUserId ?? 'anonymous', name: from.fromName },
    whatsApp: {
      numberId: from.number.id,
      callId: from.waCallId,
      direction: 'user_initiated',
      payload: payloadOf(from),
    },
  };
}

/** A user comes by a button or by a link, never by both. */
function payloadOf({ ctaPayload, deeplinkPayload }: ArrivingUserCall): WhatsAppFacts['payload'] {
  if (ctaPayload !== undefined) return { type: 'cta', text: ctaPayload };
  return deeplinkPayload === undefined ? undefined : { type: 'deeplink', text: deeplinkPayload };
}
