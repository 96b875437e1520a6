import { endReason } from '../../src/call/end-reason.js';
import type { InboundLegEffect, InboundLegEvent } from '../../src/sip/inbound-leg-machine.js';
import type { OutboundLegEffect, OutboundLegEvent } from '../../src/sip/outbound-leg-machine.js';
import type { BusinessLegEffect, BusinessLegEvent } from '../../src/whatsapp/business-initiated-machine.js';
import type { UserLegEffect, UserLegEvent } from '../../src/whatsapp/user-initiated-machine.js';

/*
 * Every event that the machines of the four legs know, and the words in which tests tell what they do.
 */

const reason = endReason('upstream');
const [before, after] = [endReason('no_answer'), endReason('hangup')];

export const userLegEvents: Readonly<Record<UserLegEvent['type'], UserLegEvent>> = {
  trying: { type: 'trying' },
  ring: { type: 'ring' },
  answer: { type: 'answer' },
  reject: { type: 'reject' },
  hangup: { type: 'hangup' },
  sdp_ready: { type: 'sdp_ready' },
  sdp_failed: { type: 'sdp_failed', reason },
  pre_accepted: { type: 'pre_accepted' },
  pre_accept_failed: { type: 'pre_accept_failed', reason, fatal: true },
  accepted: { type: 'accepted' },
  accept_failed: { type: 'accept_failed', reason },
  media_failed: { type: 'media_failed', reason },
  remote_terminated: { type: 'remote_terminated', before, after },
  wire_ended: { type: 'wire_ended' },
  word_timeout: { type: 'word_timeout' },
  media_closed: { type: 'media_closed' },
  end_deadline: { type: 'end_deadline' },
};

/** The pre_accept was lost on the way; accept may yet succeed. */
export const preAcceptLost: UserLegEvent = { type: 'pre_accept_failed', reason, fatal: false };

export const businessLegEvents: Readonly<Record<BusinessLegEvent['type'], BusinessLegEvent>> = {
  dial: { type: 'dial' },
  hangup: { type: 'hangup' },
  offer_ready: { type: 'offer_ready' },
  offer_failed: { type: 'offer_failed', reason },
  id_known: { type: 'id_known' },
  connect_refused: { type: 'connect_refused', reason },
  connect_unknown: { type: 'connect_unknown', reason },
  connect_unusable: { type: 'connect_unusable', reason },
  adoption_timeout: { type: 'adoption_timeout' },
  remote_answer: { type: 'remote_answer', sdp: 'sdp' },
  answer_applied: { type: 'answer_applied' },
  answer_failed: { type: 'answer_failed', reason },
  ringing: { type: 'ringing' },
  accepted: { type: 'accepted' },
  rejected: { type: 'rejected' },
  media_failed: { type: 'media_failed', reason },
  remote_terminated: { type: 'remote_terminated', before, after },
  wire_ended: { type: 'wire_ended' },
  word_timeout: { type: 'word_timeout' },
  media_closed: { type: 'media_closed' },
  end_deadline: { type: 'end_deadline' },
};

/** An effect of a WhatsApp leg in a word, what it reports with `!`. */
export function whatsAppWord(effect: UserLegEffect | BusinessLegEffect): string {
  if (effect.do === 'post') return effect.action;
  return effect.do === 'emit' ? `!${effect.event.type}` : effect.do;
}

/** A step of a WhatsApp leg: the phase it goes to, then its effects. */
export const whatsAppStep = (step: {
  readonly next: { readonly phase: string };
  readonly effects: readonly (UserLegEffect | BusinessLegEffect)[];
}): string => [step.next.phase, ...step.effects.map(whatsAppWord)].join(' ');

export const inboundLegEvents: Readonly<Record<InboundLegEvent['type'], InboundLegEvent>> = {
  prepared: { type: 'prepared' },
  unusable: { type: 'unusable', reason },
  ring: { type: 'ring' },
  answer: { type: 'answer' },
  reject: { type: 'reject', reason },
  hangup: { type: 'hangup', reason },
  cancelled: { type: 'cancelled', reason },
  answerFailed: { type: 'answerFailed', reason },
  acked: { type: 'acked' },
  ackUnusable: { type: 'ackUnusable', reason },
  remoteEnded: { type: 'remoteEnded', reason },
  mediaFailed: { type: 'mediaFailed', reason },
  linkLost: { type: 'linkLost', reason },
  wireDone: { type: 'wireDone' },
  mediaClosed: { type: 'mediaClosed' },
};

export const outboundLegEvents: Readonly<Record<OutboundLegEvent['type'], OutboundLegEvent>> = {
  dial: { type: 'dial' },
  prepared: { type: 'prepared' },
  ringing: { type: 'ringing' },
  earlyMedia: { type: 'earlyMedia' },
  refused: { type: 'refused', reason, retry: true },
  silent: { type: 'silent', reason },
  accepted: { type: 'accepted' },
  answerUsable: { type: 'answerUsable' },
  answerUnusable: { type: 'answerUnusable', reason },
  hangup: { type: 'hangup', reason },
  remoteEnded: { type: 'remoteEnded', reason },
  mediaFailed: { type: 'mediaFailed', reason },
  linkLost: { type: 'linkLost', reason },
  wireDone: { type: 'wireDone' },
  mediaClosed: { type: 'mediaClosed' },
};

/** An effect of a SIP leg in a word; what it reports by the report's own. */
export const sipWord = (effect: InboundLegEffect | OutboundLegEffect): string =>
  effect.type === 'report' ? effect.event.type : effect.type;
