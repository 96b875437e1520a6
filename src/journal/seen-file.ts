import { createHash } from 'node:crypto';
import { appendFile, readdir, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { SeenKeys } from '../call/journal.js';
import type { Clock } from '../lib/clock.js';
import { withDeadline } from '../lib/deadline.js';
import type { Logger } from '../lib/logger.js';

const CAPACITY = 100_000;
/** Meta repeats deliveries for up to 7 days; the day that has begun counts. */
const DAYS_KEPT = 9;
const HASH_CHARS = 16;
const NAME = /^seen-\d{4}-\d\d-\d\d\.\d{4}\.keys$/;
const CLOSE_DEADLINE_MS = 5000;

export interface SeenFileOptions {
  readonly dir: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Keys kept; the oldest are forgotten first. */
  readonly capacity?: number;
}

/**
 * Webhook events that have been handled, over restarts: one file a day, of which the last nine are kept. No key is forgotten
 * because of what the clock says, so that a step of the clock lets no replay in: days count only if there is a file of them.
 * A full disk costs the memory its durability, never a call.
 */
export class SeenFile implements SeenKeys {
  readonly #hashes = new Set<string>();
  readonly #capacity: number;
  /** Names of the files, oldest day first. */
  #files: string[] = [];
  /** Keys in the file that is written to. */
  #inFile = 0;
  #file = '';
  #waiting: string[] = [];
  #writing: Promise<void> | undefined;
  #isFailing = false;

  private constructor(private readonly options: SeenFileOptions) {
    this.#capacity = options.capacity ?? CAPACITY;
  }

  /** Reads what earlier runs remembered, as far as it can be read. The directory is there. */
  static async load(options: SeenFileOptions): Promise<SeenFile> {
    const seen = new SeenFile(options);
    const names = await readdir(options.dir).catch(() => []);
    seen.#files = names.filter((name) => NAME.test(name)).sort();
    for (const name of seen.#files) await seen.#read(name);
    return seen;
  }

  /** Keys in memory. */
  get size(): number {
    return this.#hashes.size;
  }

  has(key: string): boolean {
    return this.#hashes.has(hashOf(key));
  }

  add(key: string): void {
    const hash = hashOf(key);
    if (this.#hashes.has(hash)) return;
    this.#remember(hash);
    if (this.#waiting.length < this.#capacity) this.#waiting.push(hash);
    this.#writing ??= this.#drain();
  }

  /** Resolves when all keys are in the file, or have been given up. */
  async close(): Promise<void> {
    const written = this.#writing ?? Promise.resolve();
    await withDeadline(written, CLOSE_DEADLINE_MS, 'webhook keys').catch((err: unknown) => this.#failed(err));
  }

  #remember(hash: string): void {
    this.#hashes.add(hash);
    if (this.#hashes.size <= this.#capacity) return;
    const [oldest = ''] = this.#hashes;
    this.#hashes.delete(oldest);
  }

  async #read(name: string): Promise<void> {
    try {
      const text = await readFile(join(this.options.dir, name), 'latin1');
      for (const line of text.split('\n')) if (line.length === HASH_CHARS) this.#remember(line);
    } catch (err) {
      this.options.logger.error('webhook keys cannot be read: replays of that day are not known', { file: name, err });
    }
  }

  /** Never rejects. */
  async #drain(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        await this.#write(batch);
        this.#isFailing = false;
      } catch (err) {
        this.#failed(err);
      }
    }
    this.#writing = undefined;
  }

  async #write(batch: readonly string[]): Promise<void> {
    await this.#turnFile();
    // The line end comes first as well: a line that a crash cut must not swallow the next.
    const text = `${this.#inFile === 0 ? '\n' : ''}${batch.join('\n')}\n`;
    await appendFile(join(this.options.dir, this.#file), text, { mode: 0o600 });
    this.#inFile += batch.length;
  }

  /** The file of the day; a full one holds all that is remembered, so that the next begins and all before it go. */
  async #turnFile(): Promise<void> {
    const day = `seen-${new Date(this.options.clock.now()).toISOString().slice(0, 10)}`;
    const full = this.#inFile >= this.#capacity ? this.#file : undefined;
    if (this.#file.startsWith(day) && full === undefined) return;
    const ofDay = this.#files.findLast((name) => name.startsWith(day));
    if (full !== undefined) await this.#keep((name) => name === full);
    this.#file = ofDay === undefined || ofDay === full ? nameOf(day, partOf(ofDay) + 1) : ofDay;
    this.#inFile = 0;
    this.#files = [...new Set([...this.#files, this.#file])].sort();
    const days = [...new Set(this.#files.map(dayOf))].slice(-DAYS_KEPT);
    await this.#keep((name) => days.includes(dayOf(name)) || name === this.#file);
  }

  async #keep(isKept: (name: string) => boolean): Promise<void> {
    const gone = this.#files.filter((name) => !isKept(name));
    this.#files = this.#files.filter(isKept);
    for (const name of gone) await unlink(join(this.options.dir, name)).catch(() => undefined);
  }

  #failed(err: unknown): void {
    if (!this.#isFailing) this.options.logger.error('webhook keys cannot be written', { dir: this.options.dir, err });
    this.#isFailing = true;
  }
}

const dayOf = (name: string): string => name.slice(0, 'seen-2026-01-01'.length);
const partOf = (name: string | undefined): number => Number(name?.split('.')[1] ?? -1);
const nameOf = (day: string, part: number): string => `${day}.${String(part).padStart(4, '0')}.keys`;
const hashOf = (key: string): string => createHash('sha256').update(key).digest('base64url').slice(0, HASH_CHARS);
