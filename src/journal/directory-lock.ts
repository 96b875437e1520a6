import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readlinkSync, renameSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { createConnection, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { BridgeError } from '../lib/bridge-error.js';
import { withDeadline } from '../lib/deadline.js';

/** Name of the symbolic link that names its owner's socket. */
const LINK = 'lock';
/** Longest path of a socket, in bytes, that every system takes. */
const SOCKET_PATH_BYTES = 100;
const DEADLINE_MS = 2000;

/**
 * One daemon a directory. The owner listens on a Unix socket in it, which the kernel closes when the owner dies, however it
 * dies: process ids tell nothing where two containers share a volume. Which socket counts is said by a symbolic link, made in
 * one step with its content, also on a full disk. Holds among the processes of one host; the directory is not to be shared by
 * several.
 */
export class DirectoryLock {
  private constructor(
    private readonly dir: string,
    /** Name of the socket. */
    private readonly owner: string,
    private readonly server: Server,
  ) {}

  /**
   * Makes the directory if need be and takes its lock, also from an owner that is dead.
   * @throws BridgeError `SIP2WA_JOURNAL_IN_USE` naming the directory and the process that has it, `SIP2WA_JOURNAL_DIR` when
   * the directory cannot be used
   */
  static async take(dir: string): Promise<DirectoryLock> {
    const owner = `${LINK}.${process.pid}.${randomBytes(6).toString('hex')}`;
    try {
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      const server = await throughSocket(dir, owner, listenAt);
      const lock = new DirectoryLock(dir, owner, server);
      try {
        await claim(dir, owner);
      } catch (error) {
        lock.release();
        throw error;
      }
      return lock;
    } catch (cause) {
      if (cause instanceof BridgeError) throw cause;
      throw new BridgeError('SIP2WA_JOURNAL_DIR', `journal directory ${dir} cannot be used`, { cause });
    }
  }

  /** Lets the next one in. Idempotent. */
  release(): void {
    try {
      if (readlinkSync(join(this.dir, LINK)) === this.owner) unlinkSync(join(this.dir, LINK));
    } catch {
      // It is gone already, with its directory perhaps: nobody is kept out.
    }
    this.server.close();
    rmSync(join(this.dir, this.owner), { force: true });
  }
}

async function claim(dir: string, owner: string): Promise<void> {
  const link = join(dir, LINK);
  if (isMade(link, owner)) return;
  const present = readlinkSync(link);
  if (await throughSocket(dir, present, isAnswered)) throw inUse(dir, present);
  removeDead(dir, present);
  if (!isMade(link, owner)) throw inUse(dir, readlinkSync(link));
}

function isMade(link: string, owner: string): boolean {
  try {
    symlinkSync(owner, link);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Removes a dead owner's lock by renaming it first: of several that try, one gets it, and each sees what it got. */
function removeDead(dir: string, owner: string): void {
  const link = join(dir, LINK);
  const aside = `${link}.${randomBytes(6).toString('hex')}`;
  renameSync(link, aside);
  const taken = readlinkSync(aside);
  unlinkSync(aside);
  if (taken === owner) return rmSync(join(dir, owner), { force: true });
  // Somebody else was faster, and this was the new lock: it goes back.
  symlinkSync(taken, link);
  throw inUse(dir, taken);
}

/** Hands over a path of the socket that is short enough for the system: long ones go by way of the open directory. */
async function throughSocket<T>(dir: string, name: string, use: (path: string) => Promise<T>): Promise<T> {
  const path = join(dir, name);
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES) return use(path);
  const directory = openSync(dir, 'r');
  try {
    return await use(`/proc/self/fd/${directory}/${name}`);
  } finally {
    closeSync(directory);
  }
}

function listenAt(path: string): Promise<Server> {
  const server = createServer((caller) => caller.destroy()).unref();
  const listening = new Promise<Server>((resolve, reject) => {
    // It stays: whoever cannot be accepted knows by then that somebody listens.
    server.on('error', reject).listen(path, () => resolve(server));
  });
  return withDeadline(listening, DEADLINE_MS, 'lock of the journal directory');
}

/** Whether a process listens there. Only the kernel's word that none does counts as no. */
function isAnswered(path: string): Promise<boolean> {
  const caller = createConnection(path);
  const answer = new Promise<boolean>((resolve) => {
    caller.on('connect', () => resolve(true));
    caller.on('error', (error) => resolve(!['ECONNREFUSED', 'ENOENT'].includes(codeOf(error))));
  });
  return withDeadline(answer, DEADLINE_MS, 'owner of the journal directory')
    .catch(() => true)
    .finally(() => caller.destroy());
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? '';

const inUse = (dir: string, owner: string): BridgeError =>
  new BridgeError(
    'SIP2WA_JOURNAL_IN_USE',
    `journal directory ${dir} is in use by process ${owner.split('.')[1] ?? ''}`,
  );
