import { createHash } from 'node:crypto';
import type { SrfResponse } from '../drachtio-types.js';

/** What a registration over a connection says of itself, and of the calls that are to stay on it (RFC 5626). */
export interface OutboundFlow {
  /** `+sip.instance` and `reg-id`, beside our Contact in a REGISTER. */
  readonly contactParams: string;
  readonly supported: string;
}

/**
 * That of a user agent at one account: the same after a restart, so that its registration takes the place of the one before,
 * and another on every machine (RFC 5626 §4.1; a UUID of version 8, RFC 9562 §5.8). One connection to each registrar is all
 * there is, so that `reg-id` is always 1.
 */
export function outboundFlow(machine: string, aor: string): OutboundFlow {
  const hex = createHash('sha256').update(`sip2wa ${machine} ${aor}`).digest('hex');
  const variant = ((parseInt(hex.charAt(16), 16) & 3) | 8).toString(16);
  const groups = [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, variant + hex.slice(17, 20)];
  const uuid = [...groups, hex.slice(20, 32)].join('-');
  return { contactParams: `;+sip.instance="<urn:uuid:${uuid}>";reg-id=1`, supported: 'path, outbound' };
}

/** The registrar knows outbound, but the proxy before it does not: it is registered without (RFC 5626 §6). */
export const lacksOutbound = 439;

/** Whether the registrar takes the connection itself for the way to us (RFC 5626 §6). */
export const grantsOutbound = (response: Pick<SrfResponse, 'get'>): boolean =>
  (response.get('Require') ?? '').split(',').some((tag) => tag.trim().toLowerCase() === 'outbound');

/** Contact of an INVITE whose dialog is to stay on that connection (RFC 5626 §4.3). */
export const contactOnFlow = (user: string, transport: string): string =>
  `<sip:${user}@localhost;transport=${transport};ob>`;
