import { eventually } from '../../../support/eventually.js';
import { PEER_SDP } from '../../../support/sip-script-peer.js';
import { hopByHop } from '../../../support/hop-by-hop.js';
import { read } from '../bench.js';
import type { SrfRequest, SrfResponse } from '../srf-app.js';
import { refusedWith } from '../srf-app.js';
import {
  appEnds,
  given,
  inboundCall,
  invite,
  outboundCall,
  peerEnds,
  peerUri,
  routed,
  seen,
  type Stage,
} from './stage.js';

const SECRET_ID = '00000000-0000-4000-8000-000000000001';

export const SCENARIOS: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  'connect, route, ping': async (stage) => {
    stage.srf.use('invite', () => undefined);
    await routed(stage);
    stage.tap.inject(`${SECRET_ID}|ping`);
    await seen(stage, /OK\|pong/);
  },
  'inbound call, the peer hangs up': async (stage) => {
    const { sent, ok } = await inboundCall(stage);
    await peerEnds(stage, sent, ok);
  },
  'inbound call, the application hangs up': async (stage) => {
    const { dialog } = await inboundCall(stage);
    await appEnds(stage, dialog);
  },
  'CANCEL before any answer': async (stage) => {
    const got: SrfRequest[] = [];
    stage.srf.use('invite', (req) => got.push(req));
    await routed(stage);
    const sent = invite(stage);
    await eventually(() => got.length === 1, 'INVITE');
    stage.peer.send(hopByHop('CANCEL', sent), stage.sip);
    const refused = await stage.peer.response(487, 'INVITE');
    stage.peer.send(hopByHop('ACK', sent, refused.get('To')), stage.sip);
    await seen(stage, /\nCANCEL /);
  },
  'CANCEL while it rings': async (stage) => {
    const got: SrfResponse[] = [];
    stage.srf.use('invite', (_req, res) => {
      got.push(res);
      res.send(180);
    });
    await routed(stage);
    const sent = invite(stage);
    await stage.peer.response(180, 'INVITE');
    await seen(stage, /Msg sent:[^\n]*\nSIP\/2\.0 180/);
    stage.peer.send(hopByHop('CANCEL', sent), stage.sip);
    const refused = await stage.peer.response(487, 'INVITE');
    stage.peer.send(hopByHop('ACK', sent, refused.get('To')), stage.sip);
    await seen(stage, /\nCANCEL /);
  },
  're-INVITE that holds': async (stage) => {
    const { sent, ok, dialog } = await inboundCall(stage);
    dialog.on('modify', (_req, res) => res.send(200, { body: PEER_SDP }));
    const hold = stage.peer.inDialog('INVITE', sent, ok, {
      cseq: 2,
      body: PEER_SDP.replace('sendrecv', 'sendonly'),
    });
    stage.peer.send(hold, stage.sip);
    const held = await stage.peer.next(({ status, cseq }) => status === 200 && cseq === 2, '200 to the re-INVITE');
    stage.peer.send(stage.peer.inDialog('ACK', sent, held, { cseq: 2 }), stage.sip);
    await seen(stage, /\nACK /, 2);
    await peerEnds(stage, sent, ok, 3);
  },
  'outbound call, the application hangs up': async (stage) => {
    const { dialog } = await outboundCall(stage);
    await appEnds(stage, dialog);
  },
  'outbound call, the peer hangs up': async (stage) => {
    const { request } = await outboundCall(stage);
    stage.peer.send(stage.peer.fromCallee('BYE', request, 'peer1', 2), stage.sip);
    await stage.peer.response(200, 'BYE');
    await seen(stage, /Msg sent:[^\n]*\nSIP\/2\.0 200 OK[\s\S]*CSeq: \d+ BYE/);
  },
  'outbound call that is busy': async (stage) => {
    const calling = refusedWith(stage.srf.createUAC(peerUri(stage), { localSdp: PEER_SDP }));
    stage.peer.reply(await stage.peer.request('INVITE'), 486, 'Busy Here', { toTag: 'peer1' });
    await calling;
    await seen(stage, /\|NOK\|/);
  },
  'outbound call that is cancelled': async (stage) => {
    const requests: SrfRequest[] = [];
    const calling = refusedWith(
      stage.srf.createUAC(
        peerUri(stage),
        { localSdp: PEER_SDP },
        { cbRequest: (_error, request) => request && requests.push(request) },
      ),
    );
    const sent = await stage.peer.request('INVITE');
    stage.peer.reply(sent, 180, 'Ringing', { toTag: 'peer1' });
    await seen(stage, /\nSIP\/2\.0 180/);
    await eventually(() => requests.length === 1, 'the request as it was sent');
    requests[0]!.cancel();
    stage.peer.reply(await stage.peer.request('CANCEL'), 200, 'OK', { toTag: 'peer1' });
    await seen(stage, /Msg sent:[^\n]*\nCANCEL /);
    stage.peer.reply(sent, 487, 'Request Terminated', { toTag: 'peer1' });
    await calling;
    await seen(stage, /\|NOK\|/);
  },
  'outbound call that is asked for a password': async (stage) => {
    const auth = { username: 'bob', password: 'pw' };
    const calling = stage.srf.createUAC(peerUri(stage), { localSdp: PEER_SDP, auth });
    const headers = ['Proxy-Authenticate: Digest realm="lab", nonce="abc", algorithm=MD5'];
    stage.peer.reply(await stage.peer.request('INVITE'), 407, 'Proxy Authentication Required', { toTag: 'a', headers });
    const again = await stage.peer.next(({ method, cseq }) => method === 'INVITE' && cseq > 0, 'INVITE again');
    stage.peer.reply(again, 200, 'OK', { toTag: 'peer1', body: PEER_SDP });
    const dialog = await calling;
    await seen(stage, /Msg sent:[^\n]*\nACK /);
    await appEnds(stage, dialog);
  },
  'reliable 183 and PRACK': async (stage) => {
    const { req, res } = await given(stage, 'invite');
    stage.srf.use('prack', (_req, prack) => prack.send(200));
    res.send(183, { headers: { Require: '100rel' }, body: PEER_SDP });
    const early = await stage.peer.response(183, 'INVITE');
    const sent = read(req.raw);
    const headers = [`RAck: ${early.get('RSeq')} 1 INVITE`];
    stage.peer.send(stage.peer.inDialog('PRACK', sent, early, { cseq: 2, headers }), stage.sip);
    await stage.peer.response(200, 'PRACK');
    await seen(stage, /Msg sent:[^\n]*\nSIP\/2\.0 200 OK[\s\S]*CSeq: 2 PRACK/);
    res.send(486);
    await seen(stage, /Msg sent:[^\n]*\nSIP\/2\.0 486/);
    const refused = await stage.peer.response(486, 'INVITE');
    stage.peer.send(hopByHop('ACK', sent, refused.get('To')), stage.sip);
  },
  'INFO and OPTIONS inside a call': async (stage) => {
    const { sent, ok, dialog } = await inboundCall(stage);
    dialog.on('info', (_req, res) => res.send(200));
    dialog.on('options', (_req, res) => res.send(200));
    const headers = ['Content-Type: application/dtmf-relay'];
    stage.peer.send(stage.peer.inDialog('INFO', sent, ok, { cseq: 2, headers }), stage.sip);
    await stage.peer.response(200, 'INFO');
    stage.peer.send(stage.peer.inDialog('OPTIONS', sent, ok, { cseq: 3 }), stage.sip);
    await stage.peer.response(200, 'OPTIONS');
    await seen(stage, /Msg sent:[^\n]*\nSIP\/2\.0 200 OK[\s\S]*CSeq: 3 OPTIONS/);
    await peerEnds(stage, sent, ok, 4);
  },
  'BYE to a dialog nobody knows': async (stage) => {
    const dialog = 'nobody@127.0.0.1;from-tag=nothing';
    stage.tap.inject(`${SECRET_ID}|sip||${dialog}\r\nBYE sip:placeholder SIP/2.0\r\nContent-Length: 0\r\n\r\n`);
    await seen(stage, /\|NOK\|/);
  },
  'a 200 that is never acknowledged': async (stage) => {
    const reasons: (string | undefined)[] = [];
    stage.srf.use('invite', (req, res) => {
      void stage.srf
        .createUAS(req, res, { localSdp: PEER_SDP })
        .then((dialog) => dialog.on('destroy', (_bye, reason) => reasons.push(reason)));
    });
    await routed(stage);
    invite(stage);
    const bye = await stage.peer.next(({ method }) => method === 'BYE', 'BYE of the server', 45_000);
    stage.peer.reply(bye, 200, 'OK');
    await eventually(() => reasons.length === 1, 'end', 5000);
  },
};
