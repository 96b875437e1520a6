import { appendFile, rename, stat } from 'node:fs/promises';
import type { Logger } from '../lib/logger.js';

/** Largest item kept whole, in characters. */
const ITEM_CHARS = 8192;
/** Size at which the file is put aside as `.1`, whose place it takes: twice this is the most that is ever kept. */
const FILE_BYTES = 1024 * 1024;
/** Items that may wait for the disk; beyond that they are dropped. */
const WAITING_CAP = 100;

export interface KeptItemsOptions {
  readonly path: string;
  readonly logger: Logger;
  readonly fileBytes?: number;
}

/**
 * Keeps texts for an operator to look at, one line each, in bounded space. Best effort: what cannot be written is lost, and that
 * is said once.
 */
export class KeptItems {
  #waiting: string[] = [];
  #writing: Promise<void> | undefined;
  #isFailing = false;

  constructor(private readonly options: KeptItemsOptions) {}

  /** Keeps one item, cut to 8192 characters. `line` holds no line end. Never throws. */
  keep(line: string): void {
    if (this.#waiting.length >= WAITING_CAP) return;
    this.#waiting.push(`${line.slice(0, ITEM_CHARS)}\n`);
    this.#writing ??= this.#drain();
  }

  /** Resolves when nothing waits any more. */
  async close(): Promise<void> {
    await this.#writing;
  }

  /** Never rejects. */
  async #drain(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        await this.#write(batch.join(''));
        this.#isFailing = false;
      } catch (err) {
        if (!this.#isFailing) this.options.logger.warn('items cannot be kept', { file: this.options.path, err });
        this.#isFailing = true;
      }
    }
    this.#writing = undefined;
  }

  async #write(text: string): Promise<void> {
    const { path, fileBytes = FILE_BYTES } = this.options;
    const bytes = await stat(path).then(
      ({ size }) => size,
      () => 0,
    );
    if (bytes + text.length > fileBytes) await rename(path, `${path}.1`).catch(() => undefined);
    await appendFile(path, text, { mode: 0o600 });
  }
}
