import { join } from 'node:path';
import type { Clock } from '../../lib/clock.js';
import { systemSpoolFiles, type SpoolFiles } from './spool-files.js';

/** What a file takes up on the disk, whatever is in it. */
const blockBytes = 4096;
/** Records that the receiver did not want lie here, until they are moved back or are the oldest when room is needed. */
const rejectedFolder = 'rejected';
const ending = '.json';
const unfinished = '.new';

/** A record that waits. */
export interface Spooled {
  readonly call: string;
  readonly name: string;
  readonly bytes: number;
  /** When it came, Unix milliseconds. */
  readonly sinceMs: number;
  /** The record itself, of one that the disk did not take: it waits in memory. */
  readonly text?: string;
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

/** A record to be kept. */
export interface ToSpool {
  readonly call: string;
  readonly text: string;
}

/**
 * Records that wait to be sent, a file each, in the order in which they came: the name begins with a number that only grows. A file
 * is there as a whole or not at all. When all of it would take up more than it may, the oldest make room.
 */
export class Spool {
  readonly #files: SpoolFiles;
  #waiting: Spooled[] = [];
  #rejected: Spooled[] = [];
  #bytes = 0;
  #lastOrder = 0;
  /** Calls whose record an earlier run left here; undefined: not looked at yet. */
  #left: ReadonlySet<string> | undefined;

  constructor(private readonly options: SpoolOptions) {
    this.#files = options.files ?? systemSpoolFiles;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Those of them that the disk did not take: they go when the process does. */
  get held(): number {
    return this.#held().length;
  }

  /** On the disk, rejected records included, in whole blocks. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The oldest one that waits. */
  get first(): Spooled | undefined {
    return this.#waiting[0];
  }

  /** Makes the directory and takes over what an earlier run left in it. Rejects if it cannot be used; it may be tried again. */
  async open(): Promise<ReadonlySet<string>> {
    if (this.#left) return this.#left;
    const { directory } = this.options;
    await this.#files.make(join(directory, rejectedFolder));
    const left = await this.#files.list(directory);
    const rejected = await this.#files.list(join(directory, rejectedFolder));
    // What is unfinished was safe for nobody: whoever gave it to us gives it again.
    for (const { name } of left) if (name.endsWith(unfinished)) await this.#files.remove(join(directory, name));
    // A process that was killed may have left files that are not safe yet: who trusts them would lose them with the power.
    for (const folder of [directory, join(directory, rejectedFolder)]) await this.#files.syncDirectory(folder);
    const held = this.#waiting;
    this.#waiting = [...left.flatMap(entryOf).sort(byOrder), ...held];
    this.#rejected = rejected.flatMap(entryOf).sort(byOrder);
    const all = [...this.#waiting, ...this.#rejected];
    this.#bytes = sum(all);
    this.#lastOrder = all.reduce((last, entry) => Math.max(last, orderOf(entry)), this.#lastOrder);
    this.#left = new Set(all.map(({ call }) => call));
    return this.#left;
  }

  /**
   * Keeps records, but for those of calls whose record an earlier run left here. They are safe when it resolves; if it rejects they
   * wait in memory, where they take up no more than they may on the disk.
   */
  async add(records: readonly ToSpool[]): Promise<void> {
    let placed: readonly (Spooled & ToSpool)[] = [];
    try {
      const left = await this.open();
      placed = records.filter(({ call }) => !left.has(call)).map((record) => this.#place(record));
      if (placed.length === 0) return;
      await this.#makeRoom(sum(placed));
      for (const { name, text } of placed) await this.#store(name, text);
      await this.#files.syncDirectory(this.options.directory);
    } catch (error) {
      this.#take(placed.length > 0 ? placed : records.map((record) => this.#place(record)));
      this.#trim();
      throw error;
    }
    this.#take(placed.map(({ call, name, bytes, sinceMs }) => ({ call, name, bytes, sinceMs })));
  }

  /** Rejects if the disk does not have it any more. */
  async read(entry: Spooled): Promise<string> {
    return entry.text ?? this.#files.read(join(this.options.directory, entry.name));
  }

  /** It is done with. It waits no more also if this rejects; the next start would find it again. */
  async remove(entry: Spooled): Promise<void> {
    this.#drop(entry);
    // Also of one that is in memory: its file may have been begun.
    await this.#files.remove(join(this.options.directory, entry.name));
  }

  /** Puts it aside: it is not wanted. It waits no more also if this rejects. One whose file is gone is done with. */
  async reject(entry: Spooled): Promise<void> {
    const { directory } = this.options;
    this.#drop(entry);
    const [from, to] = [join(directory, entry.name), join(directory, rejectedFolder, entry.name)];
    if (entry.text !== undefined) await this.#files.write(from, entry.text);
    // A folder that is missing is not to look like a record that is gone.
    await this.#files.make(join(directory, rejectedFolder));
    const isThere = await this.#files.rename(from, to).then(() => true, unlessGone);
    if (!isThere) return;
    await this.#files.syncDirectory(join(directory, rejectedFolder));
    this.#rejected.push(entry);
    this.#bytes += entry.bytes;
  }

  #place({ call, text }: ToSpool): Spooled & ToSpool {
    const sinceMs = this.options.clock.now();
    const order = Math.max(this.#lastOrder + 1, sinceMs * 1000);
    this.#lastOrder = order;
    const name = `${String(order).padStart(orderDigits, '0')}-${call.replace(/[^0-9A-Za-z]/g, '_')}${ending}`;
    return { call, text, name, bytes: blocksOf(Buffer.byteLength(text)), sinceMs };
  }

  async #store(name: string, text: string): Promise<void> {
    const path = join(this.options.directory, name);
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
    this.#bytes += sum(entries);
  }

  /** Those that nobody wanted go first. The first that waits may be on its way, and stays. */
  async #makeRoom(neededBytes: number): Promise<void> {
    const { directory, limitBytes, onDropped } = this.options;
    const dropped: Spooled[] = [];
    try {
      while (this.#bytes + neededBytes > limitBytes) {
        const rejected = this.#rejected.shift();
        const victim = rejected ?? this.#waiting.splice(1, 1)[0];
        if (!victim) break;
        this.#bytes -= victim.bytes;
        dropped.push(victim);
        await this.#files.remove(join(directory, rejected ? rejectedFolder : '', victim.name));
      }
    } finally {
      if (dropped.length > 0) onDropped(dropped);
    }
  }

  /** The same for memory, which needs no disk. */
  #trim(): void {
    const { limitBytes, onDropped } = this.options;
    const held = this.#held();
    let bytes = sum(held);
    const dropped = new Set<Spooled>();
    for (const entry of held) {
      if (bytes <= limitBytes) break;
      if (entry === this.first) continue;
      bytes -= entry.bytes;
      dropped.add(entry);
    }
    if (dropped.size === 0) return;
    this.#waiting = this.#waiting.filter((entry) => !dropped.has(entry));
    this.#bytes -= sum([...dropped]);
    onDropped([...dropped]);
  }

  #held(): readonly Spooled[] {
    return this.#waiting.filter(({ text }) => text !== undefined);
  }

  #drop(entry: Spooled): void {
    const index = this.#waiting.indexOf(entry);
    if (index < 0) return;
    this.#waiting.splice(index, 1);
    this.#bytes -= entry.bytes;
  }
}

function unlessGone(error: unknown): false {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
  throw error;
}

const orderDigits = 17;
const named = /^(\d{17})-(\w+)\.json$/;

/** Files that are not ours are nobody's. */
function entryOf({ name, bytes }: { readonly name: string; readonly bytes: number }): Spooled[] {
  const [, order, call] = named.exec(name) ?? [];
  if (order === undefined || call === undefined) return [];
  return [{ call, name, bytes: blocksOf(bytes), sinceMs: Math.floor(Number(order) / 1000) }];
}

const orderOf = ({ name }: Spooled): number => Number(name.slice(0, orderDigits));
const byOrder = (a: Spooled, b: Spooled): number => orderOf(a) - orderOf(b);
const blocksOf = (bytes: number): number => Math.max(1, Math.ceil(bytes / blockBytes)) * blockBytes;
const sum = (entries: readonly Pick<Spooled, 'bytes'>[]): number =>
  entries.reduce((total, { bytes }) => total + bytes, 0);
