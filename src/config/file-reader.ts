import { readFileSync, statSync } from 'node:fs';

/** Reads a whole text file; throws what the file system throws. `mode` holds the permission bits. */
export type FileReader = (path: string) => { readonly text: string; readonly mode: number };

/** Larger files are no configuration and no secret. */
const MAX_BYTES = 4 * 1024 * 1024;

/** The file system. */
export const systemFileReader: FileReader = (path) => {
  const { mode, size } = statSync(path);
  if (size > MAX_BYTES) throw Object.assign(new Error('file too large'), { code: 'EFBIG' });
  return { text: readFileSync(path, 'utf8'), mode: mode & 0o777 };
};
