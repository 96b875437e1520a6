import type { Dialog } from '../dialog/dialog.js';
import type { SipHeader, SipRequest } from '../sip/message.js';
import { all, elements, first, header, NO_BODY } from '../sip/message.js';
import { MAGIC_COOKIE } from '../sip/grammar.js';
import { parseNameAddr } from '../sip/name-addr.js';
import { parseSipUri, uriHost } from '../sip/uri.js';
import type { Address, Flow } from '../transport/flow.js';
import type { Core } from './core.js';

export const newBranch = (core: Core): string => MAGIC_COOKIE + core.ids.hex(12);

/** Our Via. `rport` asks the peer to answer to the source port (RFC 3581). */
export function viaHeader(flow: Pick<Flow, 'protocol'>, shown: Address, branch: string): SipHeader {
  const { host, port } = shown;
  return header('Via', `SIP/2.0/${flow.protocol.toUpperCase()} ${uriHost(host)}:${port};rport;branch=${branch}`);
}

/** Request-URI and Route headers inside a dialog, loose and strict routing (RFC 3261 §12.2.1.1). */
export function routeOf(dialog: Dialog): { readonly uri: string; readonly routes: readonly string[] } {
  const [top] = dialog.routeSet;
  const topUri = top === undefined ? undefined : parseNameAddr(top)?.uri;
  if (topUri === undefined) return { uri: dialog.remoteTarget, routes: [] };
  if (parseSipUri(topUri)?.params.has('lr')) return { uri: dialog.remoteTarget, routes: dialog.routeSet };
  return { uri: topUri, routes: [...dialog.routeSet.slice(1), `<${dialog.remoteTarget}>`] };
}

export interface InDialogParts {
  readonly method: string;
  readonly seq: number;
  /** Instead of the remote target, when the application names one. */
  readonly uri?: string;
  readonly headers: readonly SipHeader[];
  readonly body: Buffer;
}

/** A request inside a dialog, with the route set and the dialog's own From, To and Call-ID. */
export function inDialogRequest(dialog: Dialog, via: SipHeader, parts: InDialogParts): SipRequest {
  const { uri, routes } = routeOf(dialog);
  const hops = parts.headers.some((line) => line.key === 'max-forwards') ? [] : [header('Max-Forwards', '70')];
  return {
    kind: 'request',
    method: parts.method,
    uri: routes.length === 0 ? (parts.uri ?? uri) : uri,
    version: '2.0',
    headers: [
      via,
      ...routes.map((value) => header('Route', value)),
      ...hops,
      header('From', dialog.localParty),
      header('To', dialog.remoteParty),
      header('Call-ID', dialog.callId),
      header('CSeq', `${parts.seq} ${parts.method}`),
      ...parts.headers,
      header('Content-Length', String(parts.body.length)),
    ],
    body: parts.body,
  };
}

/** CANCEL of an INVITE: same Request-URI, top Via, Route, From, To, Call-ID and CSeq number (RFC 3261 §9.1). */
export function cancelRequest(invite: SipRequest, extra: readonly SipHeader[]): SipRequest {
  return hopByHop('CANCEL', invite, first(invite, 'to') ?? '', extra);
}

/** ACK to a non-2xx: the INVITE's, but for To, which is the response's (RFC 3261 §17.1.1.3). */
export function ackRequest(invite: SipRequest, to: string): SipRequest {
  return hopByHop('ACK', invite, to, []);
}

function hopByHop(method: string, invite: SipRequest, to: string, extra: readonly SipHeader[]): SipRequest {
  const seq = (first(invite, 'cseq') ?? '').split(' ')[0] ?? '';
  return {
    kind: 'request',
    method,
    uri: invite.uri,
    version: '2.0',
    headers: [
      header('Via', elements(invite, 'via')[0] ?? ''),
      ...all(invite, 'route').map((value) => header('Route', value)),
      header('Max-Forwards', '70'),
      header('From', first(invite, 'from') ?? ''),
      header('To', to),
      header('Call-ID', first(invite, 'call-id') ?? ''),
      header('CSeq', `${seq} ${method}`),
      ...extra,
      header('Content-Length', '0'),
    ],
    body: NO_BODY,
  };
}
