import { appendFile as appendToDisk, mkdir as makeDirectory } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { CallRecord, CdrSink } from '../call/call-record.js';
import { withDeadline } from '../lib/deadline.js';
import type { Logger } from '../lib/logger.js';

/** Records held back while the disk is slow; beyond that they are dropped and counted. */
const MAX_WAITING = 10_000;
const CLOSE_DEADLINE_MS = 5_000;

/** What of the file system is used; a test puts a failing one in. */
export interface CdrFiles {
  mkdir(path: string): Promise<unknown>;
  append(path: string, text: string): Promise<void>;
}

const systemFiles: CdrFiles = {
  mkdir: (path) => makeDirectory(path, { recursive: true }),
  append: (path, text) => appendToDisk(path, text, { encoding: 'utf8', mode: 0o640 }),
};

/**
 * Appends call records to a file, one JSON object a line. A full disk never stops a call: what cannot be written is
 * counted, and said once until writing works again.
 */
export class CdrFile implements CdrSink {
  readonly #waiting: string[] = [];
  #writing: Promise<void> | undefined;
  #failing = false;
  #lost = 0;

  constructor(
    private readonly path: string,
    private readonly logger: Logger,
    private readonly files: CdrFiles = systemFiles,
  ) {}

  /** Records that could not be written since the start. */
  get lost(): number {
    return this.#lost;
  }

  write(record: CallRecord): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#failed(1, new Error('too many call records are waiting for the disk'));
      return;
    }
    this.#waiting.push(`${escapeLineSeparators(JSON.stringify(record))}\n`);
    this.#writing ??= this.#drain();
  }

  async close(): Promise<void> {
    if (!this.#writing) return;
    try {
      await withDeadline(this.#writing, CLOSE_DEADLINE_MS, 'writing the last call records');
    } catch (err) {
      this.#failed(this.#waiting.length, err);
    }
  }

  /** Writes what waits, in order and in as few steps as possible, until nothing waits. Never rejects. */
  async #drain(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0);
      try {
        await this.files.mkdir(dirname(this.path));
        await this.files.append(this.path, batch.join(''));
        this.#recovered();
      } catch (err) {
        this.#failed(batch.length, err);
      }
    }
    // in the same turn as the last look at what waits, or a record that comes in between would lie there
    this.#writing = undefined;
  }

  #failed(count: number, err: unknown): void {
    this.#lost += count;
    if (!this.#failing) this.logger.error('call records cannot be written', { file: this.path, lost: this.#lost, err });
    this.#failing = true;
  }

  #recovered(): void {
    if (this.#failing) this.logger.warn('call records are written again', { file: this.path, lost: this.#lost });
    this.#failing = false;
  }
}

/** JSON allows them, but some readers break lines there. */
function escapeLineSeparators(line: string): string {
  return line.replace(/[\u0085\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
