import type { JournalData, JournalEvent, OrphanDialog } from '../call/journal.js';
import { withDeadline } from '../lib/deadline.js';
import type { CallId } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import { dialogRecord } from './dialog-record.js';
import type { SrfDialog } from './drachtio-types.js';
import type { SipDialog } from './sip-dialog.js';
import type { SipLegContext } from './sip-leg-context.js';

/** What of a leg is on the wire: kept here for a lost link, and in the journal for a lost process. */
export class LegJournal {
  #orphan: OrphanDialog | undefined;

  constructor(
    private readonly context: SipLegContext,
    private readonly logger: Logger,
    private readonly call: CallId,
  ) {}

  /** What is to be ended if nobody does it from here. */
  get orphan(): OrphanDialog | undefined {
    return this.#orphan;
  }

  /** An INVITE of the PBX's came; `txn` is the SIP server's name for it. */
  invited(sipCallId: string, fromTag: string, txn: string | undefined): void {
    if (txn === undefined) return;
    this.#pending(sipCallId, { sipCallId, arrived: 'true', fromTag, txn });
    this.#appendNames('invited');
  }

  /**
   * An INVITE of ours is about to go out: journal before effect.
   * @throws Error when it could not be stored in time; the INVITE must then not go out
   */
  async dialling(sipCallId: string, data: JournalData): Promise<void> {
    const { journal, timeouts, clock } = this.context;
    this.#pending(sipCallId, { sipCallId, ...data });
    const stored = journal.append({ call: this.call, event: 'dial', data: { sipCallId, ...data } });
    await withDeadline(stored, timeouts.journalMs, 'journal entry', clock);
  }

  /** That INVITE is out, under this name of the SIP server's. */
  sentAs(txn: string): void {
    if (!this.#orphan || this.#orphan.stands) return;
    this.#pending(this.#orphan.sipCallId, { ...this.#orphan.data, txn });
    this.#appendNames('dial');
  }

  /** A dialog stands. A call whose record cannot be kept goes on: it would be worse to drop it. */
  established(dialog: SrfDialog): void {
    const data = dialogRecord(dialog);
    this.#orphan = { call: this.call, sipCallId: data.sipCallId, stands: true, data };
    this.#append('dialog', data);
  }

  /** Nothing of it is left on the wire. */
  ended(sipCallId: string): void {
    this.#orphan = undefined;
    this.#append('dialog_ended', { sipCallId });
  }

  /** The leg is over; an INVITE has had its answer, though no dialog came of it. */
  closed(): void {
    const orphan = this.#orphan;
    if (!orphan || orphan.stands) return;
    this.#orphan = undefined;
    if (this.context.notesTransactions === true) this.#append('dialog_ended', { sipCallId: orphan.sipCallId });
  }

  /**
   * Hangs a dialog up and notes how that went; a BYE without a usable answer stays on record for a later attempt. Resolves
   * when nothing is to be waited for any more, never rejects.
   */
  async hangUp(dialog: SipDialog, bye: { readonly reasonHeader: string; readonly pauseMs?: number }): Promise<void> {
    this.context.observer.step(this.call, 'sip.bye', { direction: 'out' });
    const status = await dialog.bye(bye.reasonHeader, bye.pauseMs);
    // 481 and 408: the far end knows the dialog no more, or is gone (RFC 3261 §15.1.1).
    const isOver = status !== undefined && (status < 300 || status === 481 || status === 408);
    if (isOver) return this.ended(dialog.sipCallId);
    this.logger.warn('BYE unconfirmed', { status });
    this.#append('bye_unconfirmed', { sipCallId: dialog.sipCallId, status: String(status ?? '') });
  }

  #pending(sipCallId: string, data: JournalData): void {
    this.#orphan = { call: this.call, sipCallId, stands: false, data };
  }

  /** The SIP server's names matter only where nobody but us ends what a crash leaves open there. */
  #appendNames(event: 'invited' | 'dial'): void {
    if (this.context.notesTransactions === true && this.#orphan) this.#append(event, this.#orphan.data);
  }

  #append(event: JournalEvent, data: JournalData): void {
    appendEntry(this.context, this.logger, this.call, event, data);
  }
}

/** Notes what came of a dialog that a crash or a lost link had left up. */
export function journalOrphan(context: SipLegContext, logger: Logger, orphan: OrphanDialog, isOver: boolean): void {
  const { call, sipCallId } = orphan;
  appendEntry(context, logger, call, isOver ? 'dialog_ended' : 'bye_unconfirmed', { sipCallId });
}

function appendEntry(
  context: SipLegContext,
  logger: Logger,
  call: CallId,
  event: JournalEvent,
  data: JournalData,
): void {
  context.journal.append({ call, event, data }).catch((err: unknown) => {
    logger.error('journal entry not stored', { event, err });
  });
}
