import type { CdrSink } from '../call/call-record.js';
import type { EndOrphanDialogs, Journal, JournalData, OrphanDialog } from '../call/journal.js';
import type { Clock } from '../lib/clock.js';
import { withDeadline } from '../lib/deadline.js';
import type { CallId, IdSource } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import type { OpenCalls, OpenWaCall } from './open-calls.js';
import { orphanId, orphanRecord, type Orphan } from './orphan-record.js';

/** Longest that the start waits for Meta and the PBXs, in milliseconds; what is on its way then goes on without it. */
const START_WAITS_MS = 4000;
/** Longest that the start then waits for the disk, in milliseconds. */
const COMPACT_WAITS_MS = 1000;
/** Pauses before a terminate that failed is tried again, in milliseconds. */
const RETRY_PAUSES_MS = [5_000, 15_000, 45_000];
/** How long webhooks may still name a call whose id we never learnt, in milliseconds. */
const UNNAMED_MS = 120_000;

/** The journal as recovery needs it. */
export interface RecoverableJournal extends Journal {
  readonly open: Pick<OpenCalls, 'calls' | 'permissionReplies'>;
  compact(): Promise<void>;
}

export interface RecoveryOptions {
  readonly journal: RecoverableJournal;
  /** Ends a call at Meta; resolves also when it was over already. */
  readonly terminate: (orphan: OpenWaCall, logger: Logger) => Promise<void>;
  /** Webhooks of this call of Meta's are of an orphan that has been dealt with: none makes a call any more. */
  readonly forget: (orphan: OpenWaCall) => void;
  /** Should a call with this key of ours turn up at Meta, it is to be ended. */
  readonly abandon: (call: CallId) => void;
  readonly endDialogs: EndOrphanDialogs;
  /** Acts on a permission reply that a crash left unhandled. */
  readonly replayReply: (data: JournalData) => void;
  /** Alias of a business number. */
  readonly nameOf: (numberId: string) => string | undefined;
  readonly cdr: Pick<CdrSink, 'write'>;
  readonly ids: Pick<IdSource, 'callId'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Ends on both sides what a crash left up, from the journal. What Meta does not take at once is tried again in the background;
 * each orphan stays in the journal until it is over or given up, so that a second crash loses none of them.
 */
export class Recovery {
  #isStopped = false;

  constructor(private readonly options: RecoveryOptions) {}

  /** Resolves when everything is ended and the disk has it, or after 5 s at most. Never rejects. */
  async run(): Promise<void> {
    const { journal, clock, logger } = this.options;
    const startedMs = clock.monotonicMs();
    const orphans = journal.open.calls().map((open): Orphan => ({ ...open, call: open.call ?? orphanId(open) }));
    const replies = journal.open.permissionReplies();
    const dialogs = orphans.flatMap((orphan) => orphan.dialogs);
    const dialogsEnded = this.#endDialogs(dialogs);
    const firstTries = orphans.map((orphan) => this.#end(orphan, dialogsEnded));
    for (const reply of replies) this.#replay(reply);
    await withDeadline(Promise.all([dialogsEnded, ...firstTries]), START_WAITS_MS, 'recovery', clock).catch(
      (err: unknown) => logger.warn('recovery goes on in the background', { err }),
    );
    await withDeadline(journal.compact(), COMPACT_WAITS_MS, 'new journal segment', clock).catch((err: unknown) =>
      logger.error('journal not compacted', { err }),
    );
    logger.info('recovery done', {
      calls: orphans.length,
      waCalls: orphans.flatMap(({ waCalls }) => waCalls).length,
      dialogs: dialogs.length,
      unnamed: orphans.filter(({ isIdUnknown }) => isIdUnknown).length,
      permissionReplies: replies.length,
      tookMs: Math.round(clock.monotonicMs() - startedMs),
    });
  }

  /** No further tries; what is left is in the journal for the next start. */
  stop(): void {
    this.#isStopped = true;
  }

  async #endDialogs(dialogs: readonly OrphanDialog[]): Promise<void> {
    if (dialogs.length === 0) return;
    await this.options.endDialogs(dialogs).catch((err: unknown) => {
      this.options.logger.error('orphan dialogs not ended', { dialogs: dialogs.length, err });
    });
  }

  /** Starts all that ends a call; resolves when Meta's calls were tried once. */
  async #end(orphan: Orphan, dialogsEnded: Promise<void>): Promise<void> {
    const { call, waCalls, isIdUnknown } = orphan;
    const logger = this.options.logger.child({ call });
    for (const waCall of waCalls) this.options.forget(waCall);
    if (isIdUnknown) this.options.abandon(call);
    const unnamed = isIdUnknown ? this.#after(UNNAMED_MS) : Promise.resolve();
    const tries = waCalls.map((waCall) => this.#terminate(waCall, logger));
    // Not over before its record is safe, or a second crash might lose it.
    const recorded = this.#record(orphan);
    const over = Promise.all([dialogsEnded, unnamed, recorded, ...tries.map(({ over }) => over)]);
    void over.then(() => this.#close(orphan));
    await Promise.all(tries.map(({ first }) => first));
  }

  #terminate(waCall: OpenWaCall, logger: Logger): { first: Promise<boolean>; over: Promise<void> } {
    const first = this.#tryOnce(waCall, logger);
    return { first, over: this.#tryAgain(waCall, logger, first) };
  }

  async #tryAgain(waCall: OpenWaCall, logger: Logger, first: Promise<boolean>): Promise<void> {
    let isOver = await first;
    for (const pauseMs of RETRY_PAUSES_MS) {
      if (isOver) return;
      await this.#after(pauseMs);
      isOver = await this.#tryOnce(waCall, logger);
    }
    // Meta's own time-outs end it: its client gives up without media after 20 to 30 s.
    if (!isOver) logger.error('orphan could not be ended at Meta', { waCallId: waCall.waCallId });
  }

  async #tryOnce(waCall: OpenWaCall, logger: Logger): Promise<boolean> {
    try {
      await this.options.terminate(waCall, logger);
      logger.info('orphan ended at Meta', { waCallId: waCall.waCallId });
      return true;
    } catch (err) {
      logger.warn('orphan not ended at Meta yet', { waCallId: waCall.waCallId, err });
      return false;
    }
  }

  /** Never resolves once the daemon stops: the journal keeps what is open. */
  #after(pauseMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.options.clock.after(pauseMs, () => {
        if (!this.#isStopped) resolve();
      });
    });
  }

  #close({ call, waCalls }: Orphan): void {
    const closed = waCalls.length === 0 ? [{}] : waCalls.map(({ waCallId }) => ({ waCallId }));
    for (const data of closed) this.#append(call, 'ended', data);
  }

  #replay(data: JournalData): void {
    try {
      this.options.replayReply(data);
    } catch (err) {
      this.options.logger.error('permission reply not handled', { err });
    }
    this.#append(this.options.ids.callId(), 'permission_handled', { key: data['key'] ?? '' });
  }

  /** The call record of an orphan, once however often the daemon is killed while it recovers. */
  async #record(orphan: Orphan): Promise<void> {
    if (orphan.isRecorded) return;
    const { call, waCalls } = orphan;
    const number = orphan.number ?? this.options.nameOf(waCalls[0]?.numberId ?? '');
    await this.options.cdr.write(orphanRecord({ ...orphan, number }, this.options.clock.now()));
    for (const data of waCalls.length === 0 ? [{}] : waCalls) this.#append(call, 'recorded', { ...data });
  }

  #append(call: CallId, event: 'ended' | 'recorded' | 'permission_handled', data: JournalData): void {
    this.options.journal.append({ call, event, data }).catch((err: unknown) => {
      this.options.logger.error('journal entry not stored', { event, call, err });
    });
  }
}
