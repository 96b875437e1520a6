import type { Dialog } from '../dialog/dialog.js';
import { asksTooShort, refreshesSession } from '../dialog/session-timer-terms.js';
import type { SipRequest, SipResponse } from '../sip/message.js';
import { cseqOf, elements, first, header } from '../sip/message.js';
import { tagOf } from '../sip/name-addr.js';
import { parseMessage } from '../sip/parse.js';
import { replaceFirst } from '../sip/serialise.js';
import { splitOutsideQuotes } from '../sip/grammar.js';
import { refuseRequest, refuseResponse } from '../sip/validate.js';
import { completeVia, parseVia } from '../sip/via.js';
import { InviteServerTransaction } from '../transaction/invite-server.js';
import { clientKeyOf, serverKeys } from '../transaction/transaction-table.js';
import type { Address, Flow } from '../transport/flow.js';
import type { Core } from './core.js';
import type { Admission } from './doorkeeper.js';
import { networkEvent } from './events.js';
import { replyFlow } from './reply-flow.js';
import { plainResponse, statelessTag } from './response-text.js';
import type { ServerRequest } from './requests.js';
import type { UserAgentClient } from './uac.js';
import type { Arrival, UserAgentServer } from './uas.js';

/** Methods an application may be given outside a dialog. */
const OUTSIDE = new Set([
  'INVITE',
  'OPTIONS',
  'REGISTER',
  'MESSAGE',
  'INFO',
  'SUBSCRIBE',
  'NOTIFY',
  'PUBLISH',
  'REFER',
]);
/** Methods that make no sense outside a dialog. */
const INSIDE_ONLY = new Set(['BYE', 'UPDATE', 'PRACK']);
/** With a To tag we do not know these are still new requests, as drachtio-server has it. */
const TOLERATED_TAG = new Set(['INFO', 'OPTIONS', 'MESSAGE', 'NOTIFY']);
const ALLOW =
  'INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, MESSAGE, REGISTER, REFER, NOTIFY, PRACK, SUBSCRIBE, PUBLISH';

/** Retry-After of what is shed, seconds: spread, so that they do not all come back at once. */
const RETRY_LEAST_S = 5;
const RETRY_SPREAD_S = 11;

interface Received extends Arrival {
  readonly byteLength: number;
}

type Origin = Pick<Received, 'flow' | 'shown' | 'byteLength'> & Admission;

/** What comes from the network: validated, matched to its transaction or dialog, answered or handed on. */
export class Inbound {
  constructor(
    private readonly core: Core,
    private readonly uas: UserAgentServer,
    private readonly uac: UserAgentClient,
    private readonly secret: string,
  ) {}

  /** Takes one message. The order of messages on a flow is kept. */
  receive(bytes: Buffer, flow: Flow, admission: Admission): Promise<void> | undefined {
    const shown = this.core.transports.shownAtOnce(flow);
    if (!shown) return this.core.transports.shownAddress(flow).then((it) => this.#take(bytes, flow, it, admission));
    this.#take(bytes, flow, shown, admission);
    return undefined;
  }

  #take(bytes: Buffer, flow: Flow, shown: Address, admission: Admission): void {
    const parsed = parseMessage(bytes);
    if (!parsed)
      return this.core.logger.debug('not a SIP message, or too large', {
        bytes: bytes.length,
        remote: flow.remote.host,
      });
    const { message, problems } = parsed;
    const origin: Origin = { flow, shown, byteLength: bytes.length, ...admission };
    if (message.kind === 'response') return this.#response({ message, problems }, origin);
    if (admission.isKnown || this.core.dialogs.forRequest(message)) this.#read({ message, problems }, origin);
  }

  #read(parsed: { message: SipRequest; problems: readonly string[] }, origin: Origin): void {
    const { message, problems } = parsed;
    const { flow, shown, byteLength, isShed } = origin;
    const request = withCompletedVia(message, flow);
    // The Via of another version is not ours to read; where the request came from is known all the same.
    if (!request && message.version !== '2.0') return this.#refuse(message, flow, 505);
    if (!request) return this.core.logger.debug('request without a usable Via', { remote: flow.remote.host });
    const back = replyFlow(this.core, request, flow);
    if (isShed && this.#isNew(request)) return this.#shed(request, back);
    // As it came: what was added to its Via need not be read once more.
    const refusal = refuseRequest({ message, problems });
    if (refusal) {
      this.core.logger.info('sip request refused', { ...refusal, remote: flow.remote.host });
      return this.#refuse(request, back, refusal.status, refusal.reason);
    }
    if (flow.protocol === 'tls') this.#alias(request, flow);
    const isPart = request.method === 'ACK' || request.method === 'CANCEL';
    const keys = serverKeys(message, isPart ? 'INVITE' : request.method);
    this.#request({ request, flow: back, keys, shown, byteLength });
  }

  /** RFC 5923 §5: the peer offers the connection it opened for requests to the address in its Via. */
  #alias(request: SipRequest, flow: Flow): void {
    const via = parseVia(elements(request, 'via')[0] ?? '');
    if (via?.params.has('alias')) this.core.transports.alias(flow, via);
  }

  #response(
    parsed: { message: SipResponse; problems: readonly string[] },
    { flow, shown, byteLength, isKnown }: Origin,
  ): void {
    const refusal = refuseResponse(parsed);
    if (refusal)
      return this.core.logger.info('sip response dropped', { reason: refusal.reason, remote: flow.remote.host });
    const key = clientKeyOf(parsed.message);
    const transaction = key === undefined ? undefined : this.core.transactions.client(key);
    if (transaction) return transaction.receive({ message: parsed.message, flow, byteLength });
    const late = this.core.dialogs.forResponse(parsed.message);
    if (!late) {
      if (isKnown) this.uac.strays.end(parsed.message, flow, shown);
    } else if (cseqOf(parsed.message)?.method === 'INVITE') this.uac.acks.repeat(late, parsed.message);
  }

  #request(received: Received): void {
    const { request, keys } = received;
    if (request.method === 'ACK') return this.#ack(received);
    if (request.method === 'CANCEL') return this.#cancel(received);
    const known = this.core.transactions.server(keys);
    if (known) return known.receiveAgain();
    const toTag = tagOf(first(request, 'to'));
    if (toTag === undefined) return this.#newRequest(received);
    const dialog = this.core.dialogs.forRequest(request);
    if (dialog) return this.#inDialog(received, dialog);
    if (TOLERATED_TAG.has(request.method)) return this.#newRequest(received);
    return this.#refuse(request, received.flow, 481);
  }

  #newRequest(received: Received): void {
    const { request, flow, keys } = received;
    if (INSIDE_ONLY.has(request.method)) return this.#refuse(request, flow, 481);
    if (!OUTSIDE.has(request.method)) return this.#refuse(request, flow, 501, undefined, [header('Allow', ALLOW)]);
    if (this.core.transactions.isMerged(keys)) return this.#refuse(request, flow, 482);
    if (asksTooShort(request, this.core.session)) return this.#refuseInterval(received);
    const client = this.core.pick(request.method);
    // Without Retry-After a 503 would pass for a 500 (RFC 3261 §21.5.4); an application that restarts is soon back.
    if (!client) return this.#refuse(request, flow, 503, undefined, [header('Retry-After', '5')]);
    const record = this.uas.open(received, client, undefined);
    networkEvent(this.core, client, request, received, { txn: record.txn, dialogId: '', receivedOn: received.shown });
  }

  #inDialog(received: Received, dialog: Dialog): void {
    const { request, flow } = received;
    if (!dialog.owner.open) {
      this.core.dialogs.remove(dialog);
      return this.#refuse(request, flow, 481);
    }
    const seq = cseqOf(request)?.number ?? 0;
    if (dialog.remoteSeq !== undefined && seq < dialog.remoteSeq) return this.#refuse(request, flow, 500);
    if (asksTooShort(request, this.core.session)) return this.#refuseInterval(received);
    if (request.method === 'PRACK') return this.#prack(received, dialog, seq);
    const glare = this.#inviteGlare(request, dialog);
    if (glare !== undefined)
      return this.#refuse(request, flow, glare, undefined, glare === 500 ? [header('Retry-After', '3')] : []);
    dialog.remoteSeq = seq;
    if (refreshesSession(request.method)) this.#refresh(dialog, request, flow);
    const record = this.uas.open(received, dialog.owner, dialog);
    networkEvent(this.core, dialog.owner, request, received, { txn: record.txn, dialogId: dialog.id });
    if (request.method === 'BYE') this.#onBye(dialog, record);
  }

  /** RFC 3262 §3. The application answers it, unless it has answered the call already: then it expects none any more. */
  #prack(received: Received, dialog: Dialog, seq: number): void {
    const { request, flow } = received;
    const reliable = this.uas.acknowledgedBy(request, dialog);
    if (!reliable) return this.#refuse(request, flow, 481);
    dialog.remoteSeq = seq;
    const record = this.uas.open(received, dialog.owner, dialog);
    if (reliable.holdsFinal) this.uas.preempt(record, 200);
    else networkEvent(this.core, dialog.owner, request, received, { txn: record.txn, dialogId: dialog.id });
    reliable.acknowledged();
  }

  /** RFC 4028 §9. */
  #refuseInterval({ request, flow }: Received): void {
    this.#refuse(request, flow, 422, undefined, [header('Min-SE', String(this.core.session.minS))]);
  }

  /** RFC 3261 §12.2.2: target and way may change. */
  #refresh(dialog: Dialog, request: SipRequest, flow: Flow): void {
    const before = dialog.remoteTarget;
    const from = dialog.flow?.remote;
    dialog.refreshTarget(request);
    dialog.flow = flow;
    if (before !== dialog.remoteTarget || from?.host !== flow.remote.host || from.port !== flow.remote.port) {
      this.core.record.moved(dialog.inviteTxn, dialog.remoteTarget, flow);
    }
  }

  /** RFC 3261 §14.2: an INVITE of theirs not yet answered → 500; one of ours under way → 491. */
  #inviteGlare(request: SipRequest, dialog: Dialog): number | undefined {
    if (request.method !== 'INVITE') return undefined;
    const isInvite = (record: Pick<ServerRequest, 'request'>): boolean => record.request.method === 'INVITE';
    if (this.core.serverRequests.ofDialog(dialog).some(isInvite)) return 500;
    return this.core.clientRequests.ofDialog(dialog).some(isInvite) ? 491 : undefined;
  }

  /** RFC 3261 §15.1.2: the dialog is over; its unanswered INVITEs get 487. */
  #onBye(dialog: Dialog, bye: ServerRequest): void {
    for (const record of this.core.serverRequests.ofDialog(dialog)) {
      if (record !== bye) this.uas.preempt(record, 487);
    }
    for (const record of this.core.clientRequests.ofDialog(dialog)) {
      if (record.request.method === 'INVITE') this.uac.cancel(record, []);
    }
    this.core.dialogs.remove(dialog);
    this.core.record.ended(dialog.inviteTxn);
  }

  #ack(received: Received): void {
    const { request, keys } = received;
    const transaction = this.core.transactions.server(keys);
    if (transaction instanceof InviteServerTransaction && transaction.state !== 'accepted')
      return transaction.receiveAck();
    const dialog = this.core.dialogs.forRequest(request);
    const waiting = dialog?.twoHundred;
    if (!dialog || waiting?.seq !== cseqOf(request)?.number || !waiting) return;
    waiting.stop();
    dialog.twoHundred = undefined;
    if (waiting.ackTxn === dialog.inviteTxn) this.core.record.acknowledged(dialog.inviteTxn);
    networkEvent(this.core, dialog.owner, request, received, { txn: waiting.ackTxn, dialogId: dialog.id });
  }

  /** RFC 3261 §9.2: 200 to the CANCEL and 487 to the INVITE at once, then the application is told. */
  #cancel(received: Received): void {
    const { request, flow, keys } = received;
    const transaction = this.core.transactions.serverLoosely(keys);
    if (!transaction) return this.#refuse(request, flow, 481);
    const record = this.core.serverRequests.get(transaction.txn);
    const tag = record?.localTag ?? statelessTag(request, this.secret);
    flow.send(plainResponse(request, 200, tag));
    if (!record) return;
    record.localTag ??= tag;
    const dialogId = record.dialog?.id ?? '';
    this.uas.preempt(record, 487);
    networkEvent(this.core, record.client, request, received, { txn: record.txn, dialogId });
  }

  /** Does it begin something? Its repetition does not, once it was taken. It need not be valid. */
  #isNew(request: SipRequest): boolean {
    if (request.method === 'ACK' || request.method === 'CANCEL') return false;
    if (tagOf(first(request, 'to')) !== undefined) return false;
    return this.core.transactions.server(serverKeys(request, request.method)) === undefined;
  }

  #shed(request: SipRequest, flow: Flow): void {
    const seconds = RETRY_LEAST_S + (parseInt(this.core.ids.hex(2), 16) % RETRY_SPREAD_S);
    this.#refuse(request, flow, 503, undefined, [header('Retry-After', String(seconds))]);
  }

  /** An answer without state. An ACK is never answered. */
  #refuse(
    request: SipRequest,
    flow: Flow,
    status: number,
    reason?: string,
    extra: Parameters<typeof plainResponse>[3] = [],
  ): void {
    if (request.method === 'ACK') return;
    flow.send(plainResponse(request, status, statelessTag(request, this.secret), extra, reason));
  }
}

/** Fills `received` and `rport` into the top Via; undefined when there is none that can be read. */
function withCompletedVia(request: SipRequest, flow: Flow): SipRequest | undefined {
  const line = first(request, 'via');
  const [top = '', ...rest] = line === undefined ? [] : (splitOutsideQuotes(line, ',') ?? []);
  const via = parseVia(top);
  if (!via) return undefined;
  const value = [completeVia(top.trim(), via, flow.remote), ...rest.map((it) => it.trim())].join(', ');
  return { ...request, headers: replaceFirst(request.headers, 'via', value) };
}
