import type { EndCode, EndReason, ResultClass } from './end-reason.js';

/**
 * The one table of causes: end code → SIP status (RFC 3261 §21), Q.850 cause, result class.
 * Everything that ends for a reason takes its status from here.
 */
export const causeTable: Readonly<Record<EndCode, Pick<EndReason, 'sipStatus' | 'q850' | 'result'>>> = {
  hangup: cause(480, 16, 'success'),
  cancelled: cause(487, 16, 'client_error'),
  no_answer: cause(480, 19, 'client_error'),
  busy: cause(486, 17, 'client_error'),
  declined: cause(486, 21, 'client_error'),
  not_found: cause(404, 1, 'client_error'),
  bad_number: cause(484, 28, 'client_error'),
  not_allowed: cause(403, 21, 'client_error'),
  no_permission: cause(403, 21, 'client_error'),
  no_route: cause(404, 3, 'client_error'),
  no_codec: cause(488, 88, 'client_error'),
  bad_request: cause(400, 95, 'client_error'),
  limit: cause(503, 42, 'upstream_error'),
  unavailable: cause(480, 20, 'client_error'),
  trunk_down: cause(503, 38, 'upstream_error'),
  upstream: cause(503, 41, 'upstream_error'),
  credentials: cause(503, 41, 'server_error'),
  media_failed: cause(504, 41, 'upstream_error'),
  media_timeout: cause(480, 102, 'upstream_error'),
  max_duration: cause(480, 102, 'success'),
  admin: cause(480, 16, 'success'),
  shutdown: cause(503, 41, 'server_error'),
  internal: cause(500, 41, 'server_error'),
};

function cause(sipStatus: number, q850: number, result: ResultClass): Pick<EndReason, 'sipStatus' | 'q850' | 'result'> {
  return { sipStatus, q850, result };
}
