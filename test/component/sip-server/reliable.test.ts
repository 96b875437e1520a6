import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import type { PeerMessage } from '../../support/sip-script-peer.js';
import { PEER_SDP } from '../../support/sip-script-peer.js';
import { hopByHop } from '../../support/hop-by-hop.js';
import { Bench, LIFE_MS } from './bench.js';
import type { SrfDialog, SrfRequest, SrfResponse } from './srf-app.js';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.start();
});
afterEach(() => bench.stop());

const prack = (invite: PeerMessage, answer: PeerMessage, cseq: number): void =>
  bench.peer.send(
    bench.peer.inDialog('PRACK', invite, answer, {
      cseq,
      headers: [`RAck: ${answer.get('RSeq')} ${invite.get('CSeq')}`],
    }),
    bench.sip,
  );

/** An INVITE of the peer with these headers, in the app's hands. */
async function arriving(...headers: string[]): Promise<{ invite: PeerMessage; req: SrfRequest; res: SrfResponse }> {
  const handled = bench.handle('invite');
  await bench.routed();
  const invite = bench.send('INVITE', { body: PEER_SDP, headers });
  return { invite, ...(await handled) };
}

describe('reliable provisional responses to the peer (RFC 3262)', () => {
  it('go to who requires them, repeated till PRACK, one after the other, and the 200 last', async () => {
    const { invite, req, res } = await arriving('Require: 100rel');
    res.send(180);
    res.send(183, { body: PEER_SDP });
    const answering = bench.srf.createUAS(req, res, { localSdp: PEER_SDP });
    const ringing = await bench.peer.response(180, 'INVITE');
    expect(ringing.get('Require')).toBe('100rel');
    expect(ringing.has('Contact')).toBe(true);
    expect((await bench.peer.response(180, 'INVITE')).raw).toBe(ringing.raw);
    expect(bench.peer.count((it) => it.status === 183 || (it.status === 200 && it.get('CSeq') === '1 INVITE'))).toBe(0);
    const dialog = await answering;
    prack(invite, ringing, 2);
    await bench.peer.response(200, 'PRACK');
    const progress = await bench.peer.response(183, 'INVITE');
    expect(Number(progress.get('RSeq'))).toBe(Number(ringing.get('RSeq')) + 1);
    expect(bench.peer.count((it) => it.status === 200 && it.get('CSeq') === '1 INVITE')).toBe(0);
    prack(invite, progress, 3);
    await bench.peer.response(200, 'PRACK');
    const ok = await bench.peer.response(200, 'INVITE');
    expect(ok.has('RSeq')).toBe(false);
    bench.peer.send(bench.peer.inDialog('ACK', invite, ok, { cseq: 1 }), bench.sip);
    prack(invite, progress, 4);
    await bench.peer.response(481, 'PRACK');
    await bench.appHangsUp(dialog);
    await bench.quiet();
  });

  it('are plain to who only supports them, unless the app asks; its PRACK is answered by srf', async () => {
    const { invite, req, res } = await arriving('Supported: 100rel');
    res.send(180);
    expect((await bench.peer.response(180, 'INVITE')).has('RSeq')).toBe(false);
    res.send(183, { headers: { Require: '100rel' }, body: PEER_SDP });
    const progress = await bench.peer.response(183, 'INVITE');
    expect(progress.all('Require')).toEqual(['100rel']);
    prack(invite, progress, 2);
    await bench.peer.response(200, 'PRACK');
    const answering = bench.srf.createUAS(req, res, { localSdp: PEER_SDP });
    const ok = await bench.peer.response(200, 'INVITE');
    bench.peer.send(bench.peer.inDialog('ACK', invite, ok, { cseq: 1 }), bench.sip);
    await bench.appHangsUp(await answering);
    await bench.quiet();
  });

  it('end the call with 504 when no PRACK comes, and the app hears a CANCEL', async () => {
    const { invite, req, res } = await arriving('Require: 100rel');
    const cancelled = new Promise<string | undefined>((resolve) => req.on('cancel', (it) => resolve(it.get('Reason'))));
    res.send(180);
    await bench.peer.response(180, 'INVITE');
    bench.clock.skip(LIFE_MS);
    const refusal = await bench.peer.response(504, 'INVITE');
    expect(await cancelled).toContain('no PRACK');
    bench.peer.send(hopByHop('ACK', invite, refusal.get('To')), bench.sip);
    await bench.quiet();
  });

  it.each(['CANCEL', 'nothing'])(
    'end an answered call, and the app hears of it, when %s comes in place of PRACK',
    async (what) => {
      const { invite, req, res } = await arriving('Require: 100rel');
      const reasons: (string | undefined)[] = [];
      res.send(180);
      bench.srf
        .createUAS(req, res, { localSdp: PEER_SDP })
        .then((dialog: SrfDialog) => dialog.on('destroy', (_bye, reason) => reasons.push(reason)))
        .catch(() => undefined);
      await bench.peer.response(180, 'INVITE');
      await bench.routed();
      if (what === 'CANCEL') bench.peer.send(hopByHop('CANCEL', invite), bench.sip);
      else bench.clock.skip(LIFE_MS);
      const refusal = await bench.peer.response(what === 'CANCEL' ? 487 : 504, 'INVITE');
      await eventually(() => reasons.length === 1, 'the end in the app');
      expect(reasons).toEqual(['ended before PRACK']);
      bench.peer.send(hopByHop('ACK', invite, refusal.get('To')), bench.sip);
      expect(
        bench.peer.count((it) => it.method === 'BYE' || (it.status === 200 && it.get('CSeq') === '1 INVITE')),
      ).toBe(0);
      await bench.quiet();
    },
  );
});

describe('reliable provisional responses of the peer', () => {
  it('are taken in order, each once', async () => {
    const seen: string[] = [];
    const calling = bench.srf.createUAC(
      bench.peerUri,
      { localSdp: PEER_SDP },
      { cbProvisional: (response) => seen.push(`${response.status}/${response.get('RSeq')}`) },
    );
    const invite = await bench.peer.request('INVITE');
    const send = (status: number, rseq: number): void =>
      bench.peer.reply(invite, status, 'Progress', { toTag: 'peer1', headers: ['Require: 100rel', `RSeq: ${rseq}`] });
    send(183, 7);
    const first = await bench.peer.request('PRACK');
    bench.peer.reply(first, 200, 'OK');
    send(183, 7);
    send(180, 9);
    send(180, 8);
    const second = await bench.peer.next((it) => it.method === 'PRACK' && it.cseq > first.cseq, 'the second PRACK');
    expect(second.get('RAck')).toBe(`8 ${invite.cseq} INVITE`);
    bench.peer.reply(second, 200, 'OK');
    bench.peer.reply(invite, 200, 'OK', { toTag: 'peer1', body: PEER_SDP });
    await bench.appHangsUp(await calling);
    expect(seen).toEqual(['183/7', '180/8']);
    await bench.quiet();
  });

  it('are acknowledged with the CSeq of the INVITE that a 422 had sent again', async () => {
    const calling = bench.srf.createUAC(bench.peerUri, { localSdp: PEER_SDP });
    const first = await bench.peer.request('INVITE');
    bench.peer.reply(first, 422, 'Session Interval Too Small', { toTag: 'no', headers: ['Min-SE: 1800'] });
    const second = await bench.peer.next((it) => it.method === 'INVITE' && it.cseq > first.cseq, 'the second INVITE');
    bench.peer.reply(second, 183, 'Progress', { toTag: 'peer1', headers: ['Require: 100rel', 'RSeq: 7'] });
    const request = await bench.peer.request('PRACK');
    expect(request.get('RAck')).toBe(`7 ${second.cseq} INVITE`);
    bench.peer.reply(request, 200, 'OK');
    bench.peer.reply(second, 200, 'OK', { toTag: 'peer1', body: PEER_SDP });
    await bench.appHangsUp(await calling);
    await bench.quiet();
  });
});
