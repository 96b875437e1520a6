import { describe, expect, it } from 'vitest';
import type { TappedFrame } from '../../sip-server/contract/frame-tap.js';
import { promisedOrder } from './promised-order.js';

const PORTS = new Map<string, string>();
const DIALOG = 'call-1;from-tag=a';
const uuid = (last: string): string => `00000000-0000-4000-8000-00000000000${last}`;

const frame = (from: TappedFrame['from'], tokens: readonly string[], sip?: string): TappedFrame => ({
  ...{ from, tokens, sip, byteLength: 0 },
});
const message = (start: string, cseq: string): string => `${start}\r\nCSeq: ${cseq}\r\n\r\n`;
const command = (id: string, dialog: string, method: string): TappedFrame =>
  frame('app', [uuid(id), 'sip', '', dialog], message(`${method} sip:b@c SIP/2.0`, `1 ${method}`));
const word = (id: string, txn: string): TappedFrame =>
  frame('server', [uuid('0'), 'response', uuid(id), 'OK', ...['application', '9', 'udp', 'h', '1', 't'], uuid(txn)]);
const event = (txn: string, dialog: string, start: string, cseq: string): TappedFrame =>
  frame('server', [uuid('0'), 'sip', 'network', '9', 'udp', 'h', '1', 't', uuid(txn), dialog], message(start, cseq));

const [ask, okAsk, answered] = [
  command('1', '', 'OPTIONS'),
  word('1', '2'),
  event('2', '', 'SIP/2.0 200 OK', '1 OPTIONS'),
];
const [ack, okAck] = [command('3', DIALOG, 'ACK'), word('3', '4')];
const [bye, okBye, over] = [command('5', DIALOG, 'BYE'), word('5', '6'), event('6', DIALOG, 'SIP/2.0 200 OK', '2 BYE')];
const order = (...frames: readonly TappedFrame[]) => promisedOrder(frames, PORTS);
const straight = order(ask, okAsk, answered, ack, okAck, bye, okBye, over);

describe('what is promised of the order of frames', () => {
  it('is kept where transactions overtake each other', () => {
    expect(order(ack, ask, bye, okAck, okAsk, okBye, over, answered)).toEqual(straight);
  });

  it.each([
    ['an event comes before the word on its request', [ask, answered, okAsk, ack, okAck, bye, okBye, over]],
    ['two requests of a dialog change places', [ask, okAsk, answered, bye, okBye, over, ack, okAck]],
    ['a frame is missing', [ask, okAsk, answered, ack, okAck, bye, okBye]],
    ['a frame comes twice', [ask, okAsk, answered, answered, ack, okAck, bye, okBye, over]],
    ['the word is on another request', [ask, word('1', '6'), answered, ack, okAck, bye, word('5', '2'), over]],
    [
      'an event is of another dialog',
      [ask, okAsk, answered, ack, okAck, bye, okBye, event('6', `x${DIALOG}`, 'SIP/2.0 200 OK', '2 BYE'), ack],
    ],
  ])('is broken where %s', (_what, frames) => {
    expect(order(...frames)).not.toEqual(straight);
  });
});
