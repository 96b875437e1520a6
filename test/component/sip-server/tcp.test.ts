import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, settled } from '../../support/eventually.js';
import { freePort } from '../../support/ports.js';
import { PEER_SDP } from '../../support/sip-script-peer.js';
import { Bench, LIFE_MS, read } from './bench.js';
import { refusedWith } from './srf-app.js';

let bench: Bench;
let line: Socket;
beforeEach(async () => {
  bench = await Bench.start({ peer: 'tcp' });
  line = await bench.peer.dial(bench.sip);
});
afterEach(() => bench.stop());

describe('over TCP', () => {
  it('takes a call and answers on the connection it came on; the app’s BYE uses it too', async () => {
    const dialogs: { destroy(): Promise<unknown> }[] = [];
    bench.answerCalls((dialog) => dialogs.push(dialog));
    await bench.routed();
    const text = bench.peer.newRequest('INVITE', bench.uri(), { body: PEER_SDP });
    bench.peer.send(text, line);
    const ok = await bench.peer.response(200, 'INVITE');
    expect(ok.connection).toBe(line);
    expect(ok.contactUri).toBe(`sip:127.0.0.1:${bench.sip.port};transport=tcp`);
    bench.peer.send(bench.peer.inDialog('ACK', read(text), ok, { cseq: 1 }), line);
    await eventually(() => dialogs.length === 1, 'dialog');
    const over = dialogs[0]!.destroy();
    const bye = await bench.peer.request('BYE');
    expect(bye.connection).toBe(line);
    expect(bye.get('Via')).toContain('SIP/2.0/TCP');
    bench.peer.reply(bye, 200, 'OK');
    await over;
    await bench.quiet();
  });

  it('places a call on a connection of its own, repeats nothing, and uses it throughout', async () => {
    const calling = bench.srf.createUAC(bench.peerUri, { localSdp: PEER_SDP });
    const invite = await bench.peer.request('INVITE');
    expect(invite.get('Via')).toContain(`SIP/2.0/TCP 127.0.0.1:${bench.sip.port};`);
    bench.clock.skip(LIFE_MS / 2);
    await settled();
    bench.peer.reply(invite, 180, 'Ringing', { toTag: 'peer1' });
    bench.peer.reply(invite, 200, 'OK', { toTag: 'peer1', body: PEER_SDP });
    const dialog = await calling;
    expect(bench.peer.count((message) => message.method === 'INVITE')).toBe(1);
    expect((await bench.peer.request('ACK')).connection).toBe(invite.connection);
    expect((await bench.appHangsUp(dialog)).connection).toBe(invite.connection);
    await bench.quiet();
  });

  it('joins pieces, parts messages that come together and answers pings', async () => {
    bench.srf.use('options', (_req, res) => res.send(200));
    await bench.routed();
    const pong = new Promise<Buffer>((resolve) => line.once('data', resolve));
    bench.peer.send('\r\n\r\n', line);
    expect((await pong).toString()).toBe('\r\n');
    const one = bench.peer.newRequest('OPTIONS', bench.uri('one'));
    const two = bench.peer.newRequest('OPTIONS', bench.uri('two'), { body: 'Grüße' });
    const bytes = Buffer.from(`\r\n${one}${two}`);
    for (let at = 0; at < bytes.length; at += 61) {
      bench.peer.send(bytes.subarray(at, at + 61), line);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const answers = [await bench.peer.response(200, 'OPTIONS'), await bench.peer.response(200, 'OPTIONS')];
    expect(answers.map((message) => message.get('Call-ID'))).toEqual([
      read(one).get('Call-ID'),
      read(two).get('Call-ID'),
    ]);
  });

  it.each([
    ['an endless header section', 'OPTIONS sip:x@y SIP/2.0\r\nX: ' + 'a'.repeat(40_000)],
    ['a body beyond the cap', 'OPTIONS sip:x@y SIP/2.0\r\nContent-Length: 300000\r\n\r\n'],
    ['two lengths', 'OPTIONS sip:x@y SIP/2.0\r\nContent-Length: 1\r\nl: 2\r\n\r\n'],
  ])('closes the connection on %s', async (_what, junk) => {
    const closed = new Promise<void>((resolve) => line.once('close', () => resolve()));
    bench.peer.send(junk, line);
    await closed;
  });

  it('answers over a new connection when the caller’s is gone', async () => {
    const handled = bench.handle('message');
    await bench.routed();
    bench.peer.send(bench.peer.newRequest('MESSAGE', bench.uri()), line);
    const { res } = await handled;
    line.destroy();
    const other = await bench.peer.dial(bench.sip);
    bench.peer.send(bench.peer.newRequest('FROBNICATE', bench.uri()), other);
    await bench.peer.response(501, 'FROBNICATE');
    res.send(200);
    const answer = await bench.peer.response(200, 'MESSAGE');
    expect(answer.connection).not.toBe(line);
  });

  it('gives 503 at once when the connection is refused', async () => {
    const calling = bench.srf.createUAC(`sip:bob@127.0.0.1:${await freePort()};transport=tcp`, { localSdp: PEER_SDP });
    expect(await refusedWith(calling)).toBe(503);
    await bench.quiet();
  });
});
