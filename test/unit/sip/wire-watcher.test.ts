import { describe, expect, it } from 'vitest';
import { messageOfFrame } from '../../../src/sip/wire-watcher.js';

const invite = (via = 'Via: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bK1') =>
  `INVITE sip:a@192.0.2.1 SIP/2.0\r\n${via}\r\nCall-ID: abc@pbx\r\nCSeq: 1 INVITE\r\n\r\n`;
const ok =
  'SIP/2.0 200 OK\r\nv: SIP/2.0/TLS [2001:db8::7];branch=z9hG4bK1\r\ni: abc@pbx\r\n\r\nCall-ID: in-the-body\r\n';
const remote = { address: '192.0.2.1', port: 5060 };

describe('what a frame of the SIP server tells of the wire', () => {
  it.each([
    [
      'a request that came in',
      `id|sip|network|99|udp|192.0.2.1|5060|12:00:00.000000|txn||192.0.2.5|5061|\r\n${invite()}`,
      { text: invite(), isOutgoing: false, transport: 'udp', remote, local: { address: '192.0.2.5', port: 5061 } },
    ],
    [
      'a request in a dialog: our side is not told',
      `id|sip|network|99|udp|192.0.2.1|5060|12:00:00.000000|txn|dialog|\r\n${invite()}`,
      { text: invite(), isOutgoing: false, transport: 'udp', remote },
    ],
    [
      'a request of ours: our side is in its Via',
      `id|response|rid|OK|application|99|tcp|192.0.2.1|5060|12:00:00.000000|txn|Msg sent:|\r\n${invite()}`,
      { text: invite(), isOutgoing: true, transport: 'tcp', remote, local: { address: '192.0.2.9', port: 5070 } },
    ],
    [
      'a response that came in: so it is here',
      `id|sip|network|99|tls|192.0.2.1|5060|12:00:00.000000|txn|dialog|\r\n${ok}`,
      { text: ok, isOutgoing: false, transport: 'tls', remote, local: { address: '2001:db8::7', port: 5060 } },
    ],
    [
      'a response of ours',
      `id|response|rid|OK|application|99|udp|192.0.2.1|5060|12:00:00.000000|txn|dialog||Msg sent:|\r\n${ok}`,
      { text: ok, isOutgoing: true, transport: 'udp', remote },
    ],
    [
      'a request that the server sent by itself',
      `id|sip|application|99|udp|192.0.2.1|5060|12:00:00.000000|unsolicited|dialog|\r\n${invite()}`,
      { text: invite(), isOutgoing: true, transport: 'udp', remote, local: { address: '192.0.2.9', port: 5070 } },
    ],
  ])('%s', (_, frame, message) => {
    expect(messageOfFrame(frame)).toEqual({ sipCallId: 'abc@pbx', ...message });
  });

  it.each([
    ['no message', 'id|response|rid|OK|pong'],
    ['a refusal of the server', `id|response|rid|NOK|unknown\r\n${invite()}`],
    ['a response that the server made and nobody sent', `id|sip|network|9|udp||0|12:00:00.000000|txn|d|\r\n${ok}`],
    ['no Call-ID', 'id|sip|network|9|udp|192.0.2.1|5060|t|txn|d|\r\nSIP/2.0 200 OK\r\n\r\n'],
  ])('nothing: %s', (_, frame) => {
    expect(messageOfFrame(frame)).toBeUndefined();
  });
});
