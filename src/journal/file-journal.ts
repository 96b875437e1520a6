import { randomBytes } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Journal, JournalEntry } from '../call/journal.js';
import { BridgeError } from '../lib/bridge-error.js';
import { systemClock, type Clock } from '../lib/clock.js';
import { withDeadline } from '../lib/deadline.js';
import type { Logger } from '../lib/logger.js';
import { DirectoryLock } from './directory-lock.js';
import { encodeLine } from './line-codec.js';
import { OpenCalls } from './open-calls.js';
import {
  segmentName,
  segmentNumbers,
  systemSegmentFiles,
  type SegmentFile,
  type SegmentFiles,
} from './segment-files.js';
import { readSegment } from './segment-reader.js';

/** A segment of this size is followed by the next one, in bytes. */
const SEGMENT_BYTES = 4 * 1024 * 1024;
/** Entries that may wait for a disk that hangs; beyond that they are refused at once. */
const WAITING_CAP = 10_000;
const CLOSE_DEADLINE_MS = 5000;

export interface FileJournalOptions {
  readonly dir: string;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly files?: SegmentFiles;
  readonly segmentBytes?: number;
}

/** What says that something is over: true whether or not it could be stored. */
const closers: ReadonlySet<string> = new Set([
  'ended',
  'dialog_ended',
  'webhook_settled',
  'permission_handled',
  'recorded',
]);

/** An entry on its way to the disk, or, without one, the wish for a new segment. */
interface Waiting {
  readonly entry: JournalEntry | undefined;
  readonly line: string;
  readonly stored: () => void;
  readonly refused: (error: unknown) => void;
}

interface Segment {
  readonly file: SegmentFile;
  readonly number: number;
  bytes: number;
  /** Size at which the next one begins. */
  readonly fullAtBytes: number;
}

/**
 * The call journal on disk. Entries are written in the order of the calls; all that come while the disk is busy are made safe
 * by one fdatasync. Each segment begins with the entries of the calls that are open then, so that it replaces those before it.
 *
 * After any fault the segment is given up and the next entries go to a new one: what a failed write or sync left behind is
 * never built upon, and the journal heals as soon as the disk does.
 */
export class FileJournal implements Journal {
  readonly #files: SegmentFiles;
  readonly #clock: Clock;
  readonly #open = new OpenCalls();
  readonly #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #segment: Segment | undefined;
  /** Segments on disk, oldest first. */
  #numbers: number[] = [];
  #isFailing = false;
  #isClosed = false;

  private constructor(
    private readonly options: FileJournalOptions,
    private readonly lock: DirectoryLock,
  ) {
    this.#files = options.files ?? systemSegmentFiles;
    this.#clock = options.clock ?? systemClock;
  }

  /**
   * Takes the directory and reads what an earlier run left in it.
   * @throws BridgeError (`SIP2WA_JOURNAL_IN_USE`, `SIP2WA_JOURNAL_DIR`) when the directory cannot be had
   */
  static async open(options: FileJournalOptions): Promise<FileJournal> {
    const lock = await DirectoryLock.take(options.dir);
    const journal = new FileJournal(options, lock);
    try {
      await journal.#read();
    } catch (cause) {
      lock.release();
      throw new BridgeError('SIP2WA_JOURNAL_DIR', `journal directory ${options.dir} cannot be read`, { cause });
    }
    return journal;
  }

  /** What is open by all that is safe so far. */
  get open(): Pick<OpenCalls, 'calls' | 'permissionReplies' | 'entries'> {
    return this.#open;
  }

  append(entry: JournalEntry): Promise<void> {
    return this.#enqueue(entry, encodeLine(entry, this.#clock.now()));
  }

  /** Begins a new segment, which holds what is open and nothing else, and removes the older ones. */
  compact(): Promise<void> {
    return this.#enqueue(undefined, '');
  }

  /** Writes what waits, then lets the directory go. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    try {
      await withDeadline(this.#writing ?? Promise.resolve(), CLOSE_DEADLINE_MS, 'last journal entries', this.#clock);
      await this.#dropSegment();
    } catch (err) {
      this.options.logger.error('journal not closed in time', { dir: this.options.dir, err });
    }
    this.lock.release();
  }

  async #read(): Promise<void> {
    const { dir } = this.options;
    this.#numbers = await segmentNumbers(dir);
    for (const number of this.#numbers) await this.#readSegment(join(dir, segmentName(number)));
  }

  async #readSegment(file: string): Promise<void> {
    const { logger } = this.options;
    try {
      const { entries, badLines, tornBytes } = await readSegment(file, (entry) => this.#open.apply(entry));
      if (tornBytes > 0) logger.info('unfinished journal entry left out', { file, tornBytes });
      if (badLines > 0) logger.warn('damaged journal entries skipped', { file, badLines, entries });
      if (badLines > 0 && entries === 0) throw new BridgeError('SIP2WA_JOURNAL_FILE', 'no line of it is an entry');
    } catch (err) {
      const aside = `${file}.unreadable-${randomBytes(4).toString('hex')}`;
      logger.error('journal file cannot be read: calls that were up may stay up', { file, aside, err });
      await rename(file, aside);
    }
  }

  #enqueue(entry: JournalEntry | undefined, line: string): Promise<void> {
    if (this.#isClosed) return Promise.reject(new BridgeError('SIP2WA_JOURNAL_CLOSED', 'journal is closed'));
    if (this.#waiting.length >= WAITING_CAP) {
      return Promise.reject(new BridgeError('SIP2WA_JOURNAL_BUSY', 'too many journal entries wait for the disk'));
    }
    return new Promise((stored, refused) => {
      this.#waiting.push({ entry, line, stored, refused });
      this.#writing ??= this.#drain();
    });
  }

  /** Writes until nothing waits. Never rejects. */
  async #drain(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0);
      try {
        await this.#store(batch);
        this.#stored(batch);
      } catch (err) {
        await this.#failed(batch, err);
      }
    }
    // In the same turn as the last look at what waits, or an entry that comes in between would lie there.
    this.#writing = undefined;
  }

  async #store(batch: readonly Waiting[]): Promise<void> {
    const text = batch.map(({ line }) => line).join('');
    const segment = this.#segment;
    const isNewWanted = batch.some(({ entry }) => entry === undefined);
    if (!segment || isNewWanted || segment.bytes >= segment.fullAtBytes) return this.#begin(text);
    await segment.file.append(text);
    await segment.file.sync();
    segment.bytes += text.length;
  }

  /** A new segment: written under another name and renamed when it is whole. Then the older ones are not needed. */
  async #begin(text: string): Promise<void> {
    const { dir, segmentBytes = SEGMENT_BYTES } = this.options;
    const number = (this.#numbers.at(-1) ?? 0) + 1;
    const path = join(dir, segmentName(number));
    const nowMs = this.#clock.now();
    const carried = this.#open.entries().map((entry) => encodeLine(entry, nowMs));
    const whole = carried.join('') + text;
    const file = await this.#files.create(`${path}.new`);
    try {
      await file.append(whole);
      await file.sync();
      await this.#files.rename(`${path}.new`, path);
      await this.#files.syncDirectory(dir);
    } catch (error) {
      await file.close();
      throw error;
    }
    await this.#dropSegment();
    // A journal of long calls must not begin anew with every entry.
    const fullAtBytes = Math.max(segmentBytes, 2 * whole.length);
    this.#segment = { file, number, bytes: whole.length, fullAtBytes };
    await this.#removeOlder(number);
  }

  async #removeOlder(number: number): Promise<void> {
    const older = this.#numbers;
    this.#numbers = [number];
    for (const one of older) {
      await this.#files.remove(join(this.options.dir, segmentName(one))).catch((err: unknown) => {
        // Harmless: what it says is said again, or contradicted, by the newer one.
        const isGone = (err as NodeJS.ErrnoException).code === 'ENOENT';
        if (!isGone) this.options.logger.warn('old journal segment not removed', { segment: segmentName(one), err });
      });
    }
  }

  #stored(batch: readonly Waiting[]): void {
    if (this.#isFailing) this.options.logger.warn('journal is written again', { dir: this.options.dir });
    this.#isFailing = false;
    for (const { entry, stored } of batch) {
      if (entry) this.#open.apply(entry);
      stored();
    }
  }

  async #failed(batch: readonly Waiting[], err: unknown): Promise<void> {
    const { dir, logger } = this.options;
    if (!this.#isFailing) logger.error('journal cannot be written: new calls are refused', { dir, err });
    this.#isFailing = true;
    await this.#dropSegment();
    for (const { entry, refused } of batch) {
      // The next segment begins without what is over: calls that end while the disk is full must not be ended again days later.
      if (entry && closers.has(entry.event)) this.#open.apply(entry);
      refused(err);
    }
  }

  async #dropSegment(): Promise<void> {
    const segment = this.#segment;
    this.#segment = undefined;
    await segment?.file.close().catch((err: unknown) => {
      this.options.logger.warn('journal segment not closed', { segment: segmentName(segment.number), err });
    });
  }
}
