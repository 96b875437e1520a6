import { eventually } from '../../../support/eventually.js';
import type { PeerMessage, SipScriptPeer } from '../../../support/sip-script-peer.js';
import { PEER_SDP } from '../../../support/sip-script-peer.js';
import { read } from '../bench.js';
import type { SrfApp, SrfDialog, SrfRequest, SrfResponse } from '../srf-app.js';
import type { FrameTap } from './frame-tap.js';

/** Where a scenario plays: a plain srf application, the frames between it and its server, and a peer on the network. */
export interface Stage {
  readonly srf: SrfApp;
  readonly tap: FrameTap;
  readonly peer: SipScriptPeer;
  readonly sip: { readonly host: string; readonly port: number };
}

export const uri = ({ sip }: Stage, user = '100'): string => `sip:${user}@${sip.host}:${sip.port}`;
export const peerUri = ({ peer }: Stage): string => `sip:bob@${peer.place}`;

/** Waits until the server has told, and the application has said, this often what matches. */
export async function seen(stage: Stage, what: RegExp, times = 1): Promise<void> {
  const text = (): number =>
    stage.tap.frames.filter(({ tokens, sip }) => what.test(`${tokens.join('|')}\n${sip ?? ''}`)).length;
  await eventually(() => text() >= times, `${times} frames like ${String(what)}`, 5000);
}

export async function routed(stage: Stage): Promise<void> {
  await seen(stage, /\|route\|invite/);
  const answers = stage.tap.frames.filter(({ tokens }) => tokens[1] === 'route').length;
  await seen(stage, /\|response\|[^|]+\|OK$/m, answers);
}

export function invite(stage: Stage, headers: readonly string[] = []): PeerMessage {
  const text = stage.peer.newRequest('INVITE', uri(stage), { body: PEER_SDP, headers });
  stage.peer.send(text, stage.sip);
  return read(text);
}

export async function inboundCall(stage: Stage) {
  const dialogs: SrfDialog[] = [];
  stage.srf.use('invite', (req, res) => {
    void stage.srf.createUAS(req, res, { localSdp: PEER_SDP }).then((dialog) => dialogs.push(dialog));
  });
  await routed(stage);
  const sent = invite(stage);
  const ok = await stage.peer.response(200, 'INVITE');
  stage.peer.send(stage.peer.inDialog('ACK', sent, ok, { cseq: 1 }), stage.sip);
  await seen(stage, /\nACK /);
  await eventually(() => dialogs.length === 1, 'a dialog of the application');
  return { sent, ok, dialog: dialogs[0]!, dialogs };
}

export async function outboundCall(stage: Stage) {
  const calling = stage.srf.createUAC(peerUri(stage), { localSdp: PEER_SDP });
  const request = await stage.peer.request('INVITE');
  stage.peer.reply(request, 180, 'Ringing', { toTag: 'peer1' });
  await seen(stage, /\nSIP\/2\.0 180/);
  stage.peer.reply(request, 200, 'OK', { toTag: 'peer1', body: PEER_SDP });
  const dialog = await calling;
  await stage.peer.request('ACK');
  await seen(stage, /Msg sent:[^\n]*\nACK /);
  return { request, dialog };
}

export async function appEnds(stage: Stage, dialog: SrfDialog): Promise<void> {
  const over = dialog.destroy();
  stage.peer.reply(await stage.peer.request('BYE'), 200, 'OK');
  await over;
}

export async function peerEnds(stage: Stage, sent: PeerMessage, ok: PeerMessage, cseq = 2): Promise<void> {
  stage.peer.send(stage.peer.inDialog('BYE', sent, ok, { cseq }), stage.sip);
  await stage.peer.response(200, 'BYE');
  await seen(stage, /Msg sent:[^\n]*\nSIP\/2\.0 200 OK[\s\S]*CSeq: \d+ BYE/);
}

/** The first request of this method the application is given. */
export async function given(stage: Stage, method: string): Promise<{ req: SrfRequest; res: SrfResponse }> {
  const got: { req: SrfRequest; res: SrfResponse }[] = [];
  stage.srf.use(method, (req, res) => got.push({ req, res }));
  await routed(stage);
  invite(stage, ['Supported: 100rel']);
  await eventually(() => got.length === 1, method);
  return got[0]!;
}
