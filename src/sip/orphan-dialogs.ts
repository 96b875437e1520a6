import type { JournalData, OrphanDialog } from '../call/journal.js';
import type { Clock } from '../lib/clock.js';
import { withDeadline } from '../lib/deadline.js';
import type { Logger } from '../lib/logger.js';
import { respondByTransaction, type SrfApi, type SrfHeaders } from './drachtio-types.js';
import { firstFitting, headerRoom } from './frame-room.js';

/** `gone`: neither the SIP server nor the far end knew anything of it. */
export type OrphanOutcome = 'ended' | 'gone' | 'failed';

export interface OrphanDialogsOptions {
  readonly srf: SrfApi;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Longest time for one orphan. */
  readonly orphanMs: number;
}

const reason = 'SIP;cause=503;text="restarted"';
/** Higher than any CSeq the dialog can have come to: gaps are allowed (RFC 3261 §12.2.2). */
const cseqGap = 1_000_000;
const cseqLimit = 0x7fff_ffff;
const retryAfterS = '5';
/** A 200 may have crossed our CANCEL: after this long the dialog it made is looked for. */
const crossedMs = 500;
const dialogMissing: ReadonlySet<number> = new Set([404, 481]);

/**
 * Ends what a lost application, or a lost link, left up at the SIP server or at the PBX. The server may still know a dialog
 * or a transaction by its name of it; a dialog that it does not know gets a BYE built by hand from its record (RFC 3261
 * §12.2.1.1). See decision 0111.
 */
export class OrphanDialogs {
  constructor(private readonly options: OrphanDialogsOptions) {}

  /** Never rejects; takes no longer than `orphanMs`. */
  async end(orphan: OrphanDialog): Promise<OrphanOutcome> {
    const { clock, logger, orphanMs } = this.options;
    try {
      return await withDeadline(this.#end(orphan), orphanMs, 'end of an orphan dialog', clock);
    } catch (err) {
      logger.warn('orphan dialog not ended', { call: orphan.call, sipCallId: orphan.sipCallId, err });
      return 'failed';
    }
  }

  #end(orphan: OrphanDialog): Promise<OrphanOutcome> {
    if (orphan.stands) return this.#endDialog(orphan);
    return orphan.data['arrived'] === 'true' ? this.#endArrived(orphan) : this.#endDialled(orphan);
  }

  async #endDialog({ data }: OrphanDialog): Promise<OrphanOutcome> {
    const byName = await this.#byeByName(data['dialogId']);
    if (byName !== undefined) return outcomeOf(byName);
    // A Route of ours the SIP server would drop: the first proxy is at least sent to.
    const proxy = /<([^>]+)>/.exec(data['routeSet'] ?? '')?.[1] ?? data['peer'] ?? '';
    const hop = proxy === '' ? {} : { proxy };
    const uri = fact(data, 'remoteTarget');
    const headers = firstFitting(byesOf(data), headerRoom({ uri, names: proxy }));
    return outcomeOf(await this.#request(uri, { method: 'BYE', headers, ...hop }));
  }

  /** An INVITE of the PBX's that we may have answered since its transaction was noted. */
  async #endArrived({ data, sipCallId }: OrphanDialog): Promise<OrphanOutcome> {
    const { txn, fromTag } = data;
    const headers = { Reason: reason, 'Retry-After': retryAfterS };
    if (txn !== undefined && (await this.#refuse(txn, headers))) return 'ended';
    const bye = await this.#byeByName(fromTag && `${sipCallId};from-tag=${fromTag}`);
    return bye === undefined ? 'gone' : outcomeOf(bye);
  }

  /** An INVITE of ours. Without the server's name for it nothing can cancel it; if it was answered, its dialog has a name. */
  async #endDialled({ data, sipCallId }: OrphanDialog): Promise<OrphanOutcome> {
    const { txn, uri, localTag } = data;
    const isCancelled = txn !== undefined && uri !== undefined && (await this.#cancel(uri, txn));
    if (isCancelled) await new Promise<void>((resolve) => this.options.clock.after(crossedMs, resolve));
    const bye = await this.#byeByName(localTag && `${sipCallId};from-tag=${localTag}`);
    if (bye !== undefined) return outcomeOf(bye);
    return isCancelled ? 'ended' : 'gone';
  }

  async #cancel(uri: string, txn: string): Promise<boolean> {
    const headers = { Reason: reason };
    return (await this.#request(uri, { method: 'CANCEL', headers, stackTxnId: txn })) !== undefined;
  }

  /** The final status; undefined when the SIP server does not know the dialog. */
  async #byeByName(dialogId: string | undefined): Promise<number | undefined> {
    if (dialogId === undefined || dialogId === '') return undefined;
    const headers = { Reason: reason };
    return this.#request('sip:placeholder', { method: 'BYE', headers, stackDialogId: dialogId });
  }

  #refuse(txn: string, headers: SrfHeaders): Promise<boolean> {
    return new Promise((resolve) => respondByTransaction(this.options.srf, txn, 503, headers, resolve));
  }

  /** The final status, 200 for a CANCEL that was sent; undefined when the SIP server refused to send. */
  #request(uri: string, options: Parameters<SrfApi['request']>[1]): Promise<number | undefined> {
    return new Promise((resolve) => {
      this.options.srf.request(uri, options, (err, request) => {
        if (err !== null && err !== undefined) return resolve(undefined);
        // The answer to a CANCEL is not passed up.
        if (options.method === 'CANCEL') return resolve(200);
        request?.on('response', ({ status }) => {
          if (status >= 200) resolve(status);
        });
      });
    });
  }
}

/**
 * From, To, Call-ID and CSeq of a BYE in the dialog of this record; and without names of the parties, where these are too long
 * for a frame: the tags alone say which dialog it is (RFC 3261 §12).
 */
function byesOf(data: JournalData): [SrfHeaders, SrfHeaders] {
  const cseq = Math.min((Number.parseInt(fact(data, 'cseq'), 10) || 0) + cseqGap, cseqLimit);
  const { From, To, ...others } = {
    From: `${fact(data, 'localParty')};tag=${fact(data, 'localTag')}`,
    To: `${fact(data, 'remoteParty')};tag=${fact(data, 'remoteTag')}`,
    'Call-ID': fact(data, 'sipCallId'),
    CSeq: `${cseq} BYE`,
    Reason: reason,
  };
  const tags = { From: `${nobody};tag=${fact(data, 'localTag')}`, To: `${nobody};tag=${fact(data, 'remoteTag')}` };
  return [
    { From, To, ...others },
    { ...tags, ...others },
  ];
}

const nobody = '<sip:anonymous.invalid>';

/** @throws Error when the record lacks it */
function fact(data: JournalData, name: string): string {
  const value = data[name];
  if (value === undefined) throw new Error(`dialog record without ${name}`);
  return value;
}

function outcomeOf(status: number | undefined): OrphanOutcome {
  if (status === undefined) return 'failed';
  if (status < 300) return 'ended';
  return dialogMissing.has(status) ? 'gone' : 'failed';
}
