import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { PEER_SDP, SipScriptPeer } from '../../support/sip-script-peer.js';
import { hopByHop } from '../../support/hop-by-hop.js';
import { Bench, LIFE_MS, read, T1_MS } from './bench.js';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.start();
});
afterEach(() => bench.stop());

describe('a call from the peer', () => {
  it('is answered, acknowledged and ended by the peer, and leaves nothing behind', async () => {
    const { invite, ok, dialog } = await bench.inboundCall();
    const trying = await bench.peer.response(100, 'INVITE');
    expect(trying.tag('To')).toBeUndefined();
    const ringing = await bench.peer.response(180, 'INVITE');
    expect(ringing.tag('To')).toBe(ok.tag('To'));
    expect(ok.body).toBe(PEER_SDP);
    expect(ok.get('Via')).toBe(`${invite.get('Via')};rport=${bench.peer.port}`);
    expect(ok.contactUri).toBe(`sip:127.0.0.1:${bench.sip.port}`);
    expect(dialog.id).toBe(`${invite.get('Call-ID')};from-tag=${invite.tag('From')}`);
    expect(dialog.sip.localTag).toBe(ok.tag('To'));
    const ended = new Promise<string | undefined>((resolve) => dialog.on('destroy', (_bye, reason) => resolve(reason)));
    await bench.peerHangsUp(invite, ok);
    expect(await ended).toBe('normal release');
    expect(bench.server.counts()).toMatchObject({ dialogs: 0, pending: 0 });
    await bench.quiet();
  });

  it('is ended by the app with a BYE of its own', async () => {
    const { invite, ok, dialog } = await bench.inboundCall();
    const bye = await bench.appHangsUp(dialog);
    expect(bye.uri).toBe(`sip:peer@127.0.0.1:${bench.peer.port}`);
    expect(bye.get('From')).toBe(ok.get('To'));
    expect(bye.get('To')).toBe(invite.get('From'));
    expect(bye.get('Max-Forwards')).toBe('70');
    await bench.quiet();
  });

  it('passes the message on as received, with the Via completed and compact names expanded', async () => {
    const handled = bench.handle('invite');
    await bench.routed();
    const odd = bench.peer
      .newRequest('INVITE', bench.uri(), { headers: ['X-Odd:   spaced  ,value', 's: hello', 'X-Utf: Grüße 📞'] })
      .replace('Call-ID:', 'i:');
    bench.peer.send(odd, bench.sip);
    const { req, res } = await handled;
    expect(req.raw).toContain('X-Odd: spaced  ,value\r\n');
    expect(req.raw).toContain('Subject: hello\r\n');
    expect(req.raw).toContain('X-Utf: Grüße 📞\r\n');
    expect(req.raw).toContain(`Via: ${read(odd).get('Via')};rport=${bench.peer.port}\r\n`);
    expect(req.get('Call-ID')).toBe(read(odd).get('i'));
    expect(req.source_address).toBe('127.0.0.1');
    expect(req.source_port).toBe(bench.peer.port);
    expect(req.receivedOn).toBe(`127.0.0.1:${bench.sip.port}`);
    res.send(486);
    const busy = await bench.peer.response(486, 'INVITE');
    bench.peer.send(hopByHop('ACK', read(odd.replace('i:', 'Call-ID:')), busy.get('To')), bench.sip);
    await bench.quiet();
  });

  it('is refused with 486, repeated until the ACK comes', async () => {
    bench.srf.use('invite', (_req, res) => res.send(486, { headers: { 'X-Why': 'lunch' } }));
    await bench.routed();
    const invite = bench.send('INVITE', { body: PEER_SDP });
    const busy = await bench.peer.response(486, 'INVITE');
    expect(busy.get('X-Why')).toBe('lunch');
    expect(busy.tag('To')).toMatch(/^[0-9a-f]{16}$/);
    expect(busy.has('Contact')).toBe(false);
    const again = await bench.peer.response(486, 'INVITE');
    expect(again.raw).toBe(busy.raw);
    bench.peer.send(hopByHop('ACK', invite, busy.get('To')), bench.sip);
    await bench.quiet();
  });

  it('absorbs a repeated INVITE, repeating the last provisional answer', async () => {
    let invites = 0;
    bench.srf.use('invite', (_req, res) => {
      invites++;
      res.send(180);
    });
    await bench.routed();
    const invite = bench.send('INVITE', { body: PEER_SDP });
    const ringing = await bench.peer.response(180, 'INVITE');
    bench.peer.send(invite.raw, bench.sip);
    expect((await bench.peer.response(180, 'INVITE')).raw).toBe(ringing.raw);
    expect(invites).toBe(1);
    bench.peer.send(hopByHop('CANCEL', invite), bench.sip);
    const ended = await bench.peer.response(487, 'INVITE');
    bench.peer.send(hopByHop('ACK', invite, ended.get('To')), bench.sip);
    await bench.quiet();
  });

  it('repeats the 200 until its ACK comes and tells the app of one ACK, however many come', async () => {
    let acks = 0;
    bench.answerCalls((dialog) => dialog.on('ack', () => acks++));
    await bench.routed();
    const invite = bench.send('INVITE', { body: PEER_SDP });
    const ok = await bench.peer.response(200, 'INVITE');
    const again = await bench.peer.response(200, 'INVITE');
    expect(again.raw).toBe(ok.raw);
    for (let copy = 0; copy < 3; copy++)
      bench.peer.send(bench.peer.inDialog('ACK', invite, ok, { cseq: 1 }), bench.sip);
    bench.peer.send(invite.raw, bench.sip);
    await eventually(() => acks > 0, 'the ACK in the app');
    await bench.peerHangsUp(invite, ok);
    expect(acks).toBe(1);
    const answers = bench.peer.count((message) => message.status === 200 && message.get('CSeq') === '1 INVITE');
    await bench.quiet();
    expect(bench.peer.count((message) => message.status === 200 && message.get('CSeq') === '1 INVITE')).toBe(answers);
  });

  it('ends a call whose 200 is never acknowledged with a BYE and tells the app', async () => {
    const reasons: (string | undefined)[] = [];
    bench.answerCalls((dialog) => dialog.on('destroy', (bye, reason) => reasons.push(`${bye.source}: ${reason}`)));
    await bench.routed();
    bench.send('INVITE', { body: PEER_SDP });
    const bye = await bench.peer.request('BYE');
    expect(bye.get('Reason')).toBe('SIP ;cause=200 ;text="ACK timeout"');
    bench.peer.reply(bye, 200, 'OK');
    const answers = bench.peer.received.filter(
      (message) => message.status === 200 && message.get('CSeq') === '1 INVITE',
    );
    expect(answers.length).toBeGreaterThan(5);
    const [first, second, third] = answers.map((message) => message.atMs);
    expect(third! - second!).toBeGreaterThan(second! - first!);
    await eventually(() => reasons.length === 1, 'destroy in the app');
    expect(reasons).toEqual(['application: ACK timeout']);
    await bench.quiet();
  });

  it('holds the app’s BYE until the ACK is there', async () => {
    bench.answerCalls((dialog) => void dialog.destroy());
    await bench.routed();
    const invite = bench.send('INVITE', { body: PEER_SDP });
    const ok = await bench.peer.response(200, 'INVITE');
    await bench.peer.response(200, 'INVITE');
    expect(bench.peer.count((message) => message.method === 'BYE')).toBe(0);
    bench.peer.send(bench.peer.inDialog('ACK', invite, ok, { cseq: 1 }), bench.sip);
    bench.peer.reply(await bench.peer.request('BYE'), 200, 'OK');
    await bench.quiet();
  });

  it('gives 480 when the app stays silent', async () => {
    await bench.stop();
    bench = await Bench.start({ timers: { t1Ms: T1_MS, t2Ms: 80, t4Ms: 100, appSilenceMs: 50 } });
    const handled = bench.handle('invite');
    await bench.routed();
    const invite = bench.send('INVITE', { body: PEER_SDP });
    const { res } = await handled;
    const refusal = await bench.peer.response(480, 'INVITE');
    bench.peer.send(hopByHop('ACK', invite, refusal.get('To')), bench.sip);
    const late = new Promise((resolve) => res.send(200, { body: PEER_SDP }, (error) => resolve(error)));
    expect(await late).toBe('Response not sent due to unknown transaction');
    await bench.quiet();
  });
});

describe('CANCEL from the peer', () => {
  it.each([
    ['before any answer of the app', false],
    ['while ringing', true],
  ])('%s gives 200 and 487 at once and tells the app', async (_when, rings) => {
    const handled = bench.handle('invite');
    await bench.routed();
    const invite = bench.send('INVITE', { body: PEER_SDP });
    const { req, res } = await handled;
    const cancelled = new Promise<void>((resolve) => req.on('cancel', () => resolve()));
    if (rings) {
      res.send(180);
      await bench.peer.response(180, 'INVITE');
    }
    bench.peer.send(hopByHop('CANCEL', invite), bench.sip);
    const okToCancel = await bench.peer.response(200, 'CANCEL');
    const terminated = await bench.peer.response(487, 'INVITE');
    expect(okToCancel.tag('To')).toBe(terminated.tag('To'));
    await cancelled;
    bench.peer.send(hopByHop('ACK', invite, terminated.get('To')), bench.sip);
    const late = new Promise((resolve) => res.send(200, { body: PEER_SDP }, (error) => resolve(error)));
    expect(await late).toBe('Response not sent due to unknown transaction');
    await bench.quiet();
  });

  it('is found by branch, Call-ID and CSeq when the sent-by has changed', async () => {
    const handled = bench.handle('invite');
    await bench.routed();
    const invite = bench.send('INVITE', { body: PEER_SDP });
    await handled;
    const moved = hopByHop('CANCEL', invite).replace(`127.0.0.1:${bench.peer.port};branch`, '203.0.113.9:5060;branch');
    bench.peer.send(moved, bench.sip);
    await bench.peer.response(200, 'CANCEL');
    const terminated = await bench.peer.response(487, 'INVITE');
    bench.peer.send(hopByHop('ACK', invite, terminated.get('To')), bench.sip);
    await bench.quiet();
  });

  it('that crosses our 200 changes nothing: 200 to the CANCEL, the call stands', async () => {
    const { invite, ok, dialog } = await bench.inboundCall();
    bench.peer.send(hopByHop('CANCEL', invite), bench.sip);
    await bench.peer.response(200, 'CANCEL');
    await bench.appHangsUp(dialog);
    expect(bench.peer.count((message) => message.status === 487)).toBe(0);
    expect(ok.status).toBe(200);
    await bench.quiet();
  });

  it('without its INVITE gives 481', async () => {
    const stray = read(bench.peer.newRequest('INVITE', bench.uri()));
    bench.peer.send(hopByHop('CANCEL', stray), bench.sip);
    await bench.peer.response(481, 'CANCEL');
    await bench.quiet();
  });
});

describe('inside a call from the peer', () => {
  it('hands re-INVITEs to the app, refreshes the target and tells of the ACK', async () => {
    const { invite, ok, dialog } = await bench.inboundCall();
    const modified = new Promise<string>((resolve) =>
      dialog.on('modify', (req, res) => {
        res.send(200, { body: PEER_SDP });
        resolve(req.stackDialogId);
      }),
    );
    const acked = new Promise<void>((resolve) => dialog.on('ack', () => resolve()));
    const moved = await SipScriptPeer.udp();
    const held = PEER_SDP.replace('sendrecv', 'sendonly').replace('o=peer 1 1', 'o=peer 1 2');
    const text = bench.peer.inDialog('INVITE', invite, ok, { cseq: 2, body: held });
    bench.peer.send(text.replace(bench.peer.contact, moved.contact), bench.sip);
    expect(await modified).toBe(dialog.id);
    const again = await bench.peer.next(
      (m) => m.status === 200 && m.get('CSeq') === '2 INVITE',
      '200 to the re-INVITE',
    );
    expect(again.tag('To')).toBe(ok.tag('To'));
    bench.peer.send(bench.peer.inDialog('ACK', invite, again, { cseq: 2 }), bench.sip);
    await acked;
    const bye = await bench.appHangsUp(dialog);
    expect(bye.uri).toBe(`sip:peer@127.0.0.1:${moved.port}`);
    await moved.stop();
    await bench.quiet();
  });

  it('carries INFO with its body, OPTIONS and MESSAGE to the dialog', async () => {
    const { invite, ok, dialog } = await bench.inboundCall();
    const infos: string[] = [];
    dialog.on('info', (req, res) => {
      infos.push(req.body);
      res.send(200, { headers: { 'X-Seen': 'yes' } });
    });
    const dtmf = 'Signal=5\r\nDuration=160\r\n';
    const text = bench.peer.inDialog('INFO', invite, ok, { cseq: 2, body: dtmf });
    bench.peer.send(text.replace('application/sdp', 'application/dtmf-relay'), bench.sip);
    expect((await bench.peer.response(200, 'INFO')).get('X-Seen')).toBe('yes');
    bench.peer.send(text.replace('application/sdp', 'application/dtmf-relay'), bench.sip);
    await bench.peer.response(200, 'INFO');
    expect(infos).toEqual([dtmf]);
    bench.peer.send(bench.peer.inDialog('OPTIONS', invite, ok, { cseq: 3 }), bench.sip);
    await bench.peer.response(200, 'OPTIONS');
    await bench.peerHangsUp(invite, ok, 4);
    await bench.quiet();
  });

  it('sends the app’s INFO and re-INVITE, and refuses a crossing re-INVITE with 491', async () => {
    const { invite, ok, dialog } = await bench.inboundCall();
    const info = dialog.request({
      method: 'INFO',
      body: 'Signal=1',
      headers: { 'Content-Type': 'application/dtmf-relay' },
    });
    const gotInfo = await bench.peer.request('INFO');
    bench.peer.reply(gotInfo, 200, 'OK');
    expect((await info).status).toBe(200);
    const modifying = dialog.modify(PEER_SDP);
    const reinvite = await bench.peer.request('INVITE');
    expect(reinvite.cseq).toBe(gotInfo.cseq + 1);
    expect(reinvite.contactUri).toBe(`sip:127.0.0.1:${bench.sip.port}`);
    bench.peer.send(bench.peer.inDialog('INVITE', invite, ok, { cseq: 2, body: PEER_SDP }), bench.sip);
    await bench.peer.response(491, 'INVITE');
    bench.peer.reply(reinvite, 200, 'OK', { body: PEER_SDP });
    expect(await modifying).toBe(PEER_SDP);
    expect((await bench.peer.next((m) => m.method === 'ACK', 'ACK')).cseq).toBe(reinvite.cseq);
    await bench.peerHangsUp(invite, ok, 3);
    await bench.quiet();
  });

  it('gives 500 to a CSeq that goes back and to a second INVITE while one is unanswered', async () => {
    const { invite, ok, dialog } = await bench.inboundCall();
    bench.peer.send(bench.peer.inDialog('INFO', invite, ok, { cseq: 5 }), bench.sip);
    await bench.peer.response(200, 'INFO');
    bench.peer.send(bench.peer.inDialog('INFO', invite, ok, { cseq: 4 }), bench.sip);
    await bench.peer.response(500, 'INFO');
    const waiting = new Promise<() => void>((resolve) =>
      dialog.on('modify', (_req, res) => resolve(() => res.send(488))),
    );
    bench.peer.send(
      bench.peer.inDialog('INVITE', invite, ok, { cseq: 6, body: PEER_SDP.replace('1 1', '1 3') }),
      bench.sip,
    );
    const refuse = await waiting;
    bench.peer.send(bench.peer.inDialog('INVITE', invite, ok, { cseq: 7, body: PEER_SDP }), bench.sip);
    expect((await bench.peer.response(500, 'INVITE')).has('Retry-After')).toBe(true);
    refuse();
    const notNow = await bench.peer.response(488, 'INVITE');
    bench.peer.send(
      hopByHop('ACK', notNow.has('Via') ? viaOf(notNow, ok.contactUri) : invite, notNow.get('To')),
      bench.sip,
    );
    await bench.peerHangsUp(invite, ok, 8);
    await bench.quiet();
  });

  it('follows the route set of Record-Route for its own requests', async () => {
    const proxy = await SipScriptPeer.udp();
    const far = 'Record-Route: <sip:10.0.0.9;lr>';
    const near = `Record-Route: <sip:127.0.0.1:${proxy.port};lr>`;
    const dialogs: { destroy(): Promise<unknown> }[] = [];
    bench.answerCalls((dialog) => dialogs.push(dialog));
    await bench.routed();
    const invite = bench.send('INVITE', { body: PEER_SDP, headers: [near, far] });
    const ok = await bench.peer.response(200, 'INVITE');
    expect(ok.all('Record-Route')).toEqual([near.slice(14), far.slice(14)]);
    bench.peer.send(bench.peer.inDialog('ACK', invite, ok, { cseq: 1 }), bench.sip);
    await eventually(() => dialogs.length === 1, 'dialog');
    const over = dialogs[0]!.destroy();
    const bye = await proxy.request('BYE');
    expect(bye.uri).toBe(`sip:peer@127.0.0.1:${bench.peer.port}`);
    expect(bye.all('Route')).toEqual([near.slice(14), far.slice(14)]);
    proxy.reply(bye, 200, 'OK');
    await over;
    await proxy.stop();
    await bench.quiet();
  });
});

/** The refused re-INVITE as the ACK needs it: what it shares with its response. */
function viaOf(response: ReturnType<typeof read>, uri: string): ReturnType<typeof read> {
  const via = response.get('Via').replace(/;rport=\d+/, '');
  return read(
    `INVITE ${uri} SIP/2.0\r\nVia: ${via}\r\nFrom: ${response.get('From')}\r\nTo: ${response.get('To')}\r\n` +
      `Call-ID: ${response.get('Call-ID')}\r\nCSeq: ${response.get('CSeq')}\r\n\r\n`,
  );
}

describe('what the server answers by itself', () => {
  it.each([
    ['a BYE outside any dialog', 'BYE', [], 481],
    ['an UPDATE outside any dialog', 'UPDATE', [], 481],
    ['a PRACK outside any dialog', 'PRACK', [], 481],
    ['an unknown method', 'FROBNICATE', [], 501],
    ['a method no app asked for', 'MESSAGE', [], 503],
    ['a bad Content-Length', 'OPTIONS', ['l: 99999'], 400],
  ])('%s', async (_what, method, headers, status) => {
    bench.srf.use('invite', (_req, res) => res.send(200));
    await bench.routed();
    bench.send(method, { headers });
    const answer = await bench.peer.response(status, method);
    expect(answer.tag('To')).toMatch(/^[0-9a-f]{12}$/);
    expect(bench.server.counts()).toEqual({ transactions: 0, dialogs: 0, pending: 0 });
  });

  it.each([
    ['another SIP version', (text: string) => text.replace('SIP/2.0\r\n', 'SIP/7.0\r\n'), 505],
    [
      'an unknown URI scheme',
      (text: string) => text.replace(/^OPTIONS \S+/, 'OPTIONS soap.beep://192.0.2.103:3002'),
      416,
    ],
    ['no From', (text: string) => text.replace(/From: .*\r\n/, ''), 400],
    ['a tag that would shift tokens', (text: string) => text.replace(/;tag=\w+/, ';tag=a|b'), 400],
    ['CSeq of another method', (text: string) => text.replace('1 OPTIONS', '1 INVITE'), 400],
  ])('a request with %s', async (_what, spoil, status) => {
    bench.peer.send(spoil(bench.peer.newRequest('OPTIONS', bench.uri())), bench.sip);
    const answer = await bench.peer.next((message) => message.status !== undefined, 'an answer');
    expect(answer.status).toBe(status);
  });

  it('is silent to what is no SIP, and goes on', async () => {
    for (const junk of [
      'hello',
      '\r\n\r\n',
      '\0\0\0\0\0\0\0\0',
      'GET / HTTP/1.1\r\n\r\n',
      'OPTIONS sip:x SIP/2.0\r\n\r\n',
    ]) {
      bench.peer.send(junk, bench.sip);
    }
    bench.send('OPTIONS');
    await bench.peer.response(503, 'OPTIONS');
    expect(bench.peer.received).toHaveLength(1);
  });

  it('481 inside a dialog nobody knows, but INFO and OPTIONS go to the app as new', async () => {
    bench.srf.use('options', (_req, res) => res.send(200));
    await bench.routed();
    const withTag = (method: string): string =>
      bench.peer.newRequest(method, bench.uri()).replace(`To: <${bench.uri()}>`, `To: <${bench.uri()}>;tag=gone`);
    bench.peer.send(withTag('INVITE'), bench.sip);
    await bench.peer.response(481, 'INVITE');
    bench.peer.send(withTag('BYE'), bench.sip);
    await bench.peer.response(481, 'BYE');
    bench.peer.send(withTag('OPTIONS'), bench.sip);
    await bench.peer.response(200, 'OPTIONS');
    await bench.quiet();
  });

  it('482 to the same INVITE over a second path', async () => {
    const handled = bench.handle('invite');
    await bench.routed();
    const invite = bench.send('INVITE', { body: PEER_SDP });
    const { res } = await handled;
    bench.peer.send(invite.raw.replace(/branch=z9hG4bK/, 'branch=z9hG4bKother'), bench.sip);
    await bench.peer.response(482, 'INVITE');
    res.send(486);
    const busy = await bench.peer.response(486, 'INVITE');
    bench.peer.send(hopByHop('ACK', invite, busy.get('To')), bench.sip);
    await bench.quiet();
  });

  it('drops a request the app never answers after 64·T1', async () => {
    const handled = bench.handle('message');
    await bench.routed();
    bench.send('MESSAGE');
    await handled;
    expect(bench.server.counts()).toMatchObject({ pending: 1, transactions: 1 });
    await eventually(() => bench.server.counts().pending === 0, 'the request forgotten', 3 * LIFE_MS);
    await bench.quiet();
  });
});
