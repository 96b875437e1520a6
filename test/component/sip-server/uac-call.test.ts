import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { freePort } from '../../support/ports.js';
import { PEER_SDP, SipScriptPeer } from '../../support/sip-script-peer.js';
import { Bench, LIFE_MS } from './bench.js';
import { refusedWith } from './srf-app.js';
import type { SrfRequest } from './srf-app.js';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.start();
});
afterEach(() => bench.stop());

/** Starts a call and gives its request, so that it can be cancelled. */
async function dial(
  options: { headers?: Record<string, string> } = {},
): Promise<{ call: Promise<unknown>; request: SrfRequest; heard: number[] }> {
  const started: { request?: SrfRequest } = {};
  const heard: number[] = [];
  const call = bench.srf.createUAC(
    bench.peerUri,
    { localSdp: PEER_SDP, ...options },
    {
      cbRequest: (_error, request) => request && (started.request = request),
      cbProvisional: (response) => heard.push(response.status),
    },
  );
  call.catch(() => undefined);
  await eventually(() => started.request !== undefined, 'the request');
  return { call, request: started.request!, heard };
}

describe('a call from the app', () => {
  it('rings, is answered, acknowledged and ended by the app', async () => {
    const provisional: number[] = [];
    const calling = bench.srf.createUAC(
      bench.peerUri,
      { localSdp: PEER_SDP, headers: { From: '"Ann" <sip:ann@localhost>', 'X-Facts': 'a|b' } },
      { cbProvisional: (response) => provisional.push(response.status) },
    );
    const invite = await bench.peer.request('INVITE');
    const here = `127.0.0.1:${bench.sip.port}`;
    expect(invite.uri).toBe(bench.peerUri);
    expect(invite.get('From')).toMatch(new RegExp(`^"Ann" <sip:ann@${here}>;tag=[0-9a-f]{16}$`));
    expect(invite.get('To')).toBe(`<${bench.peerUri}>`);
    expect(invite.get('Contact')).toBe(`<sip:${here}>`);
    expect(invite.get('Via')).toMatch(new RegExp(`^SIP/2.0/UDP ${here};rport;branch=z9hG4bK`));
    expect(invite.get('X-Facts')).toBe('a|b');
    expect(invite.get('Content-Type')).toBe('application/sdp');
    expect(invite.get('Content-Length')).toBe(String(PEER_SDP.length));
    bench.peer.reply(invite, 100, 'Trying');
    bench.peer.reply(invite, 180, 'Ringing', { toTag: 'peer1' });
    bench.peer.reply(invite, 180, 'Ringing', { toTag: 'peer1' });
    bench.peer.reply(invite, 200, 'OK', { toTag: 'peer1', body: PEER_SDP });
    const dialog = await calling;
    const ack = await bench.peer.request('ACK');
    expect(ack.uri).toBe(`sip:peer@127.0.0.1:${bench.peer.port}`);
    expect(ack.cseq).toBe(invite.cseq);
    expect(ack.branch).not.toBe(invite.branch);
    expect(provisional).toEqual([180]);
    expect(dialog.id).toBe(`${invite.get('Call-ID')};from-tag=${invite.tag('From')}`);
    const bye = await bench.appHangsUp(dialog);
    expect(bye.cseq).toBe(invite.cseq + 1);
    expect(bye.tag('To')).toBe('peer1');
    await bench.quiet();
  });

  it('is ended by the peer', async () => {
    const { invite, dialog } = await bench.outboundCall();
    const ended = new Promise<void>((resolve) => dialog.on('destroy', () => resolve()));
    bench.peer.send(bench.peer.fromCallee('BYE', invite, 'peer1', 1), bench.sip);
    await bench.peer.response(200, 'BYE');
    await ended;
    await bench.quiet();
  });

  it('repeats the INVITE until something is heard, then no more', async () => {
    const { call } = await dial();
    const invite = await bench.peer.request('INVITE');
    await bench.peer.copyOf(invite);
    bench.peer.reply(invite, 180, 'Ringing', { toTag: 'peer1' });
    bench.peer.reply(invite, 486, 'Busy Here', { toTag: 'peer1' });
    const ack = await bench.peer.request('ACK');
    expect(await refusedWith(call)).toBe(486);
    expect(ack.branch).toBe(invite.branch);
    expect(ack.tag('To')).toBe('peer1');
    bench.peer.reply(invite, 486, 'Busy Here', { toTag: 'peer1' });
    expect((await bench.peer.request('ACK')).raw).toBe(ack.raw);
    await bench.quiet();
  });

  it('repeats its ACK for a repeated 200, even late', async () => {
    const { invite, ack, dialog } = await bench.outboundCall();
    bench.peer.reply(invite, 200, 'OK', { toTag: 'peer1', body: PEER_SDP });
    expect((await bench.peer.request('ACK')).raw).toBe(ack.raw);
    await eventually(() => bench.server.counts().transactions === 0, 'the transaction over', 3 * LIFE_MS);
    bench.peer.reply(invite, 200, 'OK', { toTag: 'peer1', body: PEER_SDP });
    expect((await bench.peer.request('ACK')).raw).toBe(ack.raw);
    await bench.appHangsUp(dialog);
    await bench.quiet();
  });

  it('ends the second answer of a fork by itself', async () => {
    const { invite, dialog } = await bench.outboundCall();
    const other = await SipScriptPeer.udp();
    const answer = bench.peer
      .responseText(invite, 200, 'OK', { toTag: 'fork2', body: PEER_SDP })
      .replace(bench.peer.contact, other.contact);
    other.send(answer, bench.sip);
    const ack = await other.next((m) => m.method === 'ACK' && m.tag('To') === 'fork2', 'ACK to the fork');
    const bye = await other.next((m) => m.method === 'BYE' && m.tag('To') === 'fork2', 'BYE to the fork');
    expect(ack.uri).toBe(`sip:peer@127.0.0.1:${other.port}`);
    other.reply(bye, 200, 'OK');
    await bench.appHangsUp(dialog);
    await other.stop();
    await bench.quiet();
  });

  it('follows the reversed route set and the strict router', async () => {
    const proxy = await SipScriptPeer.udp();
    const near = `<sip:127.0.0.1:${proxy.port};lr>`;
    const {
      dialog,
      invite,
      ack: direct,
    } = await (async () => {
      const calling = bench.srf.createUAC(bench.peerUri, { localSdp: PEER_SDP });
      const got = await bench.peer.request('INVITE');
      const headers = ['Record-Route: <sip:10.0.0.9;lr>', `Record-Route: ${near}`];
      bench.peer.reply(got, 200, 'OK', { toTag: 'peer1', body: PEER_SDP, headers });
      return { dialog: await calling, invite: got, ack: await proxy.request('ACK') };
    })();
    expect(direct.all('Route')).toEqual([near, '<sip:10.0.0.9;lr>']);
    expect(direct.uri).toBe(`sip:peer@127.0.0.1:${bench.peer.port}`);
    expect(invite.has('Route')).toBe(false);
    const over = dialog.destroy();
    proxy.reply(await proxy.request('BYE'), 200, 'OK');
    await over;

    const strict = `<sip:127.0.0.1:${proxy.port}>`;
    const again = bench.srf.createUAC(bench.peerUri, { localSdp: PEER_SDP });
    const second = await bench.peer.next(
      (m) => m.method === 'INVITE' && m.get('Call-ID') !== invite.get('Call-ID'),
      'INVITE',
    );
    bench.peer.reply(second, 200, 'OK', { toTag: 'peer2', body: PEER_SDP, headers: [`Record-Route: ${strict}`] });
    const strictDialog = await again;
    const ack = await proxy.request('ACK');
    expect(ack.uri).toBe(strict.slice(1, -1));
    expect(ack.all('Route')).toEqual([`<sip:peer@127.0.0.1:${bench.peer.port}>`]);
    const hungUp = strictDialog.destroy();
    proxy.reply(await proxy.request('BYE'), 200, 'OK');
    await hungUp;
    await proxy.stop();
    await bench.quiet();
  });

  it('takes re-INVITE, INFO and UPDATE of the peer, and sends its own re-INVITE', async () => {
    const { invite, dialog } = await bench.outboundCall();
    const seen: string[] = [];
    dialog.on('modify', (_req, res) => {
      seen.push('modify');
      res.send(200, { body: PEER_SDP });
    });
    dialog.on('info', (_req, res) => {
      seen.push('info');
      res.send(200);
    });
    dialog.on('update', (_req, res) => {
      seen.push('update');
      res.send(200);
    });
    const sdp = PEER_SDP.replace('1 1', '1 2');
    bench.peer.send(bench.peer.fromCallee('INVITE', invite, 'peer1', 1, [], sdp), bench.sip);
    const ok = await bench.peer.response(200, 'INVITE');
    bench.peer.send(bench.peer.fromCallee('ACK', invite, 'peer1', 1), bench.sip);
    expect(ok.contactUri).toBe(`sip:127.0.0.1:${bench.sip.port}`);
    bench.peer.send(bench.peer.fromCallee('INFO', invite, 'peer1', 2), bench.sip);
    await bench.peer.response(200, 'INFO');
    bench.peer.send(bench.peer.fromCallee('UPDATE', invite, 'peer1', 3), bench.sip);
    await bench.peer.response(200, 'UPDATE');
    expect(seen).toEqual(['modify', 'info', 'update']);
    const modifying = dialog.modify(PEER_SDP);
    const reinvite = await bench.peer.next((m) => m.method === 'INVITE' && m.cseq > invite.cseq, 're-INVITE');
    bench.peer.reply(reinvite, 200, 'OK', { body: PEER_SDP });
    await modifying;
    expect((await bench.peer.next((m) => m.method === 'ACK' && m.cseq === reinvite.cseq, 'ACK')).tag('To')).toBe(
      'peer1',
    );
    await bench.appHangsUp(dialog);
    await bench.quiet();
  });

  it('cancels a running re-INVITE before its BYE', async () => {
    const { invite, dialog } = await bench.outboundCall();
    dialog.modify(PEER_SDP).catch(() => undefined);
    const reinvite = await bench.peer.next((m) => m.method === 'INVITE' && m.cseq > invite.cseq, 're-INVITE');
    bench.peer.reply(reinvite, 100, 'Trying');
    const over = dialog.destroy();
    const cancel = await bench.peer.request('CANCEL');
    expect(cancel.branch).toBe(reinvite.branch);
    bench.peer.reply(cancel, 200, 'OK');
    bench.peer.reply(reinvite, 487, 'Request Terminated');
    bench.peer.reply(await bench.peer.request('BYE'), 200, 'OK');
    await over;
    await bench.quiet();
  });

  it('sends PRACK of srf for a reliable 183, to the remote target', async () => {
    const calling = bench.srf.createUAC(bench.peerUri, { localSdp: PEER_SDP });
    const invite = await bench.peer.request('INVITE');
    const reliable = { toTag: 'peer1', headers: ['Require: 100rel', 'RSeq: 7'], body: PEER_SDP };
    bench.peer.reply(invite, 183, 'Session Progress', reliable);
    const prack = await bench.peer.request('PRACK');
    expect(prack.get('RAck')).toBe(`7 ${invite.cseq} INVITE`);
    expect(prack.uri).toBe(`sip:peer@127.0.0.1:${bench.peer.port}`);
    bench.peer.reply(prack, 200, 'OK');
    bench.peer.reply(invite, 183, 'Session Progress', reliable);
    bench.peer.reply(invite, 200, 'OK', { toTag: 'peer1', body: PEER_SDP });
    await bench.appHangsUp(await calling);
    expect(new Set(bench.peer.received.filter((m) => m.method === 'PRACK').map((m) => m.cseq)).size).toBe(1);
    await bench.quiet();
  });
});

describe('CANCEL from the app', () => {
  it('is held until the first provisional answer', async () => {
    const { call, request } = await dial();
    const invite = await bench.peer.request('INVITE');
    await new Promise<void>((resolve) => request.cancel({ headers: { Reason: 'SIP;cause=200' } }, () => resolve()));
    expect(bench.peer.count((m) => m.method === 'CANCEL')).toBe(0);
    bench.peer.reply(invite, 100, 'Trying');
    const cancel = await bench.peer.request('CANCEL');
    expect(cancel.uri).toBe(invite.uri);
    expect(cancel.get('Via')).toBe(invite.get('Via'));
    expect(cancel.cseq).toBe(invite.cseq);
    expect(cancel.get('From')).toBe(invite.get('From'));
    expect(cancel.get('Reason')).toBe('SIP;cause=200');
    bench.peer.reply(cancel, 200, 'OK');
    bench.peer.reply(invite, 487, 'Request Terminated', { toTag: 'peer1' });
    expect(await refusedWith(call)).toBe(487);
    expect((await bench.peer.request('ACK')).branch).toBe(invite.branch);
    await bench.quiet();
  });

  it('that crosses a 200 ends in ACK and BYE, and the app is told', async () => {
    const calling: { destroyed?: string } = {};
    const { call, request, heard } = await dial();
    const invite = await bench.peer.request('INVITE');
    bench.peer.reply(invite, 180, 'Ringing', { toTag: 'peer1' });
    await eventually(() => heard.length === 1, 'the 180 in the app');
    request.cancel();
    const cancel = await bench.peer.request('CANCEL');
    bench.peer.reply(invite, 200, 'OK', { toTag: 'peer1', body: PEER_SDP });
    bench.peer.reply(cancel, 200, 'OK');
    const dialog = (await call) as Awaited<ReturnType<typeof bench.srf.createUAC>>;
    dialog.on('destroy', (_bye, reason) => {
      if (reason !== undefined) calling.destroyed = reason;
    });
    await bench.peer.request('ACK');
    const bye = await bench.peer.request('BYE');
    expect(bye.get('Reason')).toContain('ACK-BYE due to cancel race condition');
    bench.peer.reply(bye, 200, 'OK');
    await eventually(() => calling.destroyed !== undefined, 'destroy');
    expect(calling.destroyed).toBe('ACK-BYE due to cancel race condition');
    await bench.quiet();
  });

  it('that nobody answers gives 408 after 64·T1', async () => {
    const { call, request } = await dial();
    const invite = await bench.peer.request('INVITE');
    bench.peer.reply(invite, 180, 'Ringing', { toTag: 'peer1' });
    request.cancel();
    await bench.peer.request('CANCEL');
    expect(await refusedWith(call)).toBe(408);
    await bench.quiet();
  });

  it('of a call that is over is refused', async () => {
    const { call, request } = await dial();
    bench.peer.reply(await bench.peer.request('INVITE'), 486, 'Busy Here', { toTag: 'peer1' });
    await refusedWith(call);
    const error = await new Promise((resolve) => request.cancel((failure) => resolve(failure)));
    expect(String(error)).toContain('unable to cancel unknown transaction id');
    await bench.quiet();
  });
});

describe('digest answered by srf', () => {
  it.each([
    [401, 'WWW-Authenticate', 'Authorization'],
    [407, 'Proxy-Authenticate', 'Proxy-Authorization'],
  ])('retries after %i with the same Call-ID and tag and the next CSeq', async (status, challenge, credentials) => {
    const auth = { username: 'bob', password: 'secret' };
    const calling = bench.srf.createUAC(bench.peerUri, { localSdp: PEER_SDP, auth });
    const first = await bench.peer.request('INVITE');
    const headers = [`${challenge}: Digest realm="lab", nonce="abc", algorithm=MD5`];
    bench.peer.reply(first, status, 'Challenge', { toTag: 'c1', headers });
    await bench.peer.request('ACK');
    const second = await bench.peer.next((m) => m.method === 'INVITE' && m.has(credentials), 'INVITE with credentials');
    expect(second.get('Call-ID')).toBe(first.get('Call-ID'));
    expect(second.get('From')).toBe(first.get('From'));
    expect(second.cseq).toBe(first.cseq + 1);
    expect(second.branch).not.toBe(first.branch);
    const md5 = (text: string): string => createHash('md5').update(text).digest('hex');
    const expected = md5(`${md5('bob:lab:secret')}:abc:${md5(`INVITE:${bench.peerUri}`)}`);
    expect(second.get(credentials)).toContain(`response="${expected}"`);
    bench.peer.reply(second, 200, 'OK', { toTag: 'c2', body: PEER_SDP });
    const dialog = await calling;
    const ack = await bench.peer.next((m) => m.method === 'ACK' && m.tag('To') === 'c2', 'ACK to the 200');
    expect(ack.get(credentials)).toBe(second.get(credentials));
    await bench.appHangsUp(dialog);
    await bench.quiet();
  });

  it('works for a BYE inside the dialog', async () => {
    const auth = { username: 'bob', password: 'secret' };
    const calling = bench.srf.createUAC(bench.peerUri, { localSdp: PEER_SDP, auth });
    const invite = await bench.peer.request('INVITE');
    bench.peer.reply(invite, 200, 'OK', { toTag: 'peer1', body: PEER_SDP });
    const dialog = await calling;
    void dialog.destroy();
    const bye = await bench.peer.request('BYE');
    bench.peer.reply(bye, 401, 'Unauthorized', { headers: ['WWW-Authenticate: Digest realm="lab", nonce="abc"'] });
    const again = await bench.peer.next((m) => m.method === 'BYE' && m.has('Authorization'), 'BYE with credentials');
    expect(again.cseq).toBe(bye.cseq + 1);
    bench.peer.reply(again, 200, 'OK');
    await eventually(() => bench.server.counts().dialogs === 0, 'the dialog over');
    await bench.quiet();
  });

  it('registers with the hop a proxy URL names', async () => {
    const statuses: number[] = [];
    bench.srf.request(
      'sip:example.invalid',
      {
        method: 'REGISTER',
        proxy: bench.peerUri,
        headers: { Contact: '<sip:me@localhost>', To: 'sip:me@example.invalid' },
      },
      (_error, request) => request?.on('response', (response) => statuses.push(response.status)),
    );
    const register = await bench.peer.request('REGISTER');
    expect(register.uri).toBe('sip:example.invalid');
    expect(register.get('Contact')).toBe(`<sip:me@127.0.0.1:${bench.sip.port}>`);
    expect(register.get('To')).toBe('<sip:me@example.invalid>');
    bench.peer.reply(register, 200, 'OK');
    await eventually(() => statuses.length === 1, 'the answer');
    expect(statuses).toEqual([200]);
    await bench.quiet();
  });
});

describe('when the peer cannot be reached', () => {
  it('gives 408 after 64·T1 of silence', async () => {
    const startMs = performance.now();
    expect(await refusedWith(bench.srf.createUAC(bench.peerUri, { localSdp: PEER_SDP }))).toBe(408);
    expect(performance.now() - startMs).toBeGreaterThan(LIFE_MS - 50);
    await bench.quiet();
  });

  it('gives 503 at once when the port is closed', async () => {
    const port = await freePort();
    const startMs = performance.now();
    expect(await refusedWith(bench.srf.createUAC(`sip:bob@127.0.0.1:${port}`, { localSdp: PEER_SDP }))).toBe(503);
    expect(performance.now() - startMs).toBeLessThan(LIFE_MS / 2);
    await bench.quiet();
  });

  it('gives 503 when the name does not resolve', async () => {
    expect(await refusedWith(bench.srf.createUAC('sip:bob@nowhere.invalid', { localSdp: PEER_SDP }))).toBe(503);
    await bench.quiet();
  });

  it('resolves names of the hosts file', async () => {
    const calling = bench.srf.createUAC(`sip:bob@localhost:${bench.peer.port}`, { localSdp: PEER_SDP });
    bench.peer.reply(await bench.peer.request('INVITE'), 486, 'Busy Here', { toTag: 'peer1' });
    expect(await refusedWith(calling)).toBe(486);
  });
});

describe('what the app may not send', () => {
  it.each([
    ['a call to this server itself', () => bench.uri(), {}, 'can not send request to myself'],
    ['an unreadable URI', () => 'sip:a b@c', {}, 'invalid request-uri'],
    ['a transport that is not there', () => 'sips:bob@127.0.0.1', {}, 'requested protocol/transport not available'],
    ['a body of unknown type', () => bench.peerUri, { body: 'hello' }, 'missing content-type'],
  ])('%s', async (_what, uri, options, reason) => {
    const error = await new Promise((resolve) =>
      bench.srf.request(uri(), { method: 'MESSAGE', ...options }, (failure) => resolve(failure)),
    );
    expect(String(error)).toContain(reason);
    expect(bench.server.counts()).toEqual({ transactions: 0, dialogs: 0, pending: 0 });
  });

  it('a request in a dialog that is gone', async () => {
    const { dialog } = await bench.outboundCall();
    await bench.appHangsUp(dialog);
    await expect(dialog.request({ method: 'INFO' })).rejects.toMatchObject({ code: 'ENODIALOG' });
    await bench.quiet();
  });

  it('a header with a bare line feed', async () => {
    const headers = { 'X-Bad': 'one\ntwo' };
    const error = await new Promise((resolve) =>
      bench.srf.request(bench.peerUri, { method: 'OPTIONS', headers }, (failure) => resolve(failure)),
    );
    expect(error).toBeInstanceOf(Error);
  });
});

it('a 200 without Contact is acknowledged and ended, since the app cannot hold the call', async () => {
  const calling = bench.srf.createUAC(bench.peerUri, { localSdp: PEER_SDP });
  const invite = await bench.peer.request('INVITE');
  bench.peer.reply(invite, 200, 'OK', { toTag: 'peer1', body: PEER_SDP, noContact: true });
  expect(await refusedWith(calling)).toBe(500);
  const ack = await bench.peer.request('ACK');
  expect(ack.uri).toBe(invite.uri);
  bench.peer.reply(await bench.peer.request('BYE'), 200, 'OK');
  await bench.quiet();
});
