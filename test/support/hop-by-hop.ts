import type { PeerMessage } from './sip-script-peer.js';

/** The CANCEL or the ACK to a refusal that goes with an INVITE. */
export function hopByHop(method: 'CANCEL' | 'ACK', invite: PeerMessage, to: string = invite.get('To')): string {
  const line = (name: string): string => `${name}: ${invite.get(name)}`;
  return [
    `${method} ${invite.uri} SIP/2.0`,
    line('Via'),
    'Max-Forwards: 70',
    line('From'),
    `To: ${to}`,
    line('Call-ID'),
    `CSeq: ${invite.cseq} ${method}`,
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');
}
