import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import type { PeerMessage } from '../../support/sip-script-peer.js';
import { PEER_SDP } from '../../support/sip-script-peer.js';
import { hopByHop } from '../../support/hop-by-hop.js';
import { Bench } from './bench.js';
import type { SrfDialog } from './srf-app.js';

const benches: Bench[] = [];
afterEach(() => Promise.all(benches.splice(0).map((bench) => bench.stop())));

async function start(options: Parameters<typeof Bench.start>[0] = {}): Promise<Bench> {
  const bench = await Bench.start(options);
  benches.push(bench);
  return bench;
}

const HALF_MS = 300_000;
const GIVE_UP_MS = 568_000;

/** A call of the peer with these headers in its INVITE, up to ACK. */
async function arriving(
  bench: Bench,
  headers: readonly string[],
): Promise<{ invite: PeerMessage; ok: PeerMessage; dialog: SrfDialog }> {
  const dialogs: SrfDialog[] = [];
  let acked = 0;
  bench.answerCalls((dialog) => {
    dialogs.push(dialog);
    dialog.on('ack', () => acked++);
  });
  await bench.routed();
  const invite = bench.send('INVITE', { body: PEER_SDP, headers });
  const ok = await bench.peer.response(200, 'INVITE');
  bench.peer.send(bench.peer.inDialog('ACK', invite, ok, { cseq: 1 }), bench.sip);
  await eventually(() => acked === 1, 'the ACK in the app');
  return { invite, ok, dialog: dialogs[0]! };
}

const ended = (dialog: SrfDialog): Promise<string | undefined> =>
  new Promise((resolve) => dialog.on('destroy', (_bye, reason) => resolve(reason)));

const KNOWS = ['Supported: timer', 'Allow: INVITE, ACK, BYE, CANCEL, UPDATE'];

describe('session timer of a call that arrived', () => {
  it('that the peer refreshes: UPDATEs keep it, and without one it is ended early and the app is told', async () => {
    const bench = await start();
    const headers = [...KNOWS, 'Session-Expires: 1800;refresher=uac'];
    const { invite, ok, dialog } = await arriving(bench, headers);
    expect(ok.get('Session-Expires')).toBe('600;refresher=uac');
    expect(ok.get('Require')).toBe('timer');
    for (const cseq of [2, 3, 4]) {
      bench.clock.skip(HALF_MS);
      const refresh = ['Supported: timer', 'Session-Expires: 600;refresher=uac'];
      bench.peer.send(bench.peer.inDialog('UPDATE', invite, ok, { cseq, headers: refresh }), bench.sip);
      expect((await bench.peer.response(200, 'UPDATE')).get('Session-Expires')).toBe('600;refresher=uac');
    }
    const over = ended(dialog);
    bench.clock.skip(GIVE_UP_MS);
    const bye = await bench.peer.request('BYE');
    expect(bye.get('Reason')).toBe('SIP ;cause=408 ;text="Session timer expired"');
    expect(await over).toBe('Session timer expired');
    bench.peer.reply(bye, 200, 'OK');
    expect(bench.peer.count((message) => message.method === 'UPDATE')).toBe(0);
    await bench.quiet();
  });

  it('that we refresh: UPDATE at half the interval, unseen by the app; a peer that knows the call no more gets BYE', async () => {
    const bench = await start();
    const { ok, dialog } = await arriving(bench, [...KNOWS, 'Session-Expires: 600;refresher=uas']);
    expect(ok.get('Session-Expires')).toBe('600;refresher=uas');
    const over = ended(dialog);
    for (let round = 0; round < 3; round++) {
      bench.clock.skip(HALF_MS);
      const update = await bench.peer.request('UPDATE');
      expect(update.get('Session-Expires')).toBe('600;refresher=uac');
      expect(update.get('Supported')).toBe('timer');
      expect(update.body).toBe('');
      bench.peer.reply(update, 200, 'OK', { headers: ['Session-Expires: 600;refresher=uac', 'Require: timer'] });
      await eventually(() => bench.server.counts().pending === 0, 'the refresh done');
    }
    bench.clock.skip(HALF_MS);
    bench.peer.reply(await bench.peer.request('UPDATE'), 481, 'Call Does Not Exist');
    bench.peer.reply(await bench.peer.request('BYE'), 481, 'Call Does Not Exist');
    expect(await over).toBe('Session timer expired');
    await bench.quiet();
  });

  it('that we refresh by INVITE where the peer has no UPDATE: same description, ACK of our own, 422 and 491 obeyed', async () => {
    const bench = await start();
    const { dialog } = await arriving(bench, ['Supported: timer', 'Allow: INVITE, ACK, BYE, CANCEL']);
    bench.clock.skip(HALF_MS);
    const first = await bench.peer.request('INVITE');
    expect(first.body).toBe(PEER_SDP);
    expect(first.get('Content-Type')).toBe('application/sdp');
    bench.peer.reply(first, 422, 'Session Interval Too Small', { headers: ['Min-SE: 900'] });
    const second = await bench.peer.next((it) => it.method === 'INVITE' && it.cseq > first.cseq, 'a longer one');
    expect(second.get('Session-Expires')).toBe('900;refresher=uac');
    expect(second.get('Min-SE')).toBe('900');
    bench.peer.reply(second, 491, 'Request Pending');
    await bench.peer.next((it) => it.method === 'ACK' && it.cseq === second.cseq, 'ACK to the 491');
    await eventually(() => bench.server.counts().pending === 0, 'the refusal taken');
    bench.clock.skip(4000);
    const third = await bench.peer.next((it) => it.method === 'INVITE' && it.cseq > second.cseq, 'another try');
    bench.peer.reply(third, 200, 'OK', { body: PEER_SDP, headers: ['Session-Expires: 600;refresher=uac'] });
    const ack = await bench.peer.next((it) => it.method === 'ACK' && it.cseq === third.cseq, 'ACK to the 200');
    expect(ack.body).toBe('');
    await bench.appHangsUp(dialog);
    await bench.quiet();
  });

  it('does not run where the peer knows nothing of it, nor where it is switched off', async () => {
    for (const [options, headers] of [
      [{}, []],
      [{ session: { expiresS: 0 } }, [...KNOWS, 'Session-Expires: 30']],
    ] as const) {
      const bench = await start(options);
      const { ok, dialog } = await arriving(bench, headers);
      expect(ok.has('Session-Expires')).toBe(false);
      bench.clock.skip(4 * HALF_MS);
      await bench.appHangsUp(dialog);
      expect(bench.peer.count((it) => it.method === 'UPDATE' || it.method === 'INVITE')).toBe(0);
      await bench.quiet();
    }
  });

  it('gets 422 with Min-SE for too short an interval, before and in the call', async () => {
    const bench = await start();
    await bench.routed();
    const short = ['Supported: timer', 'Session-Expires: 60'];
    const refused = bench.send('INVITE', { body: PEER_SDP, headers: short });
    const answer = await bench.peer.response(422, 'INVITE');
    expect(answer.get('Min-SE')).toBe('90');
    bench.peer.send(hopByHop('ACK', refused, answer.get('To')), bench.sip);
    const { invite, ok, dialog } = await arriving(bench, ['Supported: timer', 'Session-Expires: 90', 'Min-SE: 90']);
    expect(ok.get('Session-Expires')).toBe('90;refresher=uas');
    bench.peer.send(bench.peer.inDialog('UPDATE', invite, ok, { cseq: 2, headers: short }), bench.sip);
    expect((await bench.peer.response(422, 'UPDATE')).get('Min-SE')).toBe('90');
    await bench.appHangsUp(dialog);
    await bench.quiet();
  });
});

describe('session timer of a call we made', () => {
  it('is asked for; the peer that takes it over and falls silent gets BYE: a lost BYE ends within the timer', async () => {
    const bench = await start();
    const { invite, dialog } = await bench.outboundCall(['Session-Expires: 600;refresher=uas', 'Require: timer']);
    expect(invite.get('Session-Expires')).toBe('600');
    expect(invite.get('Min-SE')).toBe('90');
    expect(invite.get('Supported')).toBe('timer');
    const over = ended(dialog);
    bench.clock.skip(GIVE_UP_MS);
    bench.peer.reply(await bench.peer.request('BYE'), 200, 'OK');
    expect(await over).toBe('Session timer expired');
    await bench.quiet();
  });

  it('that we refresh ends when nothing answers the refresh', async () => {
    const bench = await start();
    const { dialog } = await bench.outboundCall(['Session-Expires: 600;refresher=uac', 'Allow: UPDATE']);
    const over = ended(dialog);
    bench.clock.skip(HALF_MS);
    await bench.peer.request('UPDATE');
    bench.clock.skip(3000);
    await bench.peer.request('BYE');
    expect(await over).toBe('Session timer expired');
    await bench.quiet();
  });

  it('keeps the roles in a re-INVITE of the app, which starts it anew', async () => {
    const bench = await start();
    const { dialog } = await bench.outboundCall(['Session-Expires: 600;refresher=uac', 'Allow: UPDATE']);
    bench.clock.skip(HALF_MS - 1000);
    const modified = dialog.modify(PEER_SDP);
    const invite = await bench.peer.request('INVITE');
    expect(invite.get('Session-Expires')).toBe('600;refresher=uac');
    bench.peer.reply(invite, 200, 'OK', { body: PEER_SDP, headers: ['Session-Expires: 600;refresher=uac'] });
    await modified;
    // Else time moves on past 64·T1 while the ACK is on its way, and the call ends for want of it.
    await bench.peer.next((it) => it.method === 'ACK' && it.cseq === invite.cseq, 'the ACK to the re-INVITE');
    bench.clock.skip(HALF_MS - 1000);
    await bench.routed();
    expect(bench.peer.count((it) => it.method === 'UPDATE')).toBe(0);
    await bench.appHangsUp(dialog);
    await bench.quiet();
  });

  it('is asked for again, for longer, after a 422, which the app never sees', async () => {
    const bench = await start();
    const calling = bench.srf.createUAC(bench.peerUri, { localSdp: PEER_SDP });
    const first = await bench.peer.request('INVITE');
    bench.peer.reply(first, 422, 'Session Interval Too Small', { toTag: 'no', headers: ['Min-SE: 1800'] });
    expect((await bench.peer.request('ACK')).branch).toBe(first.branch);
    const second = await bench.peer.next((it) => it.method === 'INVITE' && it.cseq > first.cseq, 'the second INVITE');
    expect(second.get('Call-ID')).toBe(first.get('Call-ID'));
    expect(second.get('From')).toBe(first.get('From'));
    expect(second.cseq).toBe(first.cseq + 1);
    expect(second.branch).not.toBe(first.branch);
    expect(second.get('Session-Expires')).toBe('1800');
    expect(second.get('Min-SE')).toBe('1800');
    expect(second.body).toBe(PEER_SDP);
    bench.peer.reply(second, 200, 'OK', {
      toTag: 'peer1',
      body: PEER_SDP,
      headers: ['Session-Expires: 1800;refresher=uas'],
    });
    const dialog = await calling;
    expect((await bench.peer.next((it) => it.method === 'ACK' && it.cseq === second.cseq, 'ACK')).uri).toContain(
      'peer@',
    );
    await bench.appHangsUp(dialog);
    await bench.quiet();
  });

  it('is asked for three times more at most: a peer that always wants more ends the call', async () => {
    const bench = await start();
    const calling = bench.srf.createUAC(bench.peerUri, { localSdp: PEER_SDP });
    let last = await bench.peer.request('INVITE');
    for (const leastS of [700, 800, 900]) {
      bench.peer.reply(last, 422, 'Session Interval Too Small', { toTag: 'no', headers: [`Min-SE: ${leastS}`] });
      last = await bench.peer.next((it) => it.method === 'INVITE' && it.cseq > last.cseq, `INVITE for ${leastS} s`);
    }
    bench.peer.reply(last, 422, 'Session Interval Too Small', { toTag: 'no', headers: ['Min-SE: 1000'] });
    await expect(calling).rejects.toMatchObject({ status: 422 });
    await bench.quiet();
  });
});
