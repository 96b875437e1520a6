import type { CallRecord, CdrSink } from '../../call/call-record.js';
import type { Clock, Timer } from '../../lib/clock.js';
import { withDeadline } from '../../lib/deadline.js';
import type { Logger } from '../../lib/logger.js';
import { postRecord, type RecordReceiver, type Verdict } from './record-post.js';
import type { SpoolFiles } from './spool-files.js';
import { Spool } from './spool.js';
import type { Spooled, ToSpool } from './spooled.js';

/** Longest wait for the receiver's answer, in milliseconds. */
const postMs = 10_000;
/** Longest wait for the attempt that is under way when the daemon stops, in milliseconds. */
const closeDeadlineMs = 5_000;
/** First pause after an attempt that failed; doubled with each up to the longest, and shortened by up to a half by chance. */
const firstPauseMs = 1_000;
const longestPauseMs = 300_000;
/** Pause before a disk that failed is tried again, unless the next record comes first. */
const diskRetryMs = 5_000;
/** Of this file alone, which is not to hold up the others; any other fault is the disk's, and passes. */
const faultsOfOneFile: ReadonlySet<string> = new Set(['ENOENT', 'EACCES', 'EPERM', 'EISDIR']);

export type PostResult = 'sent' | 'rejected' | 'dropped' | 'unspooled';

export interface HttpRecordsOptions {
  /** Asked before every attempt: it may have changed. */
  readonly receiver: () => RecordReceiver;
  readonly directory: string;
  /** Most that the spool may take up on the disk. */
  readonly limitBytes: number;
  readonly clock: Clock;
  /** From 0 up to but not including 1. */
  readonly random: () => number;
  readonly logger: Logger;
  readonly files?: SpoolFiles;
  readonly fetch?: typeof fetch;
  readonly count?: (result: PostResult, records: number) => void;
}

interface Waiting extends ToSpool {
  readonly settle: () => void;
}

/**
 * Posts call records, one at a time and in order. Each is on the disk before it is tried and until the receiver has taken it, so it
 * comes at least once whoever crashes, with the same idempotency key each time. What the receiver refuses for good is put aside.
 */
export class HttpRecords implements CdrSink {
  readonly #spool: Spool;
  readonly #waiting: Waiting[] = [];
  #spooling: Promise<void> | undefined;
  #sending: Promise<void> | undefined;
  #pause: Timer | undefined;
  #diskRetry: Timer | undefined;
  /** Attempts that failed in a row. */
  #failures = 0;
  #isAwake = false;
  #isUnspoolable = false;
  #isClosed = false;

  constructor(private readonly options: HttpRecordsOptions) {
    const { directory, limitBytes, clock, files } = options;
    const onDropped = (dropped: readonly Spooled[]): void => this.#dropped(dropped);
    this.#spool = new Spool({ directory, limitBytes, clock, onDropped, ...(files && { files }) });
  }

  /** What waits: records, bytes on the disk, and for how long the oldest has. */
  get backlog(): { readonly records: number; readonly bytes: number; readonly oldestMs: number } {
    const { waiting, bytes, first } = this.#spool;
    const oldestMs = first ? Math.max(0, this.options.clock.now() - first.sinceMs) : 0;
    return { records: waiting, bytes, oldestMs };
  }

  /**
   * Sends what an earlier run left, and whatever waited for another receiver: now, not after the pause. Before the first time nothing
   * is sent: a daemon that does not come up, since another runs, would send that one's records.
   */
  wake(): void {
    this.#isAwake = true;
    if (this.#isClosed || this.options.receiver().url === '') return;
    this.#pause?.cancel();
    this.#pause = undefined;
    this.#failures = 0;
    this.#begin();
  }

  /** Resolves when the record is on the disk, or is known not to get there. Never rejects. Without a receiver nothing is kept. */
  write(record: CallRecord): Promise<void> {
    if (this.#isClosed || this.options.receiver().url === '') return Promise.resolve();
    return new Promise((settle) => {
      this.#waiting.push({ call: record.call, text: JSON.stringify(record), settle });
      this.#begin();
    });
  }

  /** Waits for what is under way, and tries the disk once more; what it has then is sent after the next start. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#pause?.cancel();
    if (!this.#spool.isSettled) this.#begin();
    try {
      await withDeadline(this.#spooling ?? Promise.resolve(), closeDeadlineMs, 'keeping the last call records');
      await withDeadline(this.#sending ?? Promise.resolve(), closeDeadlineMs, 'sending a call record');
    } catch (err) {
      this.options.logger.warn('call record was being sent when the daemon stopped', { err });
    }
    this.#diskRetry?.cancel();
    const { held: lost, safe: records } = this.#spool;
    if (lost > 0) this.options.logger.error('call records are lost: the disk never took them', { lost });
    if (records > 0) this.options.logger.info('call records wait for the next start', { records });
  }

  #begin(): void {
    this.#spooling ??= this.#keep();
  }

  /** Puts what came on the disk, in as few steps as possible, then what it did not take before, then has it sent. Never rejects. */
  async #keep(): Promise<void> {
    this.#diskRetry?.cancel();
    await Promise.resolve();
    let isWell: boolean;
    do {
      const batch = this.#waiting.splice(0);
      isWell = await this.#spooled(batch);
      for (const { settle } of batch) settle();
    } while (this.#waiting.length > 0 || (isWell && this.#spool.unsaved > 0));
    // In the same turn as the last look at what waits.
    this.#spooling = undefined;
    if (!isWell || !this.#spool.isSettled) this.#tryDiskLater();
    this.#send();
  }

  #tryDiskLater(): void {
    if (this.#isClosed || this.#spooling) return;
    this.#diskRetry?.cancel();
    this.#diskRetry = this.options.clock.after(diskRetryMs, () => this.#begin());
  }

  /** Whether the disk took these; without any, some of those that it did not take before. */
  async #spooled(batch: readonly ToSpool[]): Promise<boolean> {
    try {
      if (batch.length > 0) await this.#spool.add(batch);
      const saved = batch.length > 0 ? batch.length : await this.#spool.save();
      if (saved > 0 && this.#spool.unsaved === 0) this.#spoolable();
      return true;
    } catch (err) {
      this.#unspoolable(batch.length, err);
      return false;
    }
  }

  #send(): void {
    if (this.#isAwake && !this.#isClosed && !this.#pause) this.#sending ??= this.#sendAll();
  }

  /** Until nothing waits, the receiver does not take one, or there is none. Never rejects. */
  async #sendAll(): Promise<void> {
    await Promise.resolve();
    for (let first = this.#spool.first; first && !this.#isClosed; first = this.#spool.first) {
      const receiver = this.options.receiver();
      if (receiver.url === '') break;
      const verdict = await this.#try(first, receiver);
      if (verdict.kind === 'again') {
        this.#later(verdict);
        break;
      }
      this.#failures = 0;
      await this.#settle(first, verdict);
    }
    // In the same turn as the last look at what waits.
    this.#sending = undefined;
  }

  async #try(entry: Spooled, receiver: RecordReceiver): Promise<Verdict> {
    const { clock, fetch: send = fetch } = this.options;
    let text: string;
    try {
      text = await this.#spool.read(entry);
    } catch (err) {
      const { code = 'unreadable' } = err as NodeJS.ErrnoException;
      if (!faultsOfOneFile.has(code)) return { kind: 'again', why: `spool: ${code}`, afterMs: 0 };
      return { kind: 'refused', status: 0, said: `the spooled file cannot be read: ${code}` };
    }
    // A power cut may leave a file empty; nothing of it can be sent, and nothing behind it shall wait for it.
    if (!isRecord(text)) return { kind: 'refused', status: 0, said: 'the spooled file is damaged' };
    return postRecord({ ...receiver, call: entry.call, text, timeoutMs: postMs, clock, fetch: send });
  }

  #settle(entry: Spooled, verdict: Exclude<Verdict, { kind: 'again' }>): Promise<void> {
    return verdict.kind === 'taken' ? this.#sent(entry) : this.#refused(entry, verdict);
  }

  async #sent(entry: Spooled): Promise<void> {
    const { logger, count } = this.options;
    count?.('sent', 1);
    try {
      await this.#spool.remove(entry);
    } catch (err) {
      const message = 'call record was sent, but its file cannot be removed yet: a start before that sends it again';
      logger.error(message, { call: entry.call, file: entry.name, err });
      this.#tryDiskLater();
    }
  }

  async #refused(entry: Spooled, { status, said }: Extract<Verdict, { kind: 'refused' }>): Promise<void> {
    const { logger, count } = this.options;
    count?.('rejected', 1);
    const what = status === 0 ? 'call record cannot be read' : 'call record refused by its receiver';
    const fields = { call: entry.call, status, said, file: entry.name };
    try {
      const isThere = await this.#spool.reject(entry);
      logger.error(`${what}: ${isThere ? 'put aside' : 'it is gone'}`, fields);
    } catch (err) {
      const fate = this.#spool.holds(entry)
        ? 'waits in memory'
        : 'waits on the disk, where a start would send it again,';
      logger.error(`${what}: ${fate} to be put aside`, { ...fields, err });
      this.#tryDiskLater();
    }
  }

  #later({ why, afterMs }: Extract<Verdict, { kind: 'again' }>): void {
    if (this.#isClosed) return;
    const { clock, random, logger } = this.options;
    const longestMs = Math.min(firstPauseMs * 2 ** this.#failures, longestPauseMs);
    const pauseMs = Math.round(Math.max(afterMs, longestMs * (1 - random() / 2)));
    this.#failures++;
    const { records } = this.backlog;
    logger.warn('call records are not taken: tried again', {
      why,
      failures: this.#failures,
      waiting: records,
      pauseMs,
    });
    this.#pause = clock.after(pauseMs, () => {
      this.#pause = undefined;
      this.#send();
    });
  }

  #dropped(dropped: readonly Spooled[]): void {
    this.options.count?.('dropped', dropped.length);
    const { directory, limitBytes } = this.options;
    const calls = dropped.slice(0, 20).map(({ call }) => call);
    this.options.logger.error('call records dropped: the spool is full', {
      ...{ dropped: dropped.length, calls, directory, limitBytes },
    });
  }

  #unspoolable(records: number, err: unknown): void {
    if (records > 0) this.options.count?.('unspooled', records);
    if (!this.#isUnspoolable) {
      const { directory } = this.options;
      this.options.logger.error('call records cannot be spooled: they wait in memory', { directory, records, err });
    }
    this.#isUnspoolable = true;
  }

  #spoolable(): void {
    if (this.#isUnspoolable) this.options.logger.warn('call records are spooled again');
    this.#isUnspoolable = false;
  }
}

function isRecord(text: string): boolean {
  try {
    return typeof JSON.parse(text) === 'object';
  } catch {
    return false;
  }
}
