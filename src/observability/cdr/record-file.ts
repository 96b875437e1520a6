import type { CallRecord, CdrSink } from '../../call/call-record.js';
import type { Clock, Timer } from '../../lib/clock.js';
import { withDeadline } from '../../lib/deadline.js';
import type { Logger } from '../../lib/logger.js';
import { systemDisk, type RecordDisk } from './record-disk.js';
import type { RecordFormat } from './record-format.js';

/** Records held back while the disk is slow or full; beyond that they are dropped and counted. */
const maxWaiting = 10_000;
const closeDeadlineMs = 5_000;
/** Pause before a disk that failed is tried again, unless the next record comes first. */
const retryMs = 5_000;
/** Written in one go: what may be there after a failure shows at the file's end. */
const mostAtOnce = 200;

export interface RecordFileOptions {
  readonly path: string;
  readonly format: RecordFormat;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly disk?: RecordDisk;
  readonly count?: (result: 'stored' | 'lost', records: number) => void;
}

interface Waiting {
  readonly call: string;
  readonly line: string;
  /** It is stored, or given up. */
  readonly settle: () => void;
}

/**
 * Appends call records to a file. A full disk never stops a call: records wait until it takes them again, which is said once, and
 * those that are too many are counted. A call that has its record in the file already gets no second one after a crash.
 */
export class RecordFile implements CdrSink {
  readonly #waiting: Waiting[] = [];
  readonly #disk: RecordDisk;
  /** Calls whose record was found in the file: of earlier processes, and of a batch that failed. */
  readonly #known = new Set<string>();
  /** What the file has is known. It is not before the first look, nor after a failure: not every disk takes back what it began. */
  #isLookedAt = false;
  #writing: Promise<void> | undefined;
  #underWay = 0;
  #retry: Timer | undefined;
  /** What was said of it: once, until it works again. */
  #fault: 'none' | 'failing' | 'losing' = 'none';
  #lost = 0;

  constructor(private readonly options: RecordFileOptions) {
    this.#disk = options.disk ?? systemDisk;
  }

  /** Records that could not be written since the start. */
  get lost(): number {
    return this.#lost;
  }

  /** Resolves when the record is on the disk, or was given up. Never rejects. */
  write(record: CallRecord): Promise<void> {
    if (this.#waiting.length >= maxWaiting) {
      this.#lose(1, new Error('too many call records are waiting for the disk'));
      return Promise.resolve();
    }
    return new Promise((settle) => {
      this.#waiting.push({ call: record.call, line: this.options.format.line(record), settle });
      this.#begin();
    });
  }

  /** Tries once more to write what waits; what cannot be written then is lost. */
  async close(): Promise<void> {
    this.#begin();
    let err: unknown = new Error('the disk takes no call records');
    try {
      await withDeadline(this.#writing ?? Promise.resolve(), closeDeadlineMs, 'writing the last call records');
    } catch (error) {
      err = error;
    }
    this.#retry?.cancel();
    const left = this.#waiting.splice(0);
    if (left.length + this.#underWay > 0) this.#lose(left.length + this.#underWay, err);
    for (const { settle } of left) settle();
  }

  #begin(): void {
    if (this.#waiting.length > 0) this.#writing ??= this.#drain();
  }

  /** Writes what waits, in order and in as few steps as possible, until nothing waits or the disk fails. Never rejects. */
  async #drain(): Promise<void> {
    this.#retry?.cancel();
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, mostAtOnce);
      this.#underWay = batch.length;
      try {
        await this.#store(batch);
        this.#recovered();
      } catch (err) {
        this.#waiting.unshift(...batch);
        this.#failed(err);
        this.#retry = this.options.clock.after(retryMs, () => this.#begin());
        break;
      } finally {
        this.#underWay = 0;
      }
      for (const { settle } of batch) settle();
    }
    // In the same turn as the last look at what waits, or a record that comes in between would lie there.
    this.#writing = undefined;
  }

  async #store(batch: readonly Waiting[]): Promise<void> {
    const { path, format, count } = this.options;
    if (!this.#isLookedAt) await this.#look();
    const fresh = batch.filter(({ call }) => !this.#known.has(call));
    if (fresh.length === 0) return;
    this.#isLookedAt = false;
    await this.#disk.append(path, fresh.map(({ line }) => line).join(''), format);
    this.#isLookedAt = true;
    count?.('stored', fresh.length);
  }

  async #look(): Promise<void> {
    const { path, format, logger } = this.options;
    const { calls, aside } = await this.#disk.open(path, format);
    for (const call of calls) this.#known.add(call);
    if (aside !== undefined) logger.warn('file of call records has other columns: set aside', { file: path, aside });
    this.#isLookedAt = true;
  }

  #failed(err: unknown): void {
    const { path: file, logger } = this.options;
    if (this.#fault === 'none') {
      logger.error('call records cannot be written', { file, waiting: this.#waiting.length, err });
      this.#fault = 'failing';
    }
  }

  #lose(records: number, err: unknown): void {
    this.#lost += records;
    this.options.count?.('lost', records);
    if (this.#fault !== 'losing') {
      this.options.logger.error('call records are lost', { file: this.options.path, lost: this.#lost, err });
    }
    this.#fault = 'losing';
  }

  #recovered(): void {
    const { path: file, logger } = this.options;
    if (this.#fault !== 'none') logger.warn('call records are written again', { file, lost: this.#lost });
    this.#fault = 'none';
  }
}
