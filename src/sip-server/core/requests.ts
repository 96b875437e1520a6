import type { Timer } from '../../lib/clock.js';
import type { Dialog } from '../dialog/dialog.js';
import type { SipHeader, SipRequest } from '../sip/message.js';
import type { ServerTransaction } from '../transaction/transaction-table.js';
import type { InviteClientTransaction } from '../transaction/invite-client.js';
import type { NonInviteClientTransaction } from '../transaction/non-invite-client.js';
import type { Address, Flow } from '../transport/flow.js';
import type { AppSession } from '../wire/app-session.js';
import type { ReliableProvisionals } from './reliable-provisionals.js';
import type { NextHop } from '../transport/resolver.js';
import type { Way } from './way.js';

/** A request from the network in the application's hands. */
export interface ServerRequest {
  readonly txn: string;
  readonly client: AppSession;
  /** As received, top Via completed. */
  readonly request: SipRequest;
  readonly transaction: ServerTransaction;
  readonly flow: Flow;
  /** What our Contact shows. */
  readonly shown: Address;
  /** Present inside a dialog, and from the first tagged answer to an INVITE on. */
  dialog: Dialog | undefined;
  /** Did it come outside a dialog? */
  readonly initial: boolean;
  localTag: string | undefined;
  /** Has the peer been shown our tag? */
  tagged: boolean;
  /** Once a provisional response went out reliably. */
  reliable: ReliableProvisionals | undefined;
  silence: Timer | undefined;
}

/** A request of the application on its way. */
export interface ClientRequest {
  readonly txn: string;
  /** Undefined for requests the server makes by itself: nobody is told of their answers. */
  readonly client: AppSession | undefined;
  /** As sent. */
  readonly request: SipRequest;
  readonly flow: Flow;
  readonly dialog: Dialog | undefined;
  readonly initial: boolean;
  /** Is it a session refresh of the server's own? */
  readonly refresh: boolean;
  /** Opens the way of the request anew, for when it has to be sent once more. */
  readonly again: (() => Promise<Way>) | undefined;
  /** Times a 422 has made it be sent again. */
  readonly raised: number;
  /** Where else it can go if it fails (RFC 3263 §4.3). */
  others: readonly NextHop[];
  transaction: InviteClientTransaction | NonInviteClientTransaction | undefined;
  /** A CANCEL waits for the first provisional response (RFC 3261 §9.1), or has left. */
  cancel: 'none' | 'held' | 'sent';
  /** Headers the application gave the CANCEL. */
  cancelHeaders: readonly SipHeader[];
  /** Other branches of a fork that answered too, by To tag: acknowledged and ended. */
  readonly forks: Map<string, Dialog>;
  provisional: boolean;
  lastProvisional: Buffer | undefined;
  /** Last RSeq taken, by To tag: of reliable provisional responses only the next in order is (RFC 3262 §4). */
  readonly rseqs: Map<string, number>;
  cancelTimer: Timer | undefined;
}
