import { dirname, basename } from 'node:path';
import type { SpooledFile, SpoolFiles } from '../../src/observability/cdr/spool-files.js';

/** Something that never comes about: the process that waits for it is dead. */
const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

/** A disk in memory that outlives processes, and ends one at any step. Without a sync of its directory a change may be lost. */
export class SpoolDisk {
  readonly files = new Map<string, string>();
  /** How to take back what no directory sync has made safe, oldest first. */
  #unsafe: { readonly directory: string; readonly undo: () => void }[] = [];

  /** The disk as a process sees it that dies at its `steps`-th step, before or after that step's effect. */
  process(steps = Number.POSITIVE_INFINITY, diesAfterEffect = false): DiskOfProcess {
    return new DiskOfProcess(this, steps, diesAfterEffect);
  }

  /** The power went: of what is not safe yet, only the first `kept` changes stay. */
  losePower(kept: number): void {
    for (const { undo } of this.#unsafe.splice(kept).reverse()) undo();
    this.#unsafe = [];
  }

  change(path: string, text: string | undefined): void {
    const before = this.files.get(path);
    this.#unsafe.push({ directory: dirname(path), undo: () => this.#put(path, before) });
    this.#put(path, text);
  }

  sync(directory: string): void {
    this.#unsafe = this.#unsafe.filter((each) => each.directory !== directory);
  }

  #put(path: string, text: string | undefined): void {
    if (text === undefined) this.files.delete(path);
    else this.files.set(path, text);
  }
}

/** One process' way to the disk and to the network. */
export class DiskOfProcess implements SpoolFiles {
  isDead = false;
  /** Set: every write fails with this, half way. */
  fault: Error | undefined;
  /** What else of the disk fails. */
  readonly broken = new Set<Exclude<keyof SpoolFiles, 'write' | 'read'>>();
  /** Paths that cannot be read, with the system's code. */
  readonly unreadable = new Map<string, string>();

  constructor(
    private readonly disk: SpoolDisk,
    private left: number,
    private readonly diesAfterEffect: boolean,
  ) {}

  /** One step of the process; its effect may be the last thing it does. */
  async step<T>(effect: () => T): Promise<T> {
    if (this.isDead) return never();
    if (this.left-- > 0) return effect();
    this.isDead = true;
    // Nobody is left who could be told of its fault.
    if (this.diesAfterEffect) await Promise.resolve(effect()).catch(() => undefined);
    return never();
  }

  async make(): Promise<void> {
    return this.step(() => this.#mustDo('make'));
  }

  async list(directory: string): Promise<readonly SpooledFile[]> {
    return this.step(() => {
      this.#mustDo('list');
      return [...this.disk.files]
        .filter(([path]) => dirname(path) === directory)
        .map(([path, text]) => ({ name: basename(path), bytes: text.length }));
    });
  }

  async write(path: string, text: string): Promise<void> {
    return this.step(() => {
      this.disk.change(path, this.fault ? text.slice(0, text.length / 2) : text);
      if (this.fault) throw this.fault;
    });
  }

  async read(path: string): Promise<string> {
    return this.step(() => {
      const text = this.disk.files.get(path);
      const code = this.unreadable.get(path) ?? 'ENOENT';
      if (text === undefined || this.unreadable.has(path)) throw Object.assign(new Error('cannot be read'), { code });
      return text;
    });
  }

  async rename(from: string, to: string): Promise<void> {
    return this.step(() => {
      this.#mustDo('rename');
      const text = this.disk.files.get(from);
      if (text === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
      if (from === to) return;
      this.disk.change(to, text);
      this.disk.change(from, undefined);
    });
  }

  async remove(path: string): Promise<void> {
    return this.step(() => {
      this.#mustDo('remove');
      this.disk.change(path, undefined);
    });
  }

  async syncDirectory(directory: string): Promise<void> {
    return this.step(() => {
      this.#mustDo('syncDirectory');
      this.disk.sync(directory);
    });
  }

  #mustDo(what: Exclude<keyof SpoolFiles, 'write' | 'read'>): void {
    if (this.broken.has(what)) throw Object.assign(new Error(`${what} fails`), { code: 'EIO' });
  }
}
