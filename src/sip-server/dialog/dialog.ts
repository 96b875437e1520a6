import type { Timer } from '../../lib/clock.js';
import type { SipMessage, SipRequest, SipResponse } from '../sip/message.js';
import { cseqOf, elements, first } from '../sip/message.js';
import { formatNameAddr, parseNameAddr, tagOf } from '../sip/name-addr.js';
import type { Flow } from '../transport/flow.js';
import type { AppSession } from '../wire/app-session.js';
import type { SessionTimerRunner } from './session-timer-runner.js';
import type { TwoHundred } from './two-hundred.js';

/** Name of a dialog towards the application: the From tag is always the one of the request that created it. */
export const dialogId = (callId: string, fromTag: string): string => `${callId};from-tag=${fromTag}`;

/** Our side of a 2xx to our INVITE. */
export interface PendingAck {
  readonly seq: number;
  /** Credentials are repeated in the ACK (RFC 3261 §22.1). */
  readonly invite: SipRequest;
  /** The ACK as sent, repeated for every repeated 2xx; undefined until the application sends it. */
  sent: Buffer | undefined;
  sentOn: Flow | undefined;
  /** Nobody can use this dialog: end it, with this reason, as soon as it is acknowledged. */
  byeReason: string | undefined;
  deadline: Timer | undefined;
}

interface DialogStart {
  readonly role: 'uas' | 'uac';
  readonly id: string;
  readonly callId: string;
  readonly localTag: string;
  /** Our From in requests: a name-addr with tag. */
  readonly localParty: string;
  readonly owner: AppSession;
  /** The application's name for the INVITE. */
  readonly inviteTxn: string;
}

/** Dialog state, RFC 3261 §12. */
export class Dialog {
  readonly role: 'uas' | 'uac';
  readonly id: string;
  readonly callId: string;
  readonly localTag: string;
  readonly localParty: string;
  readonly owner: AppSession;
  readonly inviteTxn: string;

  state: 'early' | 'confirmed' | 'ended' = 'early';
  remoteTag: string | undefined;
  remoteParty = '';
  remoteTarget = '';
  routeSet: readonly string[] = [];
  localSeq = 0;
  remoteSeq: number | undefined;
  /** The way the peer was last heard on. */
  flow: Flow | undefined;
  /** Our 2xx that waits for its ACK. */
  twoHundred: TwoHundred | undefined;
  /** The INVITE whose 2xx we must acknowledge, or have. */
  ack: PendingAck | undefined;
  /** The session timer, once one was agreed on (RFC 4028). */
  session: SessionTimerRunner | undefined;
  /** Our description as last agreed on: what a refresh by INVITE repeats. */
  localSdp: Buffer | undefined;
  /** Does the peer's Allow name UPDATE? */
  peerUpdates = false;

  private constructor(start: DialogStart) {
    this.role = start.role;
    this.id = start.id;
    this.callId = start.callId;
    this.localTag = start.localTag;
    this.localParty = start.localParty;
    this.owner = start.owner;
    this.inviteTxn = start.inviteTxn;
  }

  /** UAS side, when the application answers an INVITE for the first time (§12.1.1). */
  static answering(request: SipRequest, localTag: string, owner: AppSession, txn: string, flow: Flow): Dialog {
    const from = first(request, 'from') ?? '';
    const callId = first(request, 'call-id') ?? '';
    const remoteTag = tagOf(from) ?? '';
    const dialog = new Dialog({
      role: 'uas',
      id: dialogId(callId, remoteTag),
      callId,
      localTag,
      localParty: withTag(first(request, 'to') ?? '', localTag),
      owner,
      inviteTxn: txn,
    });
    dialog.remoteTag = remoteTag;
    dialog.remoteParty = from;
    dialog.remoteSeq = cseqOf(request)?.number;
    dialog.routeSet = elements(request, 'record-route');
    dialog.remoteTarget = parseNameAddr(from)?.uri ?? '';
    dialog.refreshTarget(request);
    dialog.flow = flow;
    dialog.localSeq = 0;
    return dialog;
  }

  /** UAC side, when the INVITE leaves (§12.1.2); the peer's half is learned from responses. */
  static calling(request: SipRequest, owner: AppSession, txn: string, flow: Flow): Dialog {
    const from = first(request, 'from') ?? '';
    const callId = first(request, 'call-id') ?? '';
    const localTag = tagOf(from) ?? '';
    const dialog = new Dialog({
      role: 'uac',
      id: dialogId(callId, localTag),
      callId,
      localTag,
      localParty: from,
      owner,
      inviteTxn: txn,
    });
    dialog.remoteParty = first(request, 'to') ?? '';
    dialog.remoteTarget = request.uri;
    dialog.localSeq = cseqOf(request)?.number ?? 0;
    dialog.flow = flow;
    return dialog;
  }

  /** Learns from a 1xx with tag, or a 2xx, to our INVITE. The 2xx sets the route set anew (§13.2.2.4). */
  learn(response: SipResponse, flow: Flow): void {
    const to = first(response, 'to') ?? '';
    const tag = tagOf(to);
    if (tag === undefined && response.status < 200) return;
    this.remoteTag = tag;
    this.remoteParty = to;
    if (this.state === 'early') this.routeSet = elements(response, 'record-route').reverse();
    this.refreshTarget(response);
    this.flow = flow;
    if (response.status >= 200) this.state = 'confirmed';
  }

  /** The answer to a CANCEL has the To tag that the answers to its INVITE have, as a rule (§9.2). */
  guess(cancelled: SipResponse): void {
    if (this.remoteTag !== undefined) return;
    this.remoteParty = first(cancelled, 'to') ?? this.remoteParty;
    this.remoteTag = tagOf(this.remoteParty);
  }

  /** Target refresh (§12.2): takes the Contact, if there is one. */
  refreshTarget(message: SipMessage): void {
    const contact = parseNameAddr(elements(message, 'contact')[0] ?? '');
    if (contact) this.remoteTarget = contact.uri;
  }

  /** Nothing of it runs on. */
  end(): void {
    this.state = 'ended';
    this.twoHundred?.stop();
    this.ack?.deadline?.cancel();
    this.session?.stop();
  }

  nextSeq(): number {
    this.localSeq += 1;
    return this.localSeq;
  }

  /** Does this To tag of ours and From tag of theirs (of a request from the peer) name this dialog? */
  matches(localTag: string | undefined, remoteTag: string | undefined): boolean {
    if (localTag !== this.localTag) return false;
    return this.remoteTag === remoteTag || (this.role === 'uac' && this.state === 'early');
  }
}

/** The value as name-addr with this tag. */
export function withTag(value: string, tag: string): string {
  const parsed = parseNameAddr(value);
  if (!parsed) return value;
  return formatNameAddr({ ...parsed, params: new Map([...parsed.params, ['tag', tag]]) });
}
