import { eventually } from '../../../support/eventually.js';
import { PEER_SDP, type PeerMessage } from '../../../support/sip-script-peer.js';
import { hopByHop } from '../../../support/hop-by-hop.js';
import type { SrfDialog, SrfRequest } from '../srf-app.js';
import { refusedWith } from '../srf-app.js';
import { appEnds, inboundCall, invite, outboundCall, peerEnds, peerUri, seen, type Stage } from './stage.js';

const SIPFRAG = {
  'Content-Type': 'message/sipfrag',
  Event: 'refer',
  'Subscription-State': 'terminated;reason=noresource',
};

/** The peer's answer to a request of the application inside a call that the peer placed. */
async function answersReInvite(stage: Stage, status: 200 | 488): Promise<PeerMessage> {
  const request = await stage.peer.request('INVITE');
  if (status === 200) stage.peer.reply(request, 200, 'OK', { body: PEER_SDP });
  else stage.peer.reply(request, 488, 'Not Acceptable Here', { noContact: true });
  return stage.peer.next(({ method, cseq }) => method === 'ACK' && cseq === request.cseq, 'ACK');
}

/** An outbound call that rings, and what to cancel it with. */
async function ringing(stage: Stage) {
  const requests: SrfRequest[] = [];
  const note = (_error: unknown, request: SrfRequest | undefined): void => {
    if (request) requests.push(request);
  };
  const calling = stage.srf.createUAC(peerUri(stage), { localSdp: PEER_SDP }, { cbRequest: note });
  const request = await stage.peer.request('INVITE');
  stage.peer.reply(request, 180, 'Ringing', { toTag: 'peer1' });
  await seen(stage, /\nSIP\/2\.0 180/);
  await eventually(() => requests.length === 1, 'the INVITE in the application');
  return { calling, request, cancel: () => requests[0]?.cancel() };
}

async function reInvited(stage: Stage, dialog: SrfDialog, status: 200 | 488): Promise<void> {
  const asked = dialog.request({ method: 'INVITE', body: PEER_SDP });
  await answersReInvite(stage, status);
  const answer = await asked;
  if (answer.status !== status) throw new Error(`the application was told ${answer.status}`);
}

/** What an application does inside a call, and where two requests cross. */
export const IN_CALL_SCENARIOS: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  'REFER inside a call, and the NOTIFY about it': async (stage) => {
    const { sent, ok, dialog } = await inboundCall(stage);
    dialog.on('refer', (_req, res) => res.send(202));
    const headers = [`Refer-To: <${peerUri(stage)}>`];
    stage.peer.send(stage.peer.inDialog('REFER', sent, ok, { cseq: 2, headers }), stage.sip);
    await stage.peer.response(202, 'REFER');
    await seen(stage, /Msg sent:[^\n]*\nSIP\/2\.0 202/);
    const told = dialog.request({ method: 'NOTIFY', headers: SIPFRAG, body: 'SIP/2.0 200 OK\r\n' });
    stage.peer.reply(await stage.peer.request('NOTIFY'), 200, 'OK', { noContact: true });
    await told;
    await peerEnds(stage, sent, ok, 3);
  },
  're-INVITE of the application, inbound call': async (stage) => {
    const { sent, ok, dialog } = await inboundCall(stage);
    await reInvited(stage, dialog, 200);
    await seen(stage, /Msg sent:[^\n]*\nACK /);
    await peerEnds(stage, sent, ok);
  },
  're-INVITE of the application, outbound call': async (stage) => {
    const { dialog } = await outboundCall(stage);
    await reInvited(stage, dialog, 200);
    await seen(stage, /Msg sent:[^\n]*\nACK /, 2);
    await appEnds(stage, dialog);
  },
  're-INVITE of the application that is refused': async (stage) => {
    const { dialog } = await outboundCall(stage);
    await reInvited(stage, dialog, 488);
    // srf acknowledges what the server has acknowledged: a drachtio-server sends that too, the embedded one refuses it.
    await seen(stage, /\|NOK\||Msg sent:[^\n]*\nACK /, 2);
    await appEnds(stage, dialog);
  },
  'UPDATE of the peer with a description': async (stage) => {
    const { sent, ok, dialog } = await inboundCall(stage);
    dialog.on('update', (_req, res) => res.send(200, { body: PEER_SDP }));
    stage.peer.send(stage.peer.inDialog('UPDATE', sent, ok, { cseq: 2, body: PEER_SDP }), stage.sip);
    await stage.peer.response(200, 'UPDATE');
    await seen(stage, /Msg sent:[^\n]*\nSIP\/2\.0 200 OK[\s\S]*CSeq: 2 UPDATE/);
    await peerEnds(stage, sent, ok, 3);
  },
  'CANCEL of the peer that comes after the 200': async (stage) => {
    const { sent, ok } = await inboundCall(stage);
    stage.peer.send(hopByHop('CANCEL', sent), stage.sip);
    await stage.peer.next(
      ({ status, headers }) => status !== undefined && String(headers).includes(' CANCEL'),
      'answer',
    );
    await peerEnds(stage, sent, ok);
  },
  'CANCEL of the application that crosses the 200': async (stage) => {
    const { calling, request, cancel } = await ringing(stage);
    cancel();
    const cancelled = await stage.peer.request('CANCEL');
    stage.peer.reply(request, 200, 'OK', { toTag: 'peer1', body: PEER_SDP });
    stage.peer.reply(cancelled, 200, 'OK', { noContact: true });
    await calling;
    await stage.peer.request('ACK');
    stage.peer.reply(await stage.peer.request('BYE'), 200, 'OK', { noContact: true });
    await seen(stage, /unsolicited/);
  },
  'CANCEL of the application that the peer refuses with 486': async (stage) => {
    const { calling, request, cancel } = await ringing(stage);
    const refused = refusedWith(calling);
    cancel();
    stage.peer.reply(await stage.peer.request('CANCEL'), 200, 'OK', { noContact: true });
    stage.peer.reply(request, 486, 'Busy Here', { toTag: 'peer1' });
    await refused;
    await seen(stage, /\|NOK\|/);
  },
  'loss of the link, then a call on the next one': async (stage) => {
    const { dialogs } = await inboundCall(stage);
    const routes = stage.tap.frames.filter(({ tokens }) => tokens[1] === 'route').length;
    // The embedded server hangs up the calls of an application that is gone, a drachtio-server keeps them.
    void stage.peer.request('BYE').then(
      (bye) => stage.peer.reply(bye, 200, 'OK', { noContact: true }),
      () => undefined,
    );
    stage.tap.cut();
    const connections = (): number => stage.tap.frames.filter(({ tokens }) => tokens[1] === 'authenticate').length;
    await eventually(() => connections() === 2, 'the application is back', 5000);
    await seen(stage, /\|route\|invite/, 2 * routes);
    await seen(stage, /\|response\|[^|]+\|OK$/m, 2 * routes);
    const sent = invite(stage);
    // Not a repeated answer to the first call.
    const isAnswer = (it: PeerMessage): boolean => it.status === 200 && it.get('Call-ID') === sent.get('Call-ID');
    const ok = await stage.peer.next(isAnswer, '200 to the second INVITE');
    stage.peer.send(stage.peer.inDialog('ACK', sent, ok, { cseq: 1 }), stage.sip);
    await seen(stage, /\nACK /, 2);
    await eventually(() => dialogs.length === 2, 'a second dialog of the application');
    await peerEnds(stage, sent, ok);
  },
};
