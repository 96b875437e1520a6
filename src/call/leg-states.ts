import type { LegState } from './leg.js';
import type { CallStep } from './observer.js';

/** How both legs of a call stand, by their kind; `undefined`: not there yet. */
export interface LegStates {
  readonly whatsapp: LegState | undefined;
  readonly sip: LegState | undefined;
}

export const noLegs: LegStates = { whatsapp: undefined, sip: undefined };

/** What a step says of the leg it is of (RFC 4235's words). */
const WHATSAPP_STATES: Partial<Record<CallStep, LegState>> = {
  'graph.pre_accept': 'early',
  'graph.accept': 'confirmed',
  'graph.connect': 'proceeding',
  'webhook.ringing': 'early',
  'webhook.accepted': 'confirmed',
  'webhook.rejected': 'terminated',
  'webhook.terminate': 'terminated',
  'graph.reject': 'terminated',
  'graph.terminate': 'terminated',
};

const SIP_STATES: Partial<Record<CallStep, LegState>> = {
  'sip.invite': 'trying',
  'sip.ringing': 'early',
  'sip.progress': 'early',
  'sip.answer': 'confirmed',
  'sip.refused': 'terminated',
  'sip.cancel': 'terminated',
  'sip.bye': 'terminated',
};

/** How the legs stand after one more step of the call's timeline. */
export function legStatesAfter(
  states: LegStates,
  step: CallStep,
  detail: Readonly<Record<string, unknown>>,
): LegStates {
  if (step === 'call.ended') return { whatsapp: states.whatsapp && 'terminated', sip: states.sip && 'terminated' };
  // Of a business-initiated call it is Meta's answer, which `accepted` makes count.
  if (step === 'webhook.connect') return { ...states, whatsapp: states.whatsapp ?? 'trying' };
  const whatsapp = WHATSAPP_STATES[step];
  // A request to Meta that failed changes nothing; a call that is over stays so.
  if (whatsapp && detail['ok'] !== false && states.whatsapp !== 'terminated') return { ...states, whatsapp };
  const sip = SIP_STATES[step];
  return sip ? { ...states, sip } : states;
}
