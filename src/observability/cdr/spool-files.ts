import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface SpooledFile {
  readonly name: string;
  readonly bytes: number;
}

/** What of the file system a spool uses; a test stops it at any step. */
export interface SpoolFiles {
  /** Makes a directory, and those above it, for our eyes alone. */
  make(directory: string): Promise<void>;
  /** Its files; directories are left out. */
  list(directory: string): Promise<readonly SpooledFile[]>;
  /** The content is safe when it resolves; that the file is there is not. */
  write(path: string, text: string): Promise<void>;
  read(path: string): Promise<string>;
  rename(from: string, to: string): Promise<void>;
  /** One that is gone already is no fault. */
  remove(path: string): Promise<void>;
  /** What was made, renamed and removed in it is safe when it resolves. */
  syncDirectory(directory: string): Promise<void>;
}

/** Ends the name of a file that is still being written. */
export const unfinished = '.new';

export const systemSpoolFiles: SpoolFiles = {
  make: async (directory) => {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  },
  list: async (directory) => {
    const entries = await readdir(directory, { withFileTypes: true });
    const names = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
    return Promise.all(names.map(async (name) => ({ name, bytes: (await stat(join(directory, name))).size })));
  },
  write: (path, text) => writeFile(path, text, { encoding: 'utf8', mode: 0o600, flush: true }),
  read: (path) => readFile(path, 'utf8'),
  rename,
  remove: (path) => rm(path, { force: true }),
  syncDirectory: async (directory) => {
    const handle = await open(directory, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};
