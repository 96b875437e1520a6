import { readdirSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

/** V8's threads in a Node process: four that compile and collect garbage (`--v8-pool-size`), and the one that wakes them. */
const helpers = 5;
/** The kernel numbers no thread higher (`pid_max`). */
const mostThreads = 2 ** 22;

export interface HelperThreadsOptions {
  /** A folder with an entry for each thread of this process. */
  readonly tasks?: string;
  readonly setPriority?: (thread: number, priority: number) => void;
}

/**
 * Lets V8's helper threads run only while nothing else wants their core. They are as eager as the thread that handles packets: on
 * a busy core one that compiles takes it away for 4 to 10 ms at a time, which all calls hear. Linux alone can do this (a thread is
 * a process to setpriority(2)); elsewhere all stays as it is. By number they are the first threads after the main one. Returns how
 * many there were.
 */
export function yieldHelperThreads(options: HelperThreadsOptions = {}): number {
  const { tasks = '/proc/self/task', setPriority: give = setPriority } = options;
  let threads: number[];
  try {
    threads = readdirSync(tasks).map(Number);
  } catch {
    return 0;
  }
  const others = threads.filter((thread) => thread !== process.pid).sort((a, b) => ageOf(a) - ageOf(b));
  return others.slice(0, helpers).filter((thread) => gives(give, thread)).length;
}

/** Threads are numbered as they are made; behind the highest number that there may be the lowest free one is next. */
function ageOf(thread: number): number {
  return thread < process.pid ? thread + mostThreads : thread;
}

/** False for a thread that has ended meanwhile, or where a sandbox forbids it: then it is as eager as before. */
function gives(give: (thread: number, priority: number) => void, thread: number): boolean {
  try {
    give(thread, constants.priority.PRIORITY_LOW);
    return true;
  } catch {
    return false;
  }
}
