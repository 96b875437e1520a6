import { dirname, join } from 'node:path';
import type { Clock } from '../../lib/clock.js';
import { systemSpoolFiles, unfinished, type SpoolFiles } from './spool-files.js';
import { rejectedFolder, takeOver } from './spool-found.js';
import { bytesOf, newlySpooled, orderOf, type Spooled, type ToSpool } from './spooled.js';

/** Of what waits in memory, so many are written in one go: newer ones do not wait long for their turn. */
const savedAtOnce = 64;

/** A record that is not yet where it belongs: the disk did not take it, did not say that it is safe, or did not put it aside. */
interface Held {
  /** Undefined: its file alone has it. */
  text: string | undefined;
  /** Where its file lies, which may not be safe, or not be the folder that it belongs into; undefined: it has none. */
  lies: string | undefined;
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
 * waits in memory, under the name that it will have there, until it is saved. What was removed or put aside is found again by the next
 * start only if this process ends before the disk has done that.
 */
export class Spool {
  readonly #files: SpoolFiles;
  #waiting: Spooled[] = [];
  #rejected = new Set<Spooled>();
  /** Those of both that are not yet where they belong, the oldest first. */
  readonly #held = new Map<Spooled, Held>();
  /** Files of records that are done with, and that the disk did not remove. */
  readonly #leftovers = new Set<string>();
  /** Calls whose record was sent before it was known what an earlier run left here. */
  readonly #sentUnseen = new Set<string>();
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
    return [...this.#held.keys()].filter((entry) => this.holds(entry)).length;
  }

  /** Those that `save` is to bring to where they belong. */
  get unsaved(): number {
    return this.#held.size;
  }

  /** Whether the disk is to be tried again. */
  get isSettled(): boolean {
    return this.#held.size === 0 && this.#leftovers.size === 0;
  }

  /** Those that wait and are on the disk: the next start finds them. */
  get safe(): number {
    return this.#waiting.filter((entry) => !this.holds(entry)).length;
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
    const held = this.#held.get(entry);
    return held !== undefined && held.lies === undefined;
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
   * Takes over what an earlier run left and brings some of what is held to where it belongs, the oldest first. Rejects if the disk does
   * not take them; it may be tried again.
   * @returns how many are safe now that were not; 0: none are left
   */
  save(): Promise<number> {
    return this.#inTurn(async () => {
      await this.#open();
      for (const path of this.#leftovers) await this.#removeFile(path).catch(() => undefined);
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
    const held = this.#held.get(entry);
    return held?.text ?? this.#files.read(held?.lies ?? this.#pathOf(entry));
  }

  /** It is done with. It waits no more also if this rejects: its file is then removed later, and found by a start before that. */
  remove(entry: Spooled): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.#left) this.#sentUnseen.add(entry.call);
      const file = this.#fileOf(entry);
      this.#forget(entry);
      if (file !== undefined) await this.#removeFile(file);
    });
  }

  /**
   * Puts it aside: it is not wanted. It waits no more also if this rejects: it is then put aside later, and a start before that finds it
   * where it was.
   * @returns whether there was anything to put aside: one whose file is gone is done with
   */
  reject(entry: Spooled): Promise<boolean> {
    return this.#inTurn(async () => {
      const held = this.#held.get(entry) ?? { text: undefined, lies: this.#pathOf(entry) };
      this.#forget(entry);
      this.#rejected.add(entry);
      this.#bytes += entry.bytes;
      this.#held.set(entry, held);
      await this.#open();
      // A folder that is missing is not to look like a record that is gone.
      await this.#makeFolders();
      await this.#store(new Map([[entry, held]]));
      return this.#rejected.has(entry);
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  #makeFolders(): Promise<void> {
    return this.#files.make(join(this.options.directory, rejectedFolder));
  }

  /** Takes over what an earlier run left. Rejects if the folders cannot be used; it may be tried again. */
  async #open(): Promise<ReadonlySet<string>> {
    if (this.#left) return this.#left;
    const found = await takeOver(this.#files, this.options.directory, (call) => this.#sentUnseen.has(call));
    const calls = new Set([...found.waiting, ...found.rejected].map(({ call }) => call));
    const left = this.#withoutHeld(found.waiting);
    const aside = new Set(found.rejected.map(({ call }) => call));
    for (const entry of [...this.#held.keys()]) if (aside.has(entry.call)) this.#forget(entry);
    this.#waiting = [...left, ...this.#waiting];
    this.#rejected = new Set([...found.rejected, ...this.#rejected]);
    const all = [...this.#waiting, ...this.#rejected];
    this.#bytes = bytesOf(all);
    this.#lastOrder = all.reduce((last, entry) => Math.max(last, orderOf(entry)), this.#lastOrder);
    this.#left = calls;
    this.#sentUnseen.clear();
    return calls;
  }

  /** A record that is held, maybe on its way, and was left here as well is one record: whatever befalls it befalls that file. */
  #withoutHeld(left: readonly Spooled[]): Spooled[] {
    const files = new Map(left.map(({ call, name }) => [call, join(this.options.directory, name)]));
    const taken = new Set<string>();
    for (const [{ call }, held] of this.#held) {
      held.lies = files.get(call);
      if (held.lies !== undefined) taken.add(call);
    }
    return left.filter(({ call }) => !taken.has(call));
  }

  #place(records: readonly ToSpool[]): ReadonlyMap<Spooled, Held> {
    const placed = new Map<Spooled, Held>();
    for (const record of records) {
      const entry = newlySpooled(record, this.options.clock.now(), this.#lastOrder);
      this.#lastOrder = orderOf(entry);
      placed.set(entry, { text: record.text, lies: undefined });
    }
    return placed;
  }

  #pathOf(entry: Spooled): string {
    return join(this.options.directory, this.#rejected.has(entry) ? rejectedFolder : '', entry.name);
  }

  /** Brings records to where they belong; they are safe there, and held no more, when it resolves. */
  async #store(records: ReadonlyMap<Spooled, Held>): Promise<void> {
    const folders = new Set<string>();
    for (const [entry, held] of records) {
      const path = this.#pathOf(entry);
      await this.#bring(entry, held, path);
      folders.add(dirname(path));
    }
    for (const folder of folders) await this.#files.syncDirectory(folder);
    for (const entry of records.keys()) this.#held.delete(entry);
  }

  /** Has the file of a record lie at this path; one whose file is gone, and that nobody remembers, is forgotten. */
  async #bring(entry: Spooled, held: Held, path: string): Promise<void> {
    const { lies, text } = held;
    // Also one that lies there already: a folder may have been made anew since.
    const isThere = lies !== undefined && (await this.#isMoved(lies, path));
    if (!isThere && text !== undefined) await this.#write(path, text);
    if (!isThere && text === undefined) return this.#forget(entry);
    held.lies = path;
    this.#leftovers.delete(path);
  }

  async #write(path: string, text: string): Promise<void> {
    const begun = `${path}${unfinished}`;
    try {
      await this.#files.write(begun, text);
      await this.#files.rename(begun, path);
      this.#leftovers.delete(begun);
    } catch (error) {
      // Or a full disk would be kept full by what nobody counts. A disk on a network may have renamed it all the same.
      for (const each of [begun, path]) await this.#removeFile(each).catch(() => undefined);
      throw error;
    }
  }

  #isMoved(from: string, to: string): Promise<boolean> {
    return this.#files.rename(from, to).then(() => true, unlessGone);
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

  /** The same for memory, which needs no disk. What does not fit is read from its file, if it has one, which may not be safe yet. */
  #trim(): void {
    const { limitBytes, onDropped } = this.options;
    const isRead = ([, { text }]: [Spooled, Held]): boolean => text !== undefined;
    let texts = bytesOf([...this.#held].filter(isRead).map(([entry]) => entry));
    for (const [entry, held] of this.#held) {
      if (texts <= limitBytes) break;
      if (held.lies === undefined || held.text === undefined) continue;
      texts -= entry.bytes;
      held.text = undefined;
    }
    const inMemory = [...this.#held.keys()].filter((entry) => this.holds(entry));
    const isRejected = (entry: Spooled): boolean => this.#rejected.has(entry);
    const wanted = inMemory.filter((entry) => !isRejected(entry) && entry !== this.first);
    const victims = [...inMemory.filter(isRejected), ...wanted];
    let bytes = bytesOf(inMemory);
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
    const file = this.#fileOf(entry);
    if (file !== undefined) await this.#files.remove(file);
  }

  /** Where its file lies; undefined if it has none. */
  #fileOf(entry: Spooled): string | undefined {
    const held = this.#held.get(entry);
    return held ? held.lies : this.#pathOf(entry);
  }

  async #removeFile(path: string): Promise<void> {
    this.#leftovers.add(path);
    await this.#files.remove(path);
    this.#leftovers.delete(path);
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
