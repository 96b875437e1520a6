import type { SipRequest, SipResponse } from '../sip/message.js';
import { first } from '../sip/message.js';
import type { Flow } from '../transport/flow.js';

/** Pings no oftener than this, whatever a registrar asks for, seconds. */
const LEAST_S = 5;
/** RFC 5626 §4.4.1: between 80 and 100 % of what the registrar waits for; the same on all flows is as good with one. */
const SHARE = 0.85;

/** A registrar may say how soon it takes a silent connection for dead (RFC 5626 §4.4.1, Flow-Timer): pings come sooner. */
export function keepFlow(request: SipRequest, response: SipResponse, flow: Flow): void {
  if (request.method !== 'REGISTER' || response.status < 200 || response.status >= 300) return;
  const seconds = /^\s*(\d{1,6})\s*$/.exec(first(response, 'flow-timer') ?? '')?.[1];
  if (seconds !== undefined && Number(seconds) > 0)
    flow.pingEvery?.(Math.max(LEAST_S, Number(seconds) * SHARE) * 1_000);
}
