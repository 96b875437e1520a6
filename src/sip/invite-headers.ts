import type { CallId } from '../lib/ids.js';
import type { Target } from '../routing/types.js';
import { accountAt } from './account.js';
import type { SrfHeaders } from './drachtio-types.js';
import { headerBytes, headerRoom } from './frame-room.js';
import { acceptedBodies } from './session-body.js';
import { agentName, allowedMethods, supportedOptions } from './sip-headers.js';
import { plainSipText } from './sip-text.js';
import { escapeSipUser, nameAddr, uriHost } from './sip-uri.js';

/** What the PBX's dial plan is told about the WhatsApp side of a call, as far as it is known. */
export interface WhatsAppFacts {
  /** Meta's phone_number_id of the business number. */
  readonly numberId: string | undefined;
  /** Meta's call id. */
  readonly callId: string | undefined;
  readonly direction: 'user_initiated' | 'business_initiated';
  /** Payload of the call button (`cta`) or of the deep link, if the user came by one. */
  readonly payload?: { readonly type: 'cta' | 'deeplink'; readonly text: string } | undefined;
}

export interface InviteFacts {
  readonly call: CallId;
  readonly target: Target;
  readonly caller: { readonly user: string; readonly name: string | undefined };
  readonly whatsApp: WhatsAppFacts;
  readonly sipCallId: string;
  readonly localTag: string;
}

const idLimit = 256;
/** Meta's own limit is 512 characters; a link's payload can be anybody's, and an INVITE has to fit a frame. */
const payloadLimitBytes = 512;

/** The SIP server puts its own address in its place (drachtio reference, §4.3). */
const ownHost = 'localhost';

/**
 * Headers of an INVITE to a PBX. Identity goes into P-Asserted-Identity (RFC 3325 §9.1), and into From unless our account at
 * the trunk is to call; facts into `X-WA-*`, our own call id into `X-CID`.
 */
export function inviteHeaders({ call, target, caller, whatsApp, sipCallId, localTag }: InviteFacts): SrfHeaders {
  const identity = nameAddr(caller.name, caller.user, ownHost);
  const account = target.trunk.from === 'account' ? accountAt(target.trunk, target.server) : undefined;
  const headers: SrfHeaders = {
    'call-id': sipCallId,
    From: `${account ? nameAddr(caller.name, account.user, account.host) : identity};tag=${localTag}`,
    To: `<sip:${escapeSipUser(target.user)}@${uriHost(target.server.hostname)}>`,
    'P-Asserted-Identity': identity,
    'User-Agent': agentName,
    Allow: allowedMethods,
    Supported: supportedOptions,
    Accept: acceptedBodies,
    'Content-Type': 'application/sdp',
  };
  return { ...headers, ...dialPlanHeaders(call, caller, whatsApp) };
}

/** Our call id and what is known of the WhatsApp side: on an INVITE to a PBX, and on what answers the PBX's own. */
export function dialPlanHeaders(
  call: CallId,
  user: { readonly user: string | undefined; readonly name?: string | undefined },
  { numberId, callId, direction, payload }: WhatsAppFacts,
): SrfHeaders {
  const headers: SrfHeaders = { 'X-CID': call };
  addFact(headers, 'X-WA-User', user.user, idLimit);
  addFact(headers, 'X-WA-Name', user.name);
  addFact(headers, 'X-WA-Number-Id', numberId);
  addFact(headers, 'X-WA-Call-Id', callId, idLimit);
  addFact(headers, 'X-WA-Direction', direction);
  addFact(
    headers,
    'X-WA-Payload',
    payload && cutToBytes(plainSipText(payload.text, payloadLimitBytes)),
    payloadLimitBytes,
  );
  if ('X-WA-Payload' in headers) addFact(headers, 'X-WA-Payload-Type', payload?.type);
  return headers;
}

/** At most `payloadLimitBytes` of UTF-8, no character cut in two. */
function cutToBytes(text: string): string {
  let bytes = 0;
  let out = '';
  for (const char of text) {
    bytes += Buffer.byteLength(char);
    if (bytes > payloadLimitBytes) break;
    out += char;
  }
  return out;
}

function addFact(headers: SrfHeaders, name: string, value: string | undefined, limit?: number): void {
  const text = value === undefined ? '' : plainSipText(value, limit);
  if (text !== '') headers[name] = text;
}

/** An INVITE as it goes to the SIP server. */
export interface InviteText {
  readonly uri: string;
  /** Where the server is to send it, if the URI does not say so. */
  readonly nextHop: string | undefined;
  readonly headers: SrfHeaders;
  readonly body: string;
}

/**
 * Room for the credentials, of a server and of a proxy before it, with which an INVITE may have to be repeated: facts are better
 * left out from the beginning.
 */
export const credentialsBytes = 1_024;

/** What a call can do without, in the order in which it goes. */
const dispensable = [['X-WA-Payload', 'X-WA-Payload-Type'], ['X-WA-Name'], ['X-WA-User'], ['X-WA-Call-Id']];

/** Headers of an INVITE that fits a frame. */
export interface FittedHeaders {
  readonly headers: SrfHeaders;
  /** Names of those that had to go. */
  readonly leftOut: readonly string[];
}

/**
 * The headers, without as many of the dial plan's facts as would make the frame too large, `reservedBytes` being kept free: no call
 * fails because of what is known about it. Undefined if it is too large without any of them.
 */
export function fitted({ uri, nextHop = '', headers, body }: InviteText, reservedBytes = 0): FittedHeaders | undefined {
  const roomBytes = headerRoom({ uri, names: nextHop, body }) - reservedBytes;
  for (let groups = 0; groups <= dispensable.length; groups++) {
    const leftOut = dispensable.slice(0, groups).flat();
    const kept = Object.fromEntries(Object.entries(headers).filter(([name]) => !leftOut.includes(name)));
    if (headerBytes(kept) <= roomBytes) {
      return { headers: kept, leftOut: leftOut.filter((name) => name in headers) };
    }
  }
  return undefined;
}
