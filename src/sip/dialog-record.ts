import type { SrfDialog, SrfRequest, SrfResponse } from './drachtio-types.js';
import { uriHost } from './sip-uri.js';

/** What the journal keeps of a dialog so that its BYE can be built again by hand (RFC 3261 §12.2.1.1). */
export type DialogRecord = Readonly<{
  dialogId: string;
  sipCallId: string;
  localTag: string;
  remoteTag: string;
  /** From of the requests we would send: our side. */
  localParty: string;
  /** To of the requests we would send: the far side. */
  remoteParty: string;
  /** CSeq of the INVITE; a BYE built by hand takes a much higher number. */
  cseq: string;
  remoteTarget: string;
  /** Route headers in the order they are to be sent, joined with commas; empty without proxies. */
  routeSet: string;
  /** Where the far side was heard, as a SIP URI, when it sends datagrams: its Contact may lie behind NAT. */
  peer: string;
}>;

export function dialogRecord(dialog: SrfDialog): DialogRecord {
  const { req, res, sip } = dialog;
  const isCaller = dialog.type === 'uac';
  const recordRoute = (isCaller ? res : req).get('Record-Route') ?? '';
  const local = (isCaller ? req.get('From') : req.get('To')) ?? '';
  const remote = (isCaller ? res.get('To') : req.get('From')) ?? '';
  return {
    dialogId: dialog.id,
    sipCallId: sip.callId,
    localTag: sip.localTag,
    remoteTag: sip.remoteTag,
    localParty: withoutTag(local),
    remoteParty: withoutTag(remote),
    cseq: req.get('CSeq') ?? '',
    remoteTarget: dialog.remote.uri,
    // RFC 3261 §12.1: the callee takes Record-Route as it stands, the caller in reverse order.
    routeSet: isCaller ? reversed(recordRoute) : recordRoute,
    peer: peerUri(isCaller ? res : req),
  };
}

function peerUri({ source_address: address, source_port: port, protocol }: SrfRequest | SrfResponse): string {
  return protocol === 'udp' && address !== '' ? `sip:${uriHost(address)}:${port}` : '';
}

function withoutTag(party: string): string {
  return party.replace(/;\s*tag=[^;>\s]*/i, '');
}

function reversed(routes: string): string {
  return routes === ''
    ? ''
    : routes
        .split(/,(?=\s*(?:"|<|sips?:))/)
        .map((route) => route.trim())
        .reverse()
        .join(', ');
}
