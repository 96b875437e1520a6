import { describe, expect, it } from 'vitest';
import { header, NO_BODY, type SipRequest } from '../../../src/sip-server/sip/message.js';
import { serverKeys } from '../../../src/sip-server/transaction/transaction-table.js';

const request = (callId: string, branch: string, seq: number, method = 'OPTIONS'): SipRequest => ({
  kind: 'request',
  method,
  uri: 'sip:a@b',
  version: '2.0',
  headers: [
    header('Via', `SIP/2.0/UDP saturn.example.com:5060;branch=${branch}`),
    header('From', '<sip:a@b>;tag=1'),
    header('Call-ID', callId),
    header('CSeq', `${seq} ${method}`),
  ],
  body: NO_BODY,
});

describe('the name of a server transaction', () => {
  it.each(['z9hG4bKkdjuw', 'z9hG4bK', 'old'])('is another for another call, though the branch %s repeats', (branch) => {
    const one = serverKeys(request('one', branch, 1), 'OPTIONS').exact;
    expect(serverKeys(request('two', branch, 1), 'OPTIONS').exact).not.toBe(one);
    expect(serverKeys(request('one', branch, 2), 'OPTIONS').exact).not.toBe(one);
    expect(serverKeys(request('one', branch, 1), 'OPTIONS').exact).toBe(one);
  });

  it('of a CANCEL and an ACK is that of their INVITE', () => {
    const invite = serverKeys(request('one', 'z9hG4bKx', 5, 'INVITE'), 'INVITE').exact;
    expect(serverKeys(request('one', 'z9hG4bKx', 5, 'CANCEL'), 'INVITE').exact).toBe(invite);
    expect(serverKeys(request('one', 'z9hG4bKx', 5, 'ACK'), 'INVITE').exact).toBe(invite);
  });
});
