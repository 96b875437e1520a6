import { open, readdir, rename, unlink } from 'node:fs/promises';

/** A segment that is being written. */
export interface SegmentFile {
  append(text: string): Promise<void>;
  /** Resolves when all that was appended is on the disk (fdatasync). */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** What of the file system is used to write a journal; a test puts a failing one in. */
export interface SegmentFiles {
  /** A new, empty file that only its owner can read. */
  create(path: string): Promise<SegmentFile>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes the names in a directory as safe as the files. */
  syncDirectory(path: string): Promise<void>;
}

export const systemSegmentFiles: SegmentFiles = {
  create: async (path) => {
    const handle = await open(path, 'w', 0o600);
    return {
      append: (text) => handle.appendFile(text),
      sync: () => handle.datasync(),
      close: () => handle.close(),
    };
  },
  rename,
  remove: unlink,
  syncDirectory: async (path) => {
    const handle = await open(path, 'r');
    await handle.sync().finally(() => handle.close());
  },
};

const NAME = /^journal-(\d{8})\.log$/;

/** Numbers of the segments of a directory, oldest first. */
export async function segmentNumbers(dir: string): Promise<number[]> {
  const names = await readdir(dir);
  return names.flatMap((name) => Number(NAME.exec(name)?.[1] ?? NaN) || []).sort((a, b) => a - b);
}

export const segmentName = (number: number): string => `journal-${String(number).padStart(8, '0')}.log`;
