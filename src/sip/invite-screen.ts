import { tagOf } from './header-list.js';
import { plainSipText } from './sip-text.js';
import { parseSrfUri, type SrfHeaders, type SrfRequest } from './drachtio-types.js';
import { acceptedBodies, isUnsupportedBody, sdpOf } from './session-body.js';
import { otherWarning } from './sip-headers.js';
import { hasLongUser, userOfUri } from './sip-uri.js';

/** A request is refused with this. */
export interface Refusal {
  readonly status: number;
  readonly headers: SrfHeaders;
  /** For the log. */
  readonly why: string;
}

/** Larger messages cost more to read than any PBX's INVITE is worth (reliability M20), in characters. */
export const messageLimit = 16_384;

/**
 * Longest header that responses and requests of a dialog repeat, in characters; and most that Call-ID and tag may take up together:
 * a BYE names the dialog by them, and must fit a frame with the credentials for a server and a proxy.
 */
const dialogHeaderLimit = 1_024;

/** Largest SDP of an offer, in characters: one audio section takes a few hundred. */
const sdpLimit = 8_192;

/**
 * Checks an INVITE before anything is built for it: what srf, or the dialog made later, could not cope with is refused
 * here (RFC 3261 §8.2). Returns undefined when it may go on.
 */
export function screenInvite(request: SrfRequest, isLiveCall: (callId: string) => boolean): Refusal | undefined {
  return screenMessage(request) ?? screenDialog(request) ?? screenRouting(request, isLiveCall) ?? screenBody(request);
}

function screenMessage(request: SrfRequest): Refusal | undefined {
  if ((request.raw ?? '').length > messageLimit) return refuse(513, 'message too large');
  const from = tagOf(request.get('From'));
  return (
    screenLength(request, ['From', 'To', 'Call-ID', 'CSeq', 'Contact']) ?? screenName(request.get('Call-ID'), from)
  );
}

/** Refuses what is too long by its name, for whoever is to make it shorter. */
function screenLength(request: SrfRequest, names: readonly string[]): Refusal | undefined {
  const long = names.find((name) => (request.get(name) ?? '').length > dialogHeaderLimit);
  return long === undefined ? undefined : tooLong(long);
}

function screenName(callId = '', tag: string): Refusal | undefined {
  const bytes = Buffer.byteLength(callId + tag);
  return bytes > dialogHeaderLimit ? tooLong('Call-ID with the tag of From') : undefined;
}

function tooLong(what: string): Refusal {
  const Warning = otherWarning(`${what} is longer than ${dialogHeaderLimit}`);
  return refuse(400, `${what} too long`, { Warning });
}

/** What a dialog cannot be made without: srf would send the 200 and then throw. */
function screenDialog(request: SrfRequest): Refusal | undefined {
  if (!request.has('Contact')) return refuse(400, 'no Contact');
  if (!isUsableContact(request)) return refuse(400, 'Contact without a usable host');
  if (!hasFromTag(request)) return refuse(400, 'From without tag');
  // Neither a dialog of ours nor a new one (RFC 3261 §12.2.2).
  if (tagOf(request.get('To')) !== '') return refuse(481, 'To tag of no dialog');
  return undefined;
}

/** Session timers (RFC 4028) and reliable provisional responses (RFC 3262) are the SIP server's; transfers (RFC 3891, 4488) ours. */
const extensions = new Set(['timer', '100rel', 'replaces', 'norefersub']);

function screenRouting(request: SrfRequest, isLiveCall: (callId: string) => boolean): Refusal | undefined {
  // A back-to-back agent counts hops like a proxy (RFC 7332 §4).
  if (/^\s*0+\s*$/.test(request.get('Max-Forwards') ?? '')) return refuse(483, 'too many hops');
  if (isLiveCall(request.get('X-CID') ?? '')) return refuse(482, 'a call of ours came back');
  const extension = screenRequire(request);
  if (extension) return extension;
  // Replaces says which call is meant, and our Contact has no user.
  if (userOfUri(request.uri) === undefined && !request.has('Replaces')) return refuse(484, 'Request-URI without user');
  if (hasLongUser(request.uri)) return refuse(484, 'user of the Request-URI too long');
  return undefined;
}

/** Refuses a request that asks for an extension nobody here knows (RFC 3261 §8.2.2.3). */
export function screenRequire(request: SrfRequest): Refusal | undefined {
  const unknown = (request.get('Require') ?? '')
    .split(',')
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '' && !extensions.has(tag.toLowerCase()));
  if (unknown.length === 0) return undefined;
  return refuse(420, 'unknown extension required', { Unsupported: plainSipText(unknown.join(', ')) });
}

/** Checks a re-INVITE or UPDATE, before its description is looked at. */
export function screenRenegotiation(request: SrfRequest): Refusal | undefined {
  // A new Contact is where the BYE goes.
  return screenRequire(request) ?? screenLength(request, ['Contact']) ?? screenBody(request);
}

/** A caller that lists what it takes, and SDP is not among it, can be given no answer (RFC 3261 §20.1). */
function takesSdp(request: SrfRequest): boolean {
  const accept = request.get('Accept');
  if (accept === undefined) return true;
  const types = accept.split(',').map((part) => part.split(';', 1)[0]?.trim().toLowerCase() ?? '');
  return types.some((type) => type === '' || sdpRanges.has(type));
}

const sdpRanges = new Set(['application/sdp', 'application/*', '*/*', '*']);

function screenBody(request: SrfRequest): Refusal | undefined {
  if (!takesSdp(request)) return refuse(406, 'SDP is not accepted');
  if (isUnsupportedBody(request)) return refuse(415, 'body is no SDP', { Accept: acceptedBodies });
  return sdpOf(request).length > sdpLimit ? refuse(513, 'SDP too large') : undefined;
}

function isUsableContact(request: SrfRequest): boolean {
  try {
    const uri = parseSrfUri(request.getParsedHeader('contact')[0]?.uri ?? '');
    return uri !== undefined && /^sips?$/i.test(uri.scheme) && /^[\w.[\]:-]{1,255}$/.test(uri.host ?? '');
  } catch {
    return false;
  }
}

function hasFromTag(request: SrfRequest): boolean {
  try {
    return (request.getParsedHeader('from').params['tag'] ?? '') !== '';
  } catch {
    return false;
  }
}

function refuse(status: number, why: string, headers: SrfHeaders = {}): Refusal {
  return { status, headers, why };
}
