import type { Dialog } from '../dialog/dialog.js';
import { Dialog as DialogState } from '../dialog/dialog.js';
import type { SipHeader, SipRequest, SipResponse } from '../sip/message.js';
import { elements, first, header, NO_BODY } from '../sip/message.js';
import { tagOf } from '../sip/name-addr.js';
import { serialise } from '../sip/serialise.js';
import { statusText } from '../sip/status-text.js';
import { parseVia } from '../sip/via.js';
import { transactionLifeMs } from '../timers.js';
import type { ClientTransactionUser, ReceivedResponse } from '../transaction/invite-client.js';
import { InviteClientTransaction } from '../transaction/invite-client.js';
import { NonInviteClientTransaction } from '../transaction/non-invite-client.js';
import { clientKey } from '../transaction/transaction-table.js';
import type { Flow } from '../transport/flow.js';
import type { NextHop } from '../transport/resolver.js';
import type { AppSession } from '../wire/app-session.js';
import { AckSender } from './ack-sender.js';
import type { Core } from './core.js';
import { localEvent, networkEvent, unsolicitedEvent } from './events.js';
import { Failover, type FailoverOutlet } from './failover.js';
import { keepFlow } from './flow-timer.js';
import { wayInDialog } from './next-hop.js';
import { ackRequest, cancelRequest, inDialogRequest, newBranch, viaHeader } from './request-text.js';
import type { ClientRequest } from './requests.js';
import { buildResponse } from './response-text.js';
import { SessionTimers } from './session-timers.js';
import { StrayAnswers } from './stray-answers.js';
import type { Way } from './way.js';

interface Launch {
  readonly txn: string;
  readonly client: AppSession | undefined;
  readonly request: SipRequest;
  readonly bytes: Buffer;
  readonly flow: Flow;
  readonly dialog: Dialog | undefined;
  /** Is it a session refresh of the server's own? */
  readonly refresh?: boolean;
  /** Opens the way anew, for when the request has to be sent once more. */
  readonly again?: (() => Promise<Way>) | undefined;
  /** Times a 422 has made it be sent again. */
  readonly raised?: number;
  /** Outside a dialog although the dialog it makes is known: the INVITE was sent before. */
  readonly initial?: boolean;
  /** Where else the request can go. */
  readonly others?: readonly NextHop[] | undefined;
}

/** Requests on their way to the network, and what comes back. */
export class UserAgentClient {
  readonly acks: AckSender;
  readonly strays: StrayAnswers;
  readonly sessions: SessionTimers;
  readonly #failover: Failover;

  constructor(private readonly core: Core) {
    const launchBye = (bye: SipRequest, flow: Flow): unknown => this.#launchOwn(bye, { flow }, undefined);
    this.acks = new AckSender(core, (dialog, reason) => this.endDialog(dialog, reason), launchBye);
    this.strays = new StrayAnswers(core, launchBye);
    const launchAgain: FailoverOutlet['launchAgain'] = (record, request, { flow, others }) =>
      void this.launch({ ...record, request, bytes: serialise(request), flow, others });
    this.#failover = new Failover(core, { launchAgain, fail: (record, status) => this.#failLocally(record, status) });
    this.sessions = new SessionTimers(core, {
      launch: (request, way, dialog) => this.#launchOwn(request, way, dialog, true),
      launchAgain,
      fail: (record, status) => this.#failLocally(record, status),
      acknowledge: (dialog) => this.acks.send(dialog, [], NO_BODY),
      endDialog: (dialog, reason, cause) => this.endDialog(dialog, reason, cause),
    });
  }

  /** Starts the transaction. The caller has already answered `OK`, or does so before it yields. */
  launch(start: Launch): ClientRequest {
    const record = this.#keep(start);
    if (record.initial && record.dialog) this.core.record.calling(record.txn, record.request, record.flow);
    this.#transact(record, start.bytes).start();
    this.#failover.watch(record);
    return record;
  }

  /**
   * Goes on with an INVITE of the process before this one. `heard` is what had come for it; its owner is gone, so a 2xx,
   * then or later, is acknowledged and hung up.
   */
  resume(start: Launch, heard: ReceivedResponse | undefined): ClientRequest {
    const record = this.#keep(start);
    // Whatever has come for it went to a process that is no more: there is no waiting for a first answer.
    record.provisional = true;
    const transaction = this.#transact(record, start.bytes);
    if (transaction instanceof InviteClientTransaction) transaction.resume();
    if (heard) transaction.receive(heard);
    return record;
  }

  #keep(start: Launch): ClientRequest {
    const { request, client, txn, flow } = start;
    const { initial = start.dialog === undefined, refresh = false, again, raised = 0, others = [] } = start;
    const makesDialog = start.dialog === undefined && request.method === 'INVITE' && client;
    const dialog = makesDialog ? DialogState.calling(request, client, txn, flow) : start.dialog;
    if (makesDialog && dialog) this.core.dialogs.add(dialog);
    const record: ClientRequest = {
      txn,
      client,
      request,
      flow,
      dialog,
      initial,
      refresh,
      again,
      raised,
      others,
      transaction: undefined,
      cancel: 'none',
      cancelHeaders: [],
      forks: new Map(),
      provisional: false,
      lastProvisional: undefined,
      rseqs: new Map(),
      cancelTimer: undefined,
    };
    this.core.clientRequests.add(record);
    return record;
  }

  #transact(record: ClientRequest, bytes: Buffer): InviteClientTransaction | NonInviteClientTransaction {
    const { request, flow } = record;
    const key = clientKey(branchOf(request), request.method);
    const user: ClientTransactionUser = {
      onResponse: (received) => this.#onResponse(record, received),
      onTimeout: () => this.#failover.tryNext(record, 408) || this.#failLocally(record, 408),
      onTransportError: (err) => {
        this.core.logger.info('peer unreachable', {
          err,
          method: request.method,
          remote: `${flow.remote.host}:${flow.remote.port}`,
        });
        if (!this.#failover.tryNext(record, 503)) this.#failLocally(record, 503);
      },
      onTerminated: () => this.core.transactions.removeClient(key),
    };
    const buildAck = (response: SipResponse): Buffer => serialise(ackRequest(request, first(response, 'to') ?? ''));
    record.transaction =
      request.method === 'INVITE'
        ? new InviteClientTransaction(this.core, { request: bytes, flow, buildAck, user })
        : new NonInviteClientTransaction(this.core, { request: bytes, flow, user });
    this.core.transactions.addClient(key, record.transaction);
    return record.transaction;
  }

  #onResponse(record: ClientRequest, heard: ReceivedResponse): void {
    const received = recognised(record, heard);
    const { message } = received;
    if (message.status < 200) return this.#onProvisional(record, received);
    if (record.request.method === 'INVITE' && message.status < 300 && record.dialog) {
      if (!this.core.clientRequests.has(record.txn))
        return this.acks.onRepeatedSuccess(record, record.dialog, received);
      if (record.initial) this.core.record.heard(record.txn, message, received.flow);
      this.#onCallAnswered(record, record.dialog, received);
    }
    this.#complete(record, received);
  }

  #onProvisional(record: ClientRequest, received: ReceivedResponse): void {
    const { message } = received;
    record.provisional = true;
    if (record.cancel === 'held') this.#sendCancel(record);
    if (message.status === 100) return;
    if (!isNextInOrder(record, message)) return;
    const bytes = serialise(message);
    if (record.lastProvisional?.equals(bytes)) return;
    record.lastProvisional = bytes;
    if (record.initial && record.dialog) this.#learnEarly(record.dialog, record, received);
    this.#tell(record, received);
  }

  #learnEarly(dialog: Dialog, record: ClientRequest, received: ReceivedResponse): void {
    const { remoteTag, remoteTarget } = dialog;
    dialog.learn(received.message, received.flow);
    const isNews = remoteTag !== dialog.remoteTag || remoteTarget !== dialog.remoteTarget;
    if (isNews && dialog.remoteTag !== undefined) this.core.record.heard(record.txn, received.message, received.flow);
  }

  #onCallAnswered(record: ClientRequest, dialog: Dialog, received: ReceivedResponse): void {
    const withoutContact = record.initial && first(received.message, 'contact') === undefined;
    dialog.learn(received.message, received.flow);
    if (record.cancel !== 'none') this.acks.expect(record.request, dialog, 'ACK-BYE due to cancel race condition');
    else this.acks.expect(record.request, dialog, withoutContact ? 'no Contact in the answer' : undefined);
    if (!dialog.owner.open) this.endDialog(dialog, 'application gone');
  }

  /** A final response, from the network or made here. */
  #complete(record: ClientRequest, received: ReceivedResponse): void {
    const response = received.message;
    if (response.status === 422 && this.sessions.askLonger(record, response)) return;
    if (response.status === 503 && this.#failover.tryNext(record, 503)) return;
    record.cancelTimer?.cancel();
    this.core.clientRequests.delete(record.txn);
    const { dialog } = record;
    this.#tell(record, received);
    if (!dialog) return keepFlow(record.request, response, record.flow);
    const method = record.request.method;
    this.sessions.onFinal(record, dialog, received);
    if (method === 'INVITE' && record.initial && response.status >= 300) this.forget(dialog);
    if (method === 'BYE') this.#afterBye(record, dialog, response.status);
  }

  /** A challenged BYE is tried again with credentials, unless the application has none. */
  #afterBye(record: ClientRequest, dialog: Dialog, status: number): void {
    if ((status !== 401 && status !== 407) || !record.client) return this.forget(dialog);
    this.core.clock.after(transactionLifeMs(this.core.timers), () => this.forget(dialog));
  }

  /** The dialog is over, for us and for the process after us. */
  forget(dialog: Dialog): void {
    this.core.dialogs.remove(dialog);
    this.core.record.ended(dialog.inviteTxn);
  }

  #tell(record: ClientRequest, received: ReceivedResponse): void {
    if (!record.client) return;
    const ids = { txn: record.txn, dialogId: record.dialog?.id ?? '' };
    networkEvent(this.core, record.client, received.message, received, ids);
  }

  #failLocally(record: ClientRequest, status: number): void {
    if (!this.core.clientRequests.delete(record.txn)) return;
    record.cancelTimer?.cancel();
    const { dialog, client, request } = record;
    const reason = statusText(status);
    const response = buildResponse(request, { status, reason, toTag: undefined, headers: [], body: NO_BODY });
    if (client) localEvent(this.core, client, response, record.txn, dialog?.id ?? '');
    if (!dialog) return;
    if (record.refresh) return this.sessions.refused(dialog, status);
    if (request.method === 'BYE' || (request.method === 'INVITE' && record.initial)) this.forget(dialog);
  }

  /** CANCEL leaves at once if the peer has answered provisionally, else with its first such answer (RFC 3261 §9.1). */
  cancel(record: ClientRequest, headers: readonly SipHeader[]): void {
    if (record.cancel !== 'none') return;
    record.cancelHeaders = headers;
    if (record.provisional) this.#sendCancel(record);
    else record.cancel = 'held';
  }

  #sendCancel(record: ClientRequest): void {
    record.cancel = 'sent';
    const request = cancelRequest(record.request, record.cancelHeaders);
    const key = clientKey(branchOf(request), 'CANCEL');
    const transaction = new NonInviteClientTransaction(this.core, {
      request: serialise(request),
      flow: record.flow,
      user: {
        onResponse: ({ message }) => {
          if (record.client?.open) return;
          // The peer knows no such INVITE (any more). A 2xx that comes all the same is still ended.
          if (message.status === 481) this.core.record.ended(record.txn);
          else if (message.status < 300) record.dialog?.guess(message);
        },
        onTimeout: () => undefined,
        onTransportError: () => undefined,
        onTerminated: () => this.core.transactions.removeClient(key),
      },
    });
    this.core.transactions.addClient(key, transaction);
    transaction.start();
    record.cancelTimer = this.core.clock.after(transactionLifeMs(this.core.timers), () => {
      this.#failLocally(record, 408);
      record.transaction?.terminate();
    });
  }

  /** Ends a dialog nobody holds any more with a BYE of our own, and tells the application. */
  endDialog(dialog: Dialog, reason: string, cause = 200): void {
    if (dialog.state === 'ended') return;
    this.core.dialogs.remove(dialog);
    this.#serverBye(dialog, reason, cause).catch((err: unknown) => {
      this.core.logger.warn('BYE could not be sent', { err });
      this.core.record.ended(dialog.inviteTxn);
    });
  }

  async #serverBye(dialog: Dialog, text: string, status: number): Promise<void> {
    if (dialog.ack && !dialog.ack.sent) await this.acks.send(dialog, [], NO_BODY);
    const way = await wayInDialog(this.core, dialog);
    const { flow, shown } = way;
    const via = viaHeader(flow, shown, newBranch(this.core));
    const cause = header('Reason', `SIP ;cause=${status} ;text="${text}"`);
    const parts = { method: 'BYE', seq: dialog.nextSeq(), headers: [cause], body: NO_BODY };
    const request = inDialogRequest(dialog, via, parts);
    unsolicitedEvent(this.core, dialog, this.#launchOwn(request, way, dialog), flow);
  }

  /** A request of the server itself: nobody is told of its answer. */
  #launchOwn(
    request: SipRequest,
    way: Pick<Way, 'flow' | 'others'>,
    dialog: Dialog | undefined,
    refresh = false,
  ): Buffer {
    const bytes = serialise(request);
    this.launch({ txn: `server-${this.core.ids.hex(8)}`, client: undefined, request, bytes, ...way, dialog, refresh });
    return bytes;
  }
}

/** RFC 3262 §4: a repeated reliable response, or one before its turn, is not taken; the peer repeats it. */
function isNextInOrder(record: ClientRequest, message: SipResponse): boolean {
  const rseq = Number(first(message, 'rseq') ?? 0);
  if (!(rseq > 0)) return true;
  const tag = tagOf(first(message, 'to')) ?? '';
  const last = record.rseqs.get(tag);
  if (last !== undefined && rseq !== last + 1) return false;
  record.rseqs.set(tag, rseq);
  return true;
}

/**
 * RFC 3261 §8.1.3.2: a final response nobody knows counts as the first of its class. drachtio-srf takes no other 2xx for a
 * call: it would acknowledge it and forget it, and at the peer it would stay up.
 */
function recognised(record: ClientRequest, received: ReceivedResponse): ReceivedResponse {
  const { message } = received;
  const isOther = record.request.method === 'INVITE' && message.status > 200 && message.status < 300;
  return isOther ? { ...received, message: { ...message, status: 200 } } : received;
}

const branchOf = (request: SipRequest): string =>
  parseVia(elements(request, 'via')[0] ?? '')?.params.get('branch') ?? '';
