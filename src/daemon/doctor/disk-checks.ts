import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs';
import { rm, statfs, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { DirectoryLock } from '../../journal/directory-lock.js';
import { BridgeError } from '../../lib/bridge-error.js';
import { systemIds } from '../../lib/ids.js';
import { failed, faultText, ok, skipped, warning, type Check, type Finding } from './check.js';
import type { DoctorScope } from './doctor-scope.js';

/** What is written to disk. Nothing is made: files of whoever runs the doctor may be closed to the daemon. */
export function diskChecks(scope: DoctorScope): Check[] {
  const { journal, cdr } = scope.config;
  return [
    { name: 'journal', run: () => journalCheck(scope) },
    { name: 'call records', run: () => recordsCheck(cdr.file, 'cdr.file') },
    ...(cdr.csvFile === '' ? [] : [{ name: 'call records CSV', run: () => recordsCheck(cdr.csvFile, 'cdr.csv_file') }]),
    ...(cdr.httpUrl === '' ? [] : [{ name: 'call record spool', run: () => spoolCheck(cdr.httpSpoolDir) }]),
    { name: 'disk space', run: () => spaceCheck([journal.dir, cdr.file, cdr.csvFile, ...spooled(cdr)]) },
  ];
}

async function journalCheck({ config, running }: DoctorScope): Promise<Finding> {
  const { dir } = config.journal;
  if (dir === '') return warning('in memory only: what a crash leaves open stays open', 'set journal.dir');
  const cure = 'give the directory to the user that sip2wa runs as';
  if (!existsSync(dir)) return parentOf(dir, cure);
  try {
    const lock = await DirectoryLock.take(dir);
    try {
      const probe = join(dir, `doctor.${systemIds.hex(6)}`);
      await writeFile(probe, 'sip2wa doctor\n', { flush: true, mode: 0o600 });
      await rm(probe);
    } finally {
      lock.release();
    }
    return ok(`${dir} can be written and locked`);
  } catch (error) {
    if (!(error instanceof BridgeError)) return failed(`${dir} cannot be written: ${faultText(error)}`, cure);
    if (error.code !== 'SIP2WA_JOURNAL_IN_USE') return failed(`${faultText(error)} (${faultText(error.cause)})`, cure);
    if (await running) return ok(`${dir} is in use by a running sip2wa`);
    return failed(error.message, 'give each daemon a journal.dir of its own, or stop that process');
  }
}

const spooled = ({ httpUrl, httpSpoolDir }: DoctorScope['config']['cdr']): string[] =>
  httpUrl === '' ? [] : [httpSpoolDir];

function recordsCheck(file: string, key: string): Finding {
  if (file === '') return skipped(`${key} is empty: no call records are written`);
  const cure = `give the file to the user that sip2wa runs as, or correct ${key}`;
  if (!existsSync(file)) return parentOf(file, cure);
  try {
    if (!statSync(file).isFile()) return failed(`${file} is no file`, cure);
    accessSync(file, constants.W_OK);
    return ok(`${file} can be written`);
  } catch (error) {
    return failed(`${file} cannot be written: ${faultText(error)}`, cure);
  }
}

/** Whoever takes the records is not asked: there is no request that is not a record. */
function spoolCheck(directory: string): Finding {
  const cure = 'give the directory to the user that sip2wa runs as, or correct cdr.http_spool_dir';
  if (!existsSync(directory)) return parentOf(directory, cure);
  try {
    if (!statSync(directory).isDirectory()) return failed(`${directory} is no directory`, cure);
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    return waitingIn(directory);
  } catch (error) {
    return failed(`${directory} cannot be written: ${faultText(error)}`, cure);
  }
}

function waitingIn(directory: string): Finding {
  const count = (folder: string): number =>
    existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')).length : 0;
  const rejected = count(join(directory, 'rejected'));
  const detail = `${directory} can be written; ${count(directory)} records wait, ${rejected} were refused`;
  if (rejected === 0) return ok(detail);
  const cure = `see the log for why; those in ${join(directory, 'rejected')} are sent again if they are moved up and sip2wa is started anew`;
  return warning(detail, cure);
}

/** What is not there yet is made by the daemon. */
function parentOf(path: string, cure: string): Finding {
  const parent = nearest(path);
  try {
    if (!statSync(parent).isDirectory()) return failed(`${path} cannot be made: ${parent} is no directory`, cure);
    accessSync(parent, constants.W_OK | constants.X_OK);
    return ok(`${path} is not there yet, and can be made`);
  } catch (error) {
    return failed(`${path} cannot be made in ${parent}: ${faultText(error)}`, cure);
  }
}

/** The path itself or the nearest above it that there is. */
function nearest(path: string): string {
  let at = resolve(path);
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  return at;
}

const mib = 1024 * 1024;
const leastSpace = { warningBytes: 1024 * mib, failedBytes: 64 * mib };

/** `freeBytesAt` is injected in tests: nobody fills a disk for one. */
export async function spaceCheck(
  paths: readonly string[],
  freeBytesAt = async (path: string): Promise<number> => {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  },
): Promise<Finding> {
  const used = [...new Set(paths.filter((path) => path !== '').map(nearest))];
  if (used.length === 0) return skipped('nothing is written to disk');
  const free = await Promise.all(used.map(freeBytesAt));
  const least = Math.min(...free);
  const detail = `${Math.floor(least / mib)} MiB free for journal and call records`;
  const cure = 'make room on that disk: a full one stops journal and call records';
  if (least < leastSpace.failedBytes) return failed(detail, cure);
  return least < leastSpace.warningBytes ? warning(detail, cure) : ok(detail);
}
