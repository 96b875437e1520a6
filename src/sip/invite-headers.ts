import type { CallId } from '../lib/ids.js';
import type { Target } from '../routing/types.js';
import type { SrfHeaders } from './drachtio-types.js';
import { agentName, allowedMethods } from './sip-headers.js';
import { plainSipText } from './sip-text.js';
import { escapeSipUser, nameAddr, uriHost } from './sip-uri.js';

/** What the PBX's dial plan is told about the WhatsApp side of a call. */
export interface WhatsAppFacts {
  /** Meta's phone_number_id of the business number. */
  readonly numberId: string;
  /** Meta's call id. */
  readonly callId: string;
  readonly direction: 'user_initiated' | 'business_initiated';
  /** Payload of the call button or link, if the user came by one. */
  readonly payload?: string | undefined;
}

export interface InviteFacts {
  readonly call: CallId;
  readonly target: Target;
  readonly caller: { readonly user: string; readonly name: string | undefined };
  readonly whatsApp: WhatsAppFacts;
  readonly sipCallId: string;
  readonly localTag: string;
}

/** A drachtio-server corrupts its connection when larger frames come back to back (reference, §9.1). */
export const frameLimitBytes = 4_000;

const idLimit = 256;

/** The SIP server puts its own address in its place (drachtio reference, §4.3). */
const ownHost = 'localhost';

/**
 * Headers of an INVITE to a PBX. Identity goes into From and P-Asserted-Identity (RFC 3325 §9.1), facts into `X-WA-*`, our
 * own call id into `X-CID`. Names of headers that srf rewrites for a digest retry are spelled as srf spells them.
 */
export function inviteHeaders({ call, target, caller, whatsApp, sipCallId, localTag }: InviteFacts): SrfHeaders {
  const identity = nameAddr(caller.name, caller.user, ownHost);
  const headers: SrfHeaders = {
    'call-id': sipCallId,
    From: `${identity};tag=${localTag}`,
    To: `<sip:${escapeSipUser(target.user)}@${uriHost(target.server.hostname)}>`,
    'P-Asserted-Identity': identity,
    'User-Agent': agentName,
    Allow: allowedMethods,
    Accept: 'application/sdp',
    'Content-Type': 'application/sdp',
    'X-CID': call,
  };
  addFact(headers, 'X-WA-User', caller.user);
  addFact(headers, 'X-WA-Name', caller.name);
  addFact(headers, 'X-WA-Number-Id', whatsApp.numberId);
  addFact(headers, 'X-WA-Call-Id', whatsApp.callId, idLimit);
  addFact(headers, 'X-WA-Direction', whatsApp.direction);
  addFact(headers, 'X-WA-Payload', whatsApp.payload, idLimit);
  return headers;
}

function addFact(headers: SrfHeaders, name: string, value: string | undefined, limit?: number): void {
  const text = value === undefined ? '' : plainSipText(value, limit);
  if (text !== '') headers[name] = text;
}

/** Whether a request with these parts would make too large a frame; headers the SIP server adds travel no frame of ours. */
export function oversize(uri: string, headers: SrfHeaders, body: string): boolean {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const framing = 128; // message id, command, start line, Content-Length
  return Buffer.byteLength(`${uri}${lines.join('')}${body}`) + framing > frameLimitBytes;
}
