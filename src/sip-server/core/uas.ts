import { Dialog } from '../dialog/dialog.js';
import { withTerms } from '../dialog/session-timer-terms.js';
import { TwoHundred } from '../dialog/two-hundred.js';
import type { SipHeader, SipRequest, SipResponse } from '../sip/message.js';
import { all, cseqOf, first, header, NO_BODY } from '../sip/message.js';
import { isToken } from '../sip/grammar.js';
import { tagOf } from '../sip/name-addr.js';
import { serialise } from '../sip/serialise.js';
import { InviteServerTransaction } from '../transaction/invite-server.js';
import { NonInviteServerTransaction } from '../transaction/non-invite-server.js';
import type { ServerKeys, ServerTransaction } from '../transaction/transaction-table.js';
import { keptKeys } from '../transaction/transaction-table.js';
import type { Address, Flow } from '../transport/flow.js';
import type { AppSession } from '../wire/app-session.js';
import { NO_APP } from '../wire/app-session.js';
import { appHeaders, bracketContacts, contentTypeOf, hasControlCharacter } from './app-message.js';
import type { Core } from './core.js';
import { uuid } from './core.js';
import { networkEvent, responseSent, unsolicitedEvent } from './events.js';
import {
  asksReliable,
  isReliable,
  knowsReliable,
  rackOf,
  ReliableProvisionals,
  withRseq,
} from './reliable-provisionals.js';
import { cancelRequest, inDialogRequest, newBranch, viaHeader } from './request-text.js';
import type { ServerRequest } from './requests.js';
import { buildResponse, contactHeader, plainResponse } from './response-text.js';
import { ServerTransactionUser } from './server-transaction-user.js';
import type { UserAgentClient } from './uac.js';

const ACK_TIMEOUT = 'ACK timeout';
const MAX_FIRST_RSEQ = 0x3fff_ffff;
/** 2xx to these carry our Contact: they form or refresh a dialog (RFC 3261 table 2). */
const CONTACT_METHODS = new Set(['INVITE', 'UPDATE', 'SUBSCRIBE', 'NOTIFY', 'REFER']);

export interface Arrival {
  readonly request: SipRequest;
  readonly flow: Flow;
  readonly keys: ServerKeys;
  readonly shown: Address;
}

/** Requests from the network in the application's hands, and its answers to them. */
export class UserAgentServer {
  constructor(
    private readonly core: Core,
    private readonly uac: UserAgentClient,
  ) {}

  /** Opens the transaction of a request that goes to the application. An INVITE gets its 100 at once. */
  open(arrival: Arrival, client: AppSession, dialog: Dialog | undefined): ServerRequest {
    const { request, flow } = arrival;
    const record = this.#keep(arrival, { client, dialog, txn: uuid(this.core.ids) });
    if (request.method === 'INVITE') {
      // Armed first: whatever happens from here on, the record does not stay for ever.
      record.silence = this.core.clock.after(this.core.timers.appSilenceMs, () => this.#appSilent(record));
      if (record.initial) this.core.record.arrived(record.txn, request, flow);
      record.transaction.respond(100, plainResponse(request, 100, undefined));
    }
    return record;
  }

  /** An INVITE that came to the process before this one, and was not answered. */
  resume(arrival: Arrival, txn: string, localTag: string | undefined): ServerRequest {
    const record = this.#keep(arrival, { client: NO_APP, dialog: undefined, txn });
    record.localTag = localTag;
    return record;
  }

  #keep(arrival: Arrival, names: Pick<ServerRequest, 'client' | 'dialog' | 'txn'>): ServerRequest {
    const { request, flow, shown } = arrival;
    const { client, dialog, txn } = names;
    const transaction = this.#openTransaction(arrival, txn, dialog === undefined);
    const record: ServerRequest = {
      txn,
      client,
      request,
      transaction,
      flow,
      shown,
      dialog,
      initial: dialog === undefined,
      localTag: dialog?.localTag ?? tagOf(first(request, 'to')),
      tagged: false,
      reliable: undefined,
      silence: undefined,
    };
    this.core.serverRequests.add(record);
    return record;
  }

  #openTransaction(arrival: Arrival, txn: string, isInitial: boolean): ServerTransaction {
    const { flow, request } = arrival;
    const { method } = request;
    const keys = keptKeys(arrival.keys, { method, isInitial });
    const ended = new ServerTransactionUser(this.core, keys, txn, method, first(request, 'call-id') ?? '');
    const transaction: ServerTransaction =
      method === 'INVITE'
        ? new InviteServerTransaction(this.core, flow, ended)
        : new NonInviteServerTransaction(this.core, flow, ended);
    this.core.transactions.addServer(keys, transaction);
    return transaction;
  }

  /** A response of the application (drachtio.md §4.1). */
  respond(client: AppSession, messageId: string, txn: string, message: SipResponse): void {
    const record = this.core.serverRequests.get(txn);
    const refusal = this.#refusal(client, record, message);
    if (!record || refusal !== undefined) {
      client.respond(messageId, ['NOK', refusal ?? 'Response not sent due to unknown transaction']);
      return;
    }
    record.silence?.cancel();
    if (message.status > 100) record.localTag ??= this.#chooseTag(message);
    const dialog = this.#dialogOf(record, message.status);
    const session = this.uac.sessions.answer(record.request, dialog, message.status);
    const built = withTerms(this.#build(record, message), session);
    const rseq = this.#rseqFor(record, message);
    const sip = serialise(rseq === undefined ? built : withRseq(built, rseq));
    const dialogId = record.request.method === 'BYE' ? '' : (dialog?.id ?? '');
    responseSent(this.core, { client, messageId }, sip, record.flow, { txn, dialogId });
    const { status } = message;
    const leave = (): void => {
      this.#note(record, dialog, status);
      record.transaction.respond(status, sip);
      if (status >= 200) this.#finish(record, message, sip);
      if (record.initial) this.core.registered.granted(record.request, message, record.flow);
      this.uac.sessions.answered(record.request, dialog, session, message);
    };
    if (!record.reliable) leave();
    else record.reliable.send({ status, rseq, leave, repeat: () => record.flow.send(sip) });
  }

  /** The RSeq of a provisional response that has to be reliable (RFC 3262 §3). */
  #rseqFor(record: ServerRequest, message: SipResponse): number | undefined {
    if (!isReliable(record.request, message)) return undefined;
    record.reliable ??= new ReliableProvisionals({
      clock: this.core.clock,
      timers: this.core.timers,
      firstRseq: 1 + (parseInt(this.core.ids.hex(4), 16) & MAX_FIRST_RSEQ),
      onTimeout: () => this.#noPrack(record),
    });
    return record.reliable.nextRseq();
  }

  /**
   * The INVITE whose reliable response this PRACK acknowledges, if one waits for it. The caller has `acknowledged` called
   * once the PRACK itself is taken care of.
   */
  acknowledgedBy(prack: SipRequest, dialog: Dialog): ReliableProvisionals | undefined {
    const rack = rackOf(prack);
    if (!rack) return undefined;
    const acknowledged = this.core.serverRequests
      .ofDialog(dialog)
      .find(({ request, reliable }) => cseqOf(request)?.number === rack.seq && reliable?.awaits(rack.rseq));
    return acknowledged?.reliable;
  }

  /** RFC 3262 §3: no PRACK in 64·T1. An application that has not answered is told as if the caller had given up. */
  #noPrack(record: ServerRequest): void {
    const { client, request, flow, txn, dialog } = record;
    this.core.logger.warn('no PRACK to a reliable response', { callId: first(request, 'call-id') });
    const isAnswered = record.reliable?.holdsFinal === true;
    this.preempt(record, 504);
    if (isAnswered) return;
    const cancel = cancelRequest(request, [header('Reason', 'SIP ;cause=504 ;text="no PRACK"')]);
    const origin = { flow, byteLength: serialise(cancel).length };
    networkEvent(this.core, client, cancel, origin, { txn, dialogId: dialog?.id ?? '' });
  }

  /** The application may name the local tag in To; one that is no token would shift the tokens of a frame. */
  #chooseTag(message: SipResponse): string {
    const wanted = tagOf(first(message, 'to')) ?? '';
    return isToken(wanted) ? wanted : this.core.ids.hex(8);
  }

  #refusal(client: AppSession, record: ServerRequest | undefined, message: SipResponse): string | undefined {
    const method = cseqOf(message)?.method;
    if (method === 'CANCEL') return '200 OK to incoming CANCEL is automatically generated by the stack';
    if (!record || record.client !== client || record.reliable?.holdsFinal)
      return 'Response not sent due to unknown transaction';
    if (message.status < 100 || message.status > 699) return 'invalid status code';
    if (hasControlCharacter(message) || /[\r\n]/.test(message.reason)) return 'control character in a header';
    if (!contentTypeOf(message)) return 'missing content-type';
    return refuseReliable(record.request, message);
  }

  /** The dialog a response belongs to; the first tagged answer to an initial INVITE creates it. */
  #dialogOf(record: ServerRequest, status: number): Dialog | undefined {
    if (record.dialog || record.request.method !== 'INVITE' || !record.initial) return record.dialog;
    if (status <= 100 || status >= 300 || record.localTag === undefined) return undefined;
    record.dialog = Dialog.answering(record.request, record.localTag, record.client, record.txn, record.flow);
    this.core.dialogs.add(record.dialog);
    this.core.serverRequests.noteDialog(record);
    return record.dialog;
  }

  /** What the answer that is about to leave makes of the call. A second provisional one makes nothing new of it. */
  #note(record: ServerRequest, dialog: Dialog | undefined, status: number): void {
    const { txn, initial } = record;
    if (!dialog || !initial) return;
    if (status >= 200 && status < 300) this.core.record.answered(txn, dialog.localTag);
    else if (status < 200 && !record.tagged) this.core.record.tagged(txn, dialog.localTag);
    record.tagged = true;
  }

  #build(record: ServerRequest, message: SipResponse): SipResponse {
    const { request, shown, flow } = record;
    const { status } = message;
    const headers: SipHeader[] = [];
    const formsDialog = request.method === 'INVITE' && status > 100 && status < 300;
    if (formsDialog) headers.push(...all(request, 'record-route').map((value) => header('Record-Route', value)));
    headers.push(...bracketContacts(appHeaders(message, shown, ['from', 'to', 'call-id', 'cseq'])));
    const wantsContact = formsDialog || (status >= 200 && status < 300 && CONTACT_METHODS.has(request.method));
    if (wantsContact && first(message, 'contact') === undefined)
      headers.unshift(contactHeader(shown, flow, request.uri));
    const type = contentTypeOf(message)?.header;
    if (type) headers.push(type);
    const toTag = status > 100 ? record.localTag : undefined;
    return buildResponse(request, { status, reason: message.reason, toTag, headers, body: message.body });
  }

  #finish(record: ServerRequest, { status }: SipResponse, sip: Buffer): void {
    this.core.serverRequests.delete(record.txn);
    const { dialog, request } = record;
    if (request.method !== 'INVITE' || !dialog) return;
    if (status >= 300) {
      if (record.initial) this.core.dialogs.remove(dialog);
      return;
    }
    dialog.state = 'confirmed';
    dialog.twoHundred?.stop();
    dialog.twoHundred = new TwoHundred({
      clock: this.core.clock,
      timers: this.core.timers,
      flow: record.flow,
      bytes: sip,
      seq: cseqOf(request)?.number ?? 0,
      ackTxn: record.initial ? record.txn : uuid(this.core.ids),
      onTimeout: () => this.uac.endDialog(dialog, ACK_TIMEOUT),
    });
    dialog.twoHundred.start();
  }

  /** The server answers in the application's place: CANCEL, BYE or silence. Later answers find no transaction. */
  preempt(record: ServerRequest, status: number, headers: readonly SipHeader[] = []): void {
    record.silence?.cancel();
    this.#takeBack(record);
    this.core.serverRequests.delete(record.txn);
    record.localTag ??= this.core.ids.hex(8);
    record.transaction.respond(status, plainResponse(record.request, status, record.localTag, headers));
    if (record.initial && record.dialog && record.dialog.state === 'early') this.core.dialogs.remove(record.dialog);
  }

  /** The application believes the call answered, though its 2xx still waited for a PRACK: it is told of the end. */
  #takeBack({ reliable, dialog, flow, shown }: ServerRequest): void {
    const isAnswered = reliable?.holdsFinal === true;
    reliable?.stop();
    if (!isAnswered || !dialog) return;
    const via = viaHeader(flow, shown, newBranch(this.core));
    const reason = header('Reason', 'SIP ;cause=487 ;text="ended before PRACK"');
    const bye = inDialogRequest(dialog, via, {
      method: 'BYE',
      seq: dialog.nextSeq(),
      headers: [reason],
      body: NO_BODY,
    });
    unsolicitedEvent(this.core, dialog, serialise(bye), flow);
  }

  #appSilent(record: ServerRequest): void {
    this.core.logger.warn('application silent on an INVITE', { callId: first(record.request, 'call-id') });
    this.preempt(record, 480);
  }
}

/** RFC 3262 §3: not to a peer that does not know them. */
const refuseReliable = (request: SipRequest, response: SipResponse): string | undefined =>
  response.status < 200 && asksReliable(response) && !knowsReliable(request)
    ? 'Remote endpoint does not support 100rel'
    : undefined;
