import { createHash } from 'node:crypto';
import type { SipHeader, SipRequest, SipResponse } from '../sip/message.js';
import { all, elements, first, header, NO_BODY } from '../sip/message.js';
import { parseNameAddr, tagOf } from '../sip/name-addr.js';
import { serialise } from '../sip/serialise.js';
import { statusText } from '../sip/status-text.js';
import type { Address, Flow } from '../transport/flow.js';
import { uriHost } from '../sip/uri.js';

export interface ResponseParts {
  readonly status: number;
  readonly reason: string;
  /** Added to To when the request had none. */
  readonly toTag: string | undefined;
  readonly headers: readonly SipHeader[];
  readonly body: Buffer;
}

/** A response with what RFC 3261 §8.2.6 copies from the request: Via, From, To, Call-ID, CSeq. */
export function buildResponse(request: SipRequest, parts: ResponseParts): SipResponse {
  const copied: SipHeader[] = all(request, 'via').map((value) => header('Via', value));
  for (const name of ['From', 'To', 'Call-ID', 'CSeq']) {
    const value = first(request, name.toLowerCase());
    if (value !== undefined) copied.push(header(name, name === 'To' ? tagged(value, parts.toTag) : value));
  }
  return {
    kind: 'response',
    status: parts.status,
    reason: parts.reason,
    version: '2.0',
    headers: [...copied, ...parts.headers, header('Content-Length', String(parts.body.length))],
    body: parts.body,
  };
}

/** The header as it was, with a tag if it had none. */
function tagged(value: string, tag: string | undefined): string {
  if (tag === undefined || tagOf(value) !== undefined || !parseNameAddr(value)) return value;
  return `${value};tag=${tag}`;
}

/** A bodyless answer the server gives by itself. */
export function plainResponse(
  request: SipRequest,
  status: number,
  toTag: string | undefined,
  extra: readonly SipHeader[] = [],
  reason = statusText(status),
): Buffer {
  return serialise(buildResponse(request, { status, reason, toTag, headers: extra, body: NO_BODY }));
}

/** The To tag of answers given without state: equal for every copy of a request (RFC 3261 §8.2.7). */
export function statelessTag(request: SipRequest, secret: string): string {
  const seed = `${secret}|${first(request, 'call-id') ?? ''}|${elements(request, 'via')[0] ?? ''}`;
  return createHash('sha256').update(seed).digest('hex').slice(0, 12);
}

/** Our Contact on this flow. Who is reached, or asks, by `sips:` must find the same there (RFC 3261 §8.1.1.8, §12.1.1). */
export function contactHeader(shown: Address, flow: Pick<Flow, 'protocol'>, uri: string): SipHeader {
  if (flow.protocol === 'tls' && /^sips:/i.test(uri))
    return header('Contact', `<sips:${uriHost(shown.host)}:${shown.port}>`);
  const suffix = flow.protocol === 'udp' ? '' : `;transport=${flow.protocol}`;
  return header('Contact', `<sip:${uriHost(shown.host)}:${shown.port}${suffix}>`);
}
