import { Dialog } from '../dialog/dialog.js';
import type { SipHeader, SipRequest, SipResponse } from '../sip/message.js';
import { all, cseqOf, first, header, NO_BODY } from '../sip/message.js';
import { tagOf } from '../sip/name-addr.js';
import { serialise } from '../sip/serialise.js';
import { transactionLifeMs } from '../timers.js';
import type { ReceivedResponse } from '../transaction/invite-client.js';
import type { Flow } from '../transport/flow.js';
import type { Core } from './core.js';
import { wayInDialog } from './next-hop.js';
import { inDialogRequest, newBranch, viaHeader } from './request-text.js';
import type { ClientRequest } from './requests.js';

/** ACKs to 2xx: sent when the application says so, kept, and repeated for each repeated 2xx (RFC 3261 §13.2.2.4). */
export class AckSender {
  constructor(
    private readonly core: Core,
    private readonly endDialog: (dialog: Dialog, reason: string) => void,
    private readonly launchBye: (bye: SipRequest, flow: Flow) => void,
  ) {}

  /** A 2xx has come. Without an ACK of the application in 64·T1 the server acknowledges and hangs up. */
  expect(invite: SipRequest, dialog: Dialog, byeReason: string | undefined): void {
    dialog.ack?.deadline?.cancel();
    const ack = {
      seq: cseqOf(invite)?.number ?? 0,
      invite,
      sent: undefined,
      sentOn: undefined,
      byeReason,
      deadline: undefined,
    };
    dialog.ack = ack;
    dialog.ack.deadline = this.core.clock.after(transactionLifeMs(this.core.timers), () => {
      if (dialog.ack !== ack || ack.sent) return;
      ack.byeReason ??= 'application never sent ACK';
      this.send(dialog, [], NO_BODY).catch((err: unknown) => this.core.logger.warn('ACK could not be sent', { err }));
    });
  }

  /** Sends the ACK; resolves with what was sent. */
  async send(
    dialog: Dialog,
    headers: readonly SipHeader[],
    body: Buffer,
  ): Promise<{ bytes: Buffer; flow: Flow; shown: Flow['local'] }> {
    const { flow, shown } = await wayInDialog(this.core, dialog);
    const ack = dialog.ack;
    const credentials = ['Authorization', 'Proxy-Authorization'].flatMap((name) =>
      ack ? all(ack.invite, name.toLowerCase()).map((value) => header(name, value)) : [],
    );
    const via = viaHeader(flow, shown, newBranch(this.core));
    const seq = ack?.seq ?? dialog.localSeq;
    const request = inDialogRequest(dialog, via, { method: 'ACK', seq, headers: [...credentials, ...headers], body });
    const bytes = serialise(request);
    flow.send(bytes);
    this.core.clock.after(this.core.timers.t1Ms, () => flow.release());
    if (ack) {
      ack.sent = bytes;
      ack.sentOn = flow;
      ack.deadline?.cancel();
      if (ack.byeReason !== undefined) {
        const reason = ack.byeReason;
        this.core.clock.after(0, () => this.endDialog(dialog, reason));
      }
    }
    return { bytes, flow, shown };
  }

  /** A 2xx again: the same one gets the same ACK; one of another branch of a fork is taken and ended at once. */
  onRepeatedSuccess(record: ClientRequest, dialog: Dialog, received: ReceivedResponse): void {
    const { message } = received;
    const tag = tagOf(first(message, 'to'));
    if (tag === dialog.remoteTag) return this.repeat(dialog, message);
    const known = record.forks.get(tag ?? '');
    if (known) return this.repeat(known, message);
    this.#endFork(record, received).catch((err: unknown) => {
      this.core.logger.warn('second answer of a fork could not be ended', { err });
    });
  }

  repeat(dialog: Dialog, response: SipResponse): void {
    const { ack } = dialog;
    if (ack?.sent && ack.seq === cseqOf(response)?.number) ack.sentOn?.send(ack.sent);
  }

  /** RFC 3261 §13.2.2.4: each 2xx makes a dialog; the one we do not want is acknowledged, then ended. */
  async #endFork(record: ClientRequest, received: ReceivedResponse): Promise<void> {
    if (!record.client) return;
    const fork = Dialog.calling(record.request, record.client, record.txn, record.flow);
    fork.learn(received.message, received.flow);
    record.forks.set(fork.remoteTag ?? '', fork);
    this.expect(record.request, fork, undefined);
    await this.send(fork, [], NO_BODY);
    fork.ack?.deadline?.cancel();
    const { flow, shown } = await wayInDialog(this.core, fork);
    const via = viaHeader(flow, shown, newBranch(this.core));
    const bye = inDialogRequest(fork, via, { method: 'BYE', seq: fork.nextSeq(), headers: [], body: NO_BODY });
    this.core.logger.info('second answer of a fork ended', { callId: fork.callId });
    this.launchBye(bye, flow);
  }
}
