import type { MediaSide } from '../call/media-quality.js';
import type { CallObserver, CallStep } from '../call/observer.js';
import type { CallId } from '../lib/ids.js';
import type { MediaEndpointEvent, MediaTrouble } from './media-engine.js';

type Detail = Record<string, string | number | boolean>;

const troubleSteps: Readonly<Record<MediaTrouble['kind'], CallStep>> = {
  one_way_audio: 'media.one_way',
  peer_silent: 'media.peer_silent',
  first_timeout: 'media.timeout',
  idle_timeout: 'media.timeout',
  dtls_closed: 'dtls.closed',
  bye: 'media.bye',
  digits_dropped: 'media.digits_dropped',
};

/** Shows an endpoint's event to the call's observer: on its timeline, or as a report of the quality. */
export function observeMedia(observer: CallObserver, call: CallId, side: MediaSide, event: MediaEndpointEvent): void {
  switch (event.type) {
    case 'ice_connected':
      return observer.step(call, 'ice.connected');
    case 'dtls_connected':
      return observer.step(call, 'dtls.connected');
    case 'first_packet':
      return observer.step(call, side === 'pbx' ? 'media.first_from_pbx' : 'media.first_from_whatsapp');
    case 'secured':
      return observer.step(call, 'media.secured', { suite: event.suite });
    case 'quality':
      return observer.quality?.(call, side, event.report);
    case 'trouble':
      return observer.step(call, troubleSteps[event.trouble.kind], detailOf(side, event.trouble));
    case 'failed':
      return observer.step(call, 'media.failed', { from: side, code: event.reason.code, why: event.reason.text ?? '' });
    case 'dtmf':
      return;
  }
}

function detailOf(side: MediaSide, { kind, isOver, silentMs }: MediaTrouble): Detail {
  const detail: Detail = { from: side };
  if (kind === 'first_timeout' || kind === 'idle_timeout')
    detail['limit'] = kind === 'first_timeout' ? 'first' : 'idle';
  if (isOver === true) detail['over'] = true;
  if (silentMs !== undefined) detail['silentMs'] = silentMs;
  return detail;
}
