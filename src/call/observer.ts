import type { CallId } from '../lib/ids.js';
import type { MediaSide, QualityReport } from './media-quality.js';

/** A step of a call worth showing on its timeline. */
export type CallStep =
  | 'webhook.connect'
  | 'webhook.ringing'
  | 'webhook.accepted'
  | 'webhook.rejected'
  | 'webhook.terminate'
  | 'graph.connect'
  | 'graph.pre_accept'
  | 'graph.accept'
  | 'graph.reject'
  | 'graph.terminate'
  | 'sip.invite'
  | 'sip.ringing'
  | 'sip.progress'
  | 'sip.answer'
  | 'sip.ack'
  | 'sip.cancel'
  | 'sip.bye'
  | 'sip.refer'
  | 'sip.transfer'
  | 'sip.replaces'
  | 'sip.redirect'
  | 'sip.refused'
  | 'ice.connected'
  | 'dtls.connected'
  | 'media.first_from_whatsapp'
  | 'media.first_from_pbx'
  | 'media.secured'
  | 'media.one_way'
  | 'media.peer_silent'
  | 'media.timeout'
  | 'media.bye'
  | 'media.digits_dropped'
  | 'media.failed'
  | 'dtls.closed'
  | 'call.state'
  | 'call.end_forced'
  | 'call.ended';

/** Watches calls: timeline, CDR, metrics. Never throws back, never delays. */
export interface CallObserver {
  /** `detail` holds short facts (direction in/out, status, address); never secrets, never SDP. */
  step(call: CallId, step: CallStep, detail?: Readonly<Record<string, string | number | boolean>>): void;
  /** How one leg's audio was in the last few seconds. */
  quality?(call: CallId, side: MediaSide, report: QualityReport): void;
}
