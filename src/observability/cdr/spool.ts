import { dirname, join } from 'node:path';
import type { Clock } from '../../lib/clock.js';
import { systemSpoolFiles, type SpooledFile, type SpoolFiles } from './spool-files.js';
import { bytesOf, newlySpooled, orderOf, spooledIn, type Spooled, type ToSpool } from './spooled.js';

/** Of what waits in memory, so many are written in one go: newer ones do not wait long for their turn. */
const savedAtOnce = 64;
/** Records that the receiver did not want lie here, until they are moved back or are the oldest when room is needed. */
const rejectedFolder = 'rejected';
const unfinished = '.new';

/** A record that is in memory alone: the disk did not take it, or has not yet. */
interface Held {
  readonly text: string;
  /** Its file is there, but not safe. */
  isBegun: boolean;
}

export interface SpoolOptions {
  readonly directory: string;
  /** Most that it may take up on the disk, rejected records included. */
  readonly limitBytes: number;
  readonly clock: Clock;
  readonly files?: SpoolFiles;
  /** Told of records that made room for newer ones. */
  readonly onDropped: (dropped: readonly Spooled[]) => void;
}

/**
 * Records that wait to be sent, a file each, in the order in which they came: the name begins with a number that only grows. A file
 * is there as a whole or not at all. When all of it would take up more than it may, the oldest make room. What the disk does not take
 * waits in memory, under the name that it will have there, until it is saved.
 */
export class Spool {
  readonly #files: SpoolFiles;
  #waiting: Spooled[] = [];
  #rejected = new Set<Spooled>();
  /** Those of both that are in memory alone, the oldest first. */
  readonly #held = new Map<Spooled, Held>();
  #bytes = 0;
  #lastOrder = 0;
  /** Calls whose record an earlier run left here; undefined: not looked at yet. */
  #left: ReadonlySet<string> | undefined;
  /** One change at a time: what is just being written cannot be removed meanwhile, and come back. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: SpoolOptions) {
    this.#files = options.files ?? systemSpoolFiles;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Those in memory alone, rejected ones included: they go when the process does. */
  get held(): number {
    return this.#held.size;
  }

  /** Those that wait and are on the disk: the next start finds them. */
  get safe(): number {
    return this.#waiting.filter((entry) => !this.#held.has(entry)).length;
  }

  /** Rejected records and those in memory included, in whole blocks. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The oldest one that waits. */
  get first(): Spooled | undefined {
    return this.#waiting[0];
  }

  /** Whether this record is in memory alone. */
  holds(entry: Spooled): boolean {
    return this.#held.has(entry);
  }

  /**
   * Keeps records, but for those of calls whose record an earlier run left here. They are safe when it resolves; if it rejects they
   * wait in memory, where they take up no more than they may on the disk.
   */
  add(records: readonly ToSpool[]): Promise<void> {
    return this.#inTurn(async () => {
      let fresh: ReadonlyMap<Spooled, Held> | undefined;
      try {
        const left = await this.#open();
        fresh = this.#place(records.filter(({ call }) => !left.has(call)));
        await this.#makeRoom(bytesOf(fresh.keys()));
        await this.#store(fresh);
      } catch (error) {
        fresh ??= this.#place(records);
        for (const [entry, held] of fresh) this.#held.set(entry, held);
        this.#take([...fresh.keys()]);
        this.#trim();
        throw error;
      }
      this.#take([...fresh.keys()]);
    });
  }

  /**
   * Takes over what an earlier run left and writes some of what is in memory alone, the oldest first. Rejects if the disk does not take
   * them; it may be tried again.
   * @returns how many are safe now that were not; 0: none are left
   */
  save(): Promise<number> {
    return this.#inTurn(async () => {
      await this.#open();
      if (this.#held.size === 0) return 0;
      // What was at fault may be that somebody took the folders away.
      await this.#makeFolders();
      await this.#makeRoom(0);
      const some = new Map<Spooled, Held>();
      for (const [entry, held] of this.#held) if (some.size < savedAtOnce) some.set(entry, held);
      await this.#store(some);
      return some.size;
    });
  }

  /** Rejects if the disk does not have it any more. */
  async read(entry: Spooled): Promise<string> {
    return this.#held.get(entry)?.text ?? this.#files.read(this.#pathOf(entry));
  }

  /** It is done with. It waits no more also if this rejects; the next start would find it again. */
  remove(entry: Spooled): Promise<void> {
    return this.#inTurn(() => this.#discard(entry).finally(() => this.#forget(entry)));
  }

  /**
   * Puts it aside: it is not wanted. It waits no more also if this rejects: one that is in memory alone stays there until it is saved,
   * another where it was, for the next start to find.
   * @returns whether there was anything to put aside: one whose file is gone is done with
   */
  reject(entry: Spooled): Promise<boolean> {
    return this.#inTurn(async () => {
      const held = this.#held.get(entry);
      const before = this.#pathOf(entry);
      this.#forget(entry);
      if (held) return this.#rejectHeld(entry, held, before);
      // A folder that is missing is not to look like a record that is gone.
      await this.#makeFolders();
      const aside = join(this.options.directory, rejectedFolder, entry.name);
      if (!(await this.#files.rename(before, aside).then(() => true, unlessGone))) return false;
      await this.#files.syncDirectory(dirname(aside));
      this.#rejected.add(entry);
      this.#bytes += entry.bytes;
      return true;
    });
  }

  async #rejectHeld(entry: Spooled, held: Held, begun: string): Promise<boolean> {
    this.#rejected.add(entry);
    this.#held.set(entry, held);
    this.#bytes += entry.bytes;
    if (held.isBegun) await this.#files.remove(begun);
    await this.#makeFolders();
    await this.#store(new Map([[entry, held]]));
    return true;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  #makeFolders(): Promise<void> {
    return this.#files.make(join(this.options.directory, rejectedFolder));
  }

  /** Makes the directory and takes over what an earlier run left in it. Rejects if it cannot be used; it may be tried again. */
  async #open(): Promise<ReadonlySet<string>> {
    if (this.#left) return this.#left;
    const { directory } = this.options;
    await this.#makeFolders();
    const waiting = await this.#files.list(directory);
    const rejected = await this.#files.list(join(directory, rejectedFolder));
    await this.#tidy(directory, waiting);
    await this.#tidy(join(directory, rejectedFolder), rejected);
    const [left, aside] = [spooledIn(waiting), spooledIn(rejected)];
    const calls = new Set([...left, ...aside].map(({ call }) => call));
    for (const entry of [...this.#held.keys()]) if (calls.has(entry.call)) this.#forget(entry);
    this.#waiting = [...left, ...this.#waiting];
    this.#rejected = new Set([...aside, ...this.#rejected]);
    const all = [...this.#waiting, ...this.#rejected];
    this.#bytes = bytesOf(all);
    this.#lastOrder = all.reduce((last, entry) => Math.max(last, orderOf(entry)), this.#lastOrder);
    this.#left = calls;
    return calls;
  }

  async #tidy(folder: string, files: readonly SpooledFile[]): Promise<void> {
    // What is unfinished was safe for nobody: whoever gave it to us gives it again.
    for (const { name } of files) if (name.endsWith(unfinished)) await this.#files.remove(join(folder, name));
    // A process that was killed may have left files that are not safe yet: who trusts them would lose them with the power.
    await this.#files.syncDirectory(folder);
  }

  #place(records: readonly ToSpool[]): ReadonlyMap<Spooled, Held> {
    const placed = new Map<Spooled, Held>();
    for (const record of records) {
      const entry = newlySpooled(record, this.options.clock.now(), this.#lastOrder);
      this.#lastOrder = orderOf(entry);
      placed.set(entry, { text: record.text, isBegun: false });
    }
    return placed;
  }

  #pathOf(entry: Spooled): string {
    return join(this.options.directory, this.#rejected.has(entry) ? rejectedFolder : '', entry.name);
  }

  /** Writes records that are in memory; they are safe, and there no more, when it resolves. */
  async #store(records: ReadonlyMap<Spooled, Held>): Promise<void> {
    const folders = new Set<string>();
    for (const [entry, held] of records) {
      const path = this.#pathOf(entry);
      await this.#write(path, held.text);
      held.isBegun = true;
      folders.add(dirname(path));
    }
    for (const folder of folders) await this.#files.syncDirectory(folder);
    for (const entry of records.keys()) this.#held.delete(entry);
  }

  async #write(path: string, text: string): Promise<void> {
    const begun = `${path}${unfinished}`;
    try {
      await this.#files.write(begun, text);
      await this.#files.rename(begun, path);
    } catch (error) {
      // Or a full disk would be kept full by what nobody counts.
      await this.#files.remove(begun).catch(() => undefined);
      throw error;
    }
  }

  #take(entries: readonly Spooled[]): void {
    this.#waiting.push(...entries);
    this.#bytes += bytesOf(entries);
  }

  /** Those that nobody wanted go first. The first that waits may be on its way, and stays. */
  async #makeRoom(neededBytes: number): Promise<void> {
    const { limitBytes, onDropped } = this.options;
    const dropped: Spooled[] = [];
    try {
      while (this.#bytes + neededBytes > limitBytes) {
        const [victim = this.#waiting[1]] = this.#rejected;
        if (!victim) break;
        await this.#discard(victim);
        this.#forget(victim);
        dropped.push(victim);
      }
    } finally {
      if (dropped.length > 0) onDropped(dropped);
    }
  }

  /** The same for memory, which needs no disk. */
  #trim(): void {
    const { limitBytes, onDropped } = this.options;
    const held = [...this.#held.keys()];
    const isRejected = (entry: Spooled): boolean => this.#rejected.has(entry);
    const wanted = held.filter((entry) => !isRejected(entry) && entry !== this.first);
    const victims = [...held.filter(isRejected), ...wanted];
    let bytes = bytesOf(held);
    const dropped: Spooled[] = [];
    for (const entry of victims) {
      if (bytes <= limitBytes) break;
      bytes -= entry.bytes;
      this.#forget(entry);
      dropped.push(entry);
    }
    if (dropped.length > 0) onDropped(dropped);
  }

  /** Takes its file away, if there is one. */
  async #discard(entry: Spooled): Promise<void> {
    const held = this.#held.get(entry);
    if (!held || held.isBegun) await this.#files.remove(this.#pathOf(entry));
  }

  #forget(entry: Spooled): void {
    const index = this.#waiting.indexOf(entry);
    if (index >= 0) this.#waiting.splice(index, 1);
    if (this.#rejected.delete(entry) || index >= 0) this.#bytes -= entry.bytes;
    this.#held.delete(entry);
  }
}

function unlessGone(error: unknown): false {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
  throw error;
}
