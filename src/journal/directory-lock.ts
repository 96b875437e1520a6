import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, readlinkSync, renameSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { BridgeError } from '../lib/bridge-error.js';

/**
 * One daemon a directory. The lock is a symbolic link that names its owner: made in one step with its content, also on a full
 * disk. The owner is a process id and the time when that process began, so that neither a reused id nor the same id in the
 * next container keeps a dead owner's lock.
 */
export class DirectoryLock {
  private constructor(
    private readonly path: string,
    private readonly owner: string,
  ) {}

  /**
   * Makes the directory if need be and takes its lock, also from an owner that is dead.
   * @throws BridgeError `SIP2WA_JOURNAL_IN_USE` naming the directory and the process that has it, `SIP2WA_JOURNAL_DIR` when
   * the directory cannot be used
   */
  static take(dir: string): DirectoryLock {
    const path = join(dir, 'lock');
    const owner = `${process.pid}.${startOf(process.pid)}`;
    try {
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      if (!isMade(path, owner)) {
        remove(path, dir);
        if (!isMade(path, owner)) throw inUse(dir, readlinkSync(path));
      }
    } catch (cause) {
      if (cause instanceof BridgeError) throw cause;
      throw new BridgeError('SIP2WA_JOURNAL_DIR', `journal directory ${dir} cannot be used`, { cause });
    }
    return new DirectoryLock(path, owner);
  }

  /** Lets the next one in. Idempotent. */
  release(): void {
    try {
      if (readlinkSync(this.path) === this.owner) unlinkSync(this.path);
    } catch {
      // It is gone already, with its directory perhaps: nobody is kept out.
    }
  }
}

function isMade(path: string, owner: string): boolean {
  try {
    symlinkSync(owner, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes a dead owner's lock by renaming it first: of several that try, one gets it, and each sees what it got. */
function remove(path: string, dir: string): void {
  const owner = readlinkSync(path);
  if (isAlive(owner)) throw inUse(dir, owner);
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  renameSync(path, aside);
  const taken = readlinkSync(aside);
  unlinkSync(aside);
  if (taken === owner) return;
  // Somebody else was faster, and this was the new lock: it goes back.
  symlinkSync(taken, path);
  throw inUse(dir, taken);
}

function isAlive(owner: string): boolean {
  const [pid = 0, start = ''] = owner.split('.');
  // Our own id cannot be another's: it is from an earlier run in a container of the same shape.
  if (Number(pid) === process.pid || !(Number(pid) > 0)) return false;
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const startNow = startOf(Number(pid));
  if (startNow === 'dead') return false;
  return start === '' || startNow === '' || start === startNow;
}

/**
 * When a process began, in clock ticks since the host did: field 22 of `/proc/PID/stat`; empty where there is none, `dead` for one
 * that was killed and that its parent has not looked after yet.
 */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? 'dead' : (fields[19] ?? '');
  } catch {
    return '';
  }
}

const inUse = (dir: string, owner: string): BridgeError =>
  new BridgeError(
    'SIP2WA_JOURNAL_IN_USE',
    `journal directory ${dir} is in use by process ${owner.split('.')[0] ?? ''}`,
  );
