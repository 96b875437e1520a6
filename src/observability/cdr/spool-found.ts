import { join } from 'node:path';
import { unfinished, type SpooledFile, type SpoolFiles } from './spool-files.js';
import { spooledIn, type Spooled } from './spooled.js';

/** Records that were not wanted lie here, until they are moved back or are the oldest when room is needed. */
export const rejectedFolder = 'rejected';

/** What an earlier run left. */
export interface Found {
  readonly waiting: readonly Spooled[];
  readonly rejected: readonly Spooled[];
}

/**
 * Takes over what an earlier run left, and tidies up after it. A call has one record: one that lies in both folders was being put aside
 * as its process died, or the power went, and waits no more. Rejects if the folders cannot be used; it may be tried again.
 * @param isSent whether the record of this call was sent while nobody could look here
 */
export async function takeOver(
  files: SpoolFiles,
  directory: string,
  isSent: (call: string) => boolean,
): Promise<Found> {
  const other = join(directory, rejectedFolder);
  await files.make(other);
  const [waitingFiles, rejectedFiles] = [await files.list(directory), await files.list(other)];
  await tidy(files, directory, waitingFiles);
  await tidy(files, other, rejectedFiles);
  const rejected = spooledIn(rejectedFiles);
  const seen = new Set(rejected.map(({ call }) => call));
  const waiting: Spooled[] = [];
  for (const entry of spooledIn(waitingFiles)) {
    if (seen.has(entry.call) || isSent(entry.call)) await files.remove(join(directory, entry.name));
    else waiting.push(entry);
    seen.add(entry.call);
  }
  return { waiting, rejected };
}

async function tidy(files: SpoolFiles, folder: string, found: readonly SpooledFile[]): Promise<void> {
  // What is unfinished was safe for nobody: whoever gave it to us gives it again.
  for (const { name } of found) if (name.endsWith(unfinished)) await files.remove(join(folder, name));
  // A process that was killed may have left files that are not safe yet: who trusts them would lose them with the power.
  await files.syncDirectory(folder);
}
