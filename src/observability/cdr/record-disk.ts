import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { callsOf, type RecordFormat } from './record-format.js';

/** What of a file's end is looked at for calls that have their record: more than one crash can leave in doubt. */
const tailBytes = 1024 * 1024;
/** Longest line that a cut is looked for in. */
const lineBytes = 64 * 1024;

/** Where a file of records lies; a test puts a failing disk in. */
export interface RecordDisk {
  /** Calls whose record is in the file already, as far as its end shows. A file of other columns is set aside. */
  open(path: string, format: RecordFormat): Promise<OpenedFile>;
  /**
   * Appends whole lines, after the header in a new file; they are safe when it resolves. When it rejects they may be there all the
   * same, where the disk does not let them be taken back: `open` tells.
   */
  append(path: string, lines: string, format: RecordFormat): Promise<void>;
}

export interface OpenedFile {
  readonly calls: ReadonlySet<string>;
  /** Where the file was put that had other columns. */
  readonly aside?: string;
}

/** The file is opened anew for each batch: one that was moved or removed meanwhile is begun again, so rotation needs no signal. */
export const systemDisk: RecordDisk = {
  open: async (path, format) => {
    const handle = await open(path, 'r').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    });
    if (!handle) return { calls: new Set() };
    try {
      const { size } = await handle.stat();
      if (await hasOtherHeader(handle, size, format)) {
        const aside = `${path}.other-columns-${randomBytes(4).toString('hex')}`;
        await rename(path, aside);
        return { calls: new Set(), aside };
      }
      const calls = await callsIn(handle, size, format);
      // A process that was killed may have left rows that are not safe yet: who trusts them would lose them with the power.
      await handle.datasync();
      await syncDirectory(dirname(path));
      return { calls };
    } finally {
      await handle.close();
    }
  },
  append: async (path, lines, format) => {
    await mkdir(dirname(path), { recursive: true });
    const handle = await open(path, 'a+', 0o640);
    try {
      const isNew = await appendTo(handle, lines, format);
      if (isNew) await syncDirectory(dirname(path));
    } finally {
      await handle.close();
    }
  },
};

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** @returns whether the file was empty. */
async function appendTo(handle: FileHandle, lines: string, format: RecordFormat): Promise<boolean> {
  const { size } = await handle.stat();
  const cutShort = await cutLine(handle, size);
  const before = size === 0 ? format.header : cutShort === '' ? '' : format.mend(cutShort);
  try {
    await handle.appendFile(before + lines);
    await handle.datasync();
  } catch (error) {
    // Half of it would make the next record unreadable, and all of it comes again.
    await handle.truncate(size).catch(() => undefined);
    throw error;
  }
  return size === 0;
}

/** The last line, if it has no end: a crash or a full disk cut it short. */
async function cutLine(handle: FileHandle, size: number): Promise<string> {
  if (size === 0) return '';
  const last = await readEnd(handle, size, 1);
  if (last === '\n') return '';
  const end = await readEnd(handle, size, lineBytes);
  return end.slice(end.lastIndexOf('\n') + 1);
}

async function callsIn(handle: FileHandle, size: number, format: RecordFormat): Promise<ReadonlySet<string>> {
  return new Set(callsOf(await readEnd(handle, size, tailBytes), format));
}

async function hasOtherHeader(handle: FileHandle, size: number, { header }: RecordFormat): Promise<boolean> {
  if (header === '' || size === 0) return false;
  const start = Buffer.alloc(Buffer.byteLength(header));
  const { bytesRead } = await handle.read(start, 0, start.length, 0);
  return start.toString('utf8', 0, bytesRead) !== header;
}

async function readEnd(handle: FileHandle, size: number, most: number): Promise<string> {
  const length = Math.min(size, most);
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, size - length);
  return buffer.toString('utf8', 0, bytesRead);
}
