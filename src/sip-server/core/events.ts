import type { Dialog } from '../dialog/dialog.js';
import type { SipMessage } from '../sip/message.js';
import { serialise } from '../sip/serialise.js';
import type { Address, Flow } from '../transport/flow.js';
import type { AppSession } from '../wire/app-session.js';
import type { Core } from './core.js';

let second = NaN;
let secondText = '';

/** UTC `HH:MM:SS.uuuuuu`. Every event has one: the text of the current second is put together only once. */
export function stackTime(core: Core): string {
  const nowMs = Math.floor(core.clock.now());
  const ms = nowMs % 1000;
  if (nowMs - ms !== second) {
    second = nowMs - ms;
    secondText = new Date(second).toISOString().slice(11, 20);
  }
  return `${secondText}${String(ms).padStart(3, '0')}000`;
}

interface Origin {
  readonly flow: Flow;
  /** Size on the wire. */
  readonly byteLength: number;
}

/** Tells of a message from the network (drachtio.md §3). `receivedOn` goes with requests outside a dialog. */
export function networkEvent(
  core: Core,
  client: AppSession,
  message: SipMessage,
  origin: Origin,
  ids: { readonly txn: string; readonly dialogId: string; readonly receivedOn?: Address },
): void {
  const { flow, byteLength } = origin;
  const { host, port } = flow.remote;
  const tokens = ['network', byteLength, flow.protocol, host, port, stackTime(core), ids.txn, ids.dialogId];
  const on = ids.receivedOn ? [ids.receivedOn.host, ids.receivedOn.port] : [];
  client.event([...tokens, ...on, ''], serialise(message));
}

/** Tells of a response made here: no address, port 0. */
export function localEvent(core: Core, client: AppSession, message: SipMessage, txn: string, dialogId: string): void {
  const sip = serialise(message);
  client.event(['network', sip.length, 'udp', '', 0, stackTime(core), txn, dialogId, ''], sip);
}

/** Tells of a request this server sent by itself. */
export function unsolicitedEvent(core: Core, dialog: Dialog, sip: Buffer, flow: Flow): void {
  const { host, port } = flow.remote;
  const tokens = ['application', sip.length, flow.protocol, host, port, stackTime(core), 'unsolicited', dialog.id, ''];
  dialog.owner.event(tokens, sip);
}

/** The `OK` for a response of the application (drachtio.md §4.1). */
export function responseSent(
  core: Core,
  to: { readonly client: AppSession; readonly messageId: string },
  sip: Buffer,
  flow: Flow,
  ids: { readonly txn: string; readonly dialogId: string },
): void {
  const { host, port } = flow.remote;
  const peer = [flow.protocol, host, port, stackTime(core)];
  to.client.respond(
    to.messageId,
    ['OK', 'application', sip.length, ...peer, ids.txn, ids.dialogId, '', 'Msg sent:', ''],
    sip,
  );
}

/** The `OK` for a request of the application (drachtio.md §4.2). */
export function requestSent(
  core: Core,
  to: { readonly client: AppSession; readonly messageId: string },
  sip: Buffer,
  flow: Flow,
  shown: Address,
  txn: string,
): void {
  const where = [flow.protocol, shown.host, shown.port, stackTime(core)];
  to.client.respond(to.messageId, ['OK', 'application', sip.length, ...where, txn, 'Msg sent:', ''], sip);
}
