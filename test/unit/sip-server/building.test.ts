import { describe, expect, it } from 'vitest';
import { FakeClock, guardedClock } from '../../../src/lib/clock.js';
import { systemIds } from '../../../src/lib/ids.js';
import {
  appHeaders,
  contentTypeOf,
  hasControlCharacter,
  replaceLocalhost,
} from '../../../src/sip-server/core/app-message.js';
import { uuid } from '../../../src/sip-server/core/core.js';
import { IdPool } from '../../../src/sip-server/core/id-pool.js';
import {
  ackRequest,
  cancelRequest,
  inDialogRequest,
  routeOf,
  viaHeader,
} from '../../../src/sip-server/core/request-text.js';
import { buildResponse, plainResponse, statelessTag } from '../../../src/sip-server/core/response-text.js';
import { Dialog } from '../../../src/sip-server/dialog/dialog.js';
import type { SipRequest, SipResponse } from '../../../src/sip-server/sip/message.js';
import { all, first, header, NO_BODY } from '../../../src/sip-server/sip/message.js';
import { parseMessage } from '../../../src/sip-server/sip/parse.js';
import { serverKeys } from '../../../src/sip-server/transaction/transaction-table.js';
import type { Flow } from '../../../src/sip-server/transport/flow.js';
import { isOwnAddress } from '../../../src/sip-server/transport/local-address.js';
import type { ClientSession } from '../../../src/sip-server/wire/client-session.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const shown = { host: '192.0.2.1', port: 5070 };
const owner = null as unknown as ClientSession;
const flow = { protocol: 'udp', reliable: false } as Flow;

const message = (text: string): SipRequest | SipResponse =>
  parseMessage(Buffer.from(`${text.trim().replaceAll('\n', '\r\n')}\r\n\r\n`))!.message;
const request = (text: string): SipRequest => message(text) as SipRequest;

const INVITE = request(`INVITE sip:us@192.0.2.1 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKabc
Via: SIP/2.0/UDP 192.0.2.8;branch=z9hG4bKdef
Record-Route: <sip:p1;lr>, <sip:p2;lr>
From: "A" <sip:a@192.0.2.9>;tag=theirs
To: <sip:us@192.0.2.1>
Call-ID: c1
CSeq: 7 INVITE
Contact: <sip:a@192.0.2.9:5062>`);

describe('headers of the application', () => {
  it.each([
    ['sip:foo@localhost', '<sip:foo@192.0.2.1:5070>'],
    ['"F" <sip:foo@localhost:5060;x=y>;tag=1', '"F" <sip:foo@192.0.2.1:5070;x=y>;tag=1'],
    ['<sips:localhost>, <sip:a@b>', '<sips:192.0.2.1:5070>, <sip:a@b>'],
    ['<sip:localhost@example.com>', '<sip:localhost@example.com>'],
    ['<sip:a@localhost.example.com>', '<sip:a@localhost.example.com>'],
    ['garbage localhost', 'garbage localhost'],
  ])('localhost in %s is this server', (value, replaced) => {
    expect(replaceLocalhost(value, false, shown)).toBe(replaced);
  });

  it('takes the bare word in From alone', () => {
    expect(replaceLocalhost('localhost', true, shown)).toBe('<sip:192.0.2.1:5070>');
    expect(replaceLocalhost('localhost', false, shown)).toBe('localhost');
  });

  it('drops what the server writes itself and spells the rest canonically', () => {
    const given = request(
      'OPTIONS sip:x SIP/2.0\nvia: v\nroute: r\nrecord-route: r\nrseq: 1\ncontent-length: 3\ncseq: 1 X\nx-a: b\nX-b: c\nallow-events: d',
    );
    expect(appHeaders(given, shown, ['cseq']).map((line) => `${line.name}: ${line.value}`)).toEqual([
      'X-A: b',
      'X-b: c',
      'Allow-Events: d',
    ]);
  });

  it('finds the type of a body', () => {
    const body = (text: string): SipRequest => ({ ...request('INFO sip:x SIP/2.0\nA-b: c'), body: Buffer.from(text) });
    expect(contentTypeOf(body(''))?.header).toBeUndefined();
    expect(contentTypeOf(body('v=0\r\n'))?.header?.value).toBe('application/sdp');
    expect(contentTypeOf(body('hello'))).toBeUndefined();
  });

  it('knows control characters', () => {
    expect(hasControlCharacter({ headers: [header('A', 'b\x00')] })).toBe(true);
    expect(hasControlCharacter({ headers: [header('A', 'b\tü')] })).toBe(false);
  });
});

describe('responses', () => {
  it('copy what RFC 3261 §8.2.6 says, and tag To once', () => {
    const parts = { status: 180, reason: 'Ringing', toTag: 'ours', headers: [header('X-A', 'b')], body: NO_BODY };
    const response = buildResponse(INVITE, parts);
    expect(all(response, 'via')).toEqual(all(INVITE, 'via'));
    expect(first(response, 'to')).toBe('<sip:us@192.0.2.1>;tag=ours');
    const again = buildResponse({ ...INVITE, headers: response.headers }, { ...parts, toTag: 'other' });
    expect(first(again, 'to')).toBe('<sip:us@192.0.2.1>;tag=ours');
  });

  it('without state have the same tag for every copy of a request, and another for another', () => {
    const other = {
      ...INVITE,
      headers: INVITE.headers.map((line) => (line.key === 'call-id' ? header('Call-ID', 'c2') : line)),
    };
    expect(statelessTag(INVITE, 's')).toBe(statelessTag({ ...INVITE }, 's'));
    expect(statelessTag(INVITE, 's')).not.toBe(statelessTag(other, 's'));
    expect(statelessTag(INVITE, 's')).not.toBe(statelessTag(INVITE, 't'));
    expect(plainResponse(INVITE, 481, 't').toString()).toMatch(/^SIP\/2\.0 481 Call\/Transaction Does Not Exist\r\n/);
  });
});

describe('dialogs', () => {
  const via = viaHeader(flow, shown, 'z9hG4bKx');
  const parts = { method: 'BYE', seq: 1, headers: [], body: NO_BODY };

  it('as UAS take route set, target and parties from the INVITE', () => {
    const dialog = Dialog.answering(INVITE, 'ours', owner, 'txn', flow);
    expect(dialog.id).toBe('c1;from-tag=theirs');
    const bye = inDialogRequest(dialog, via, parts);
    expect(bye.uri).toBe('sip:a@192.0.2.9:5062');
    expect(all(bye, 'route')).toEqual(['<sip:p1;lr>', '<sip:p2;lr>']);
    expect(first(bye, 'from')).toBe('<sip:us@192.0.2.1>;tag=ours');
    expect(first(bye, 'to')).toBe('"A" <sip:a@192.0.2.9>;tag=theirs');
    expect([dialog.matches('ours', 'theirs'), dialog.matches('ours', 'x'), dialog.matches('x', 'theirs')]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('fall back on From when there is no Contact', () => {
    const bare = { ...INVITE, headers: INVITE.headers.filter((line) => line.key !== 'contact') };
    expect(Dialog.answering(bare, 'ours', owner, 'txn', flow).remoteTarget).toBe('sip:a@192.0.2.9');
  });

  it('as UAC reverse the route set, set it anew with the 2xx, and keep it after', () => {
    const dialog = Dialog.calling(INVITE, owner, 'txn', flow);
    const answer = (status: number, routes: string, tag: string): SipResponse =>
      message(
        `SIP/2.0 ${status} X\nTo: <sip:b@x>;tag=${tag}\nContact: <sip:b@${tag}>\nRecord-Route: ${routes}`,
      ) as SipResponse;
    dialog.learn(answer(183, '<sip:e1;lr>', 'early'), flow);
    expect([dialog.state, dialog.remoteTag, routeOf(dialog).routes]).toEqual(['early', 'early', ['<sip:e1;lr>']]);
    dialog.learn(answer(200, '<sip:p1;lr>, <sip:p2;lr>', 'final'), flow);
    expect([dialog.state, dialog.remoteTag, routeOf(dialog).routes]).toEqual([
      'confirmed',
      'final',
      ['<sip:p2;lr>', '<sip:p1;lr>'],
    ]);
    dialog.learn(answer(200, '<sip:other;lr>', 'final'), flow);
    expect(routeOf(dialog).routes).toEqual(['<sip:p2;lr>', '<sip:p1;lr>']);
    expect(routeOf(dialog).uri).toBe('sip:b@final');
  });

  it('put a strict router in the Request-URI and the target last (RFC 3261 §12.2.1.1)', () => {
    const dialog = Dialog.answering(INVITE, 'ours', owner, 'txn', flow);
    dialog.routeSet = ['<sip:strict>', '<sip:p2;lr>'];
    expect(routeOf(dialog)).toEqual({ uri: 'sip:strict', routes: ['<sip:p2;lr>', '<sip:a@192.0.2.9:5062>'] });
  });
});

describe('hop-by-hop requests', () => {
  it('CANCEL and ACK to a refusal repeat the INVITE’s top Via, routes and CSeq number', () => {
    const invite = { ...INVITE, headers: [...INVITE.headers, header('Route', '<sip:r;lr>')] };
    const cancel = cancelRequest(invite, [header('Reason', 'SIP;cause=200')]);
    expect(all(cancel, 'via')).toEqual(['SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKabc']);
    expect(all(cancel, 'route')).toEqual(['<sip:r;lr>']);
    expect([first(cancel, 'cseq'), first(cancel, 'to'), first(cancel, 'reason')]).toEqual([
      '7 CANCEL',
      '<sip:us@192.0.2.1>',
      'SIP;cause=200',
    ]);
    const ack = ackRequest(invite, '<sip:us@192.0.2.1>;tag=t');
    expect([first(ack, 'cseq'), first(ack, 'to')]).toEqual(['7 ACK', '<sip:us@192.0.2.1>;tag=t']);
  });
});

describe('transaction keys', () => {
  const withVia = (value: string): SipRequest => ({
    ...INVITE,
    headers: [header('Via', value), ...INVITE.headers.slice(2)],
  });

  it('go by branch and sent-by; without the magic cookie by what RFC 2543 had', () => {
    const modern = serverKeys(withVia('SIP/2.0/UDP h:5060;branch=z9hG4bK1'), 'INVITE');
    expect(modern.exact).toBe(serverKeys(withVia('SIP/2.0/UDP H;branch=z9hG4bK1;rport'), 'INVITE').exact);
    expect(modern.exact).not.toBe(serverKeys(withVia('SIP/2.0/UDP h:5061;branch=z9hG4bK1'), 'INVITE').exact);
    expect(modern.loose).toBe(serverKeys(withVia('SIP/2.0/UDP h:5061;branch=z9hG4bK1'), 'INVITE').loose);
    expect(serverKeys(withVia('SIP/2.0/UDP h;branch=z9hG4bK'), 'INVITE').exact).toMatch(/^rfc2543/);
    expect(serverKeys(withVia('SIP/2.0/UDP h'), 'INVITE').exact).toMatch(/^rfc2543/);
  });
});

describe('small parts', () => {
  it('a timer that throws is logged and harms no other', () => {
    const clock = new FakeClock();
    const log = new RecordingLogger();
    const guarded = guardedClock(clock, (err) => log.error('sip timer failed', { err }));
    const fired: string[] = [];
    guarded.after(1, () => {
      throw new Error('boom');
    });
    guarded.after(2, () => fired.push('second'));
    clock.advance(5);
    expect(fired).toEqual(['second']);
    expect(log.lines.map((line) => line.message)).toEqual(['sip timer failed']);
  });

  it('ids from the pool are fresh, and UUIDs well formed', () => {
    const pool = new IdPool(systemIds);
    const ids = Array.from({ length: 2000 }, () => uuid(pool));
    expect(new Set(ids).size).toBe(2000);
    expect(ids.every((id) => /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id))).toBe(
      true,
    );
    expect(pool.hex(5000)).toHaveLength(10_000);
  });

  it('knows its own addresses', () => {
    expect([isOwnAddress('127.3.2.1'), isOwnAddress('::1'), isOwnAddress('192.0.2.77')]).toEqual([true, true, false]);
  });
});
