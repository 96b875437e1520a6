import type { PeerMessage } from './sip-script-peer.js';
import { sipText } from './sip-text.js';

/** The CANCEL or the ACK to a refusal that goes with an INVITE. */
export function hopByHop(method: 'CANCEL' | 'ACK', invite: PeerMessage, to: string = invite.get('To')): string {
  const line = (name: string): string => `${name}: ${invite.get(name)}`;
  return sipText(`${method} ${invite.uri} SIP/2.0`, [
    line('Via'),
    'Max-Forwards: 70',
    line('From'),
    `To: ${to}`,
    line('Call-ID'),
    `CSeq: ${invite.cseq} ${method}`,
  ]);
}
