import { readFileSync } from 'node:fs';

/**
 * How long the main thread of a process has stood ready to run while every core was given to others, in milliseconds since it
 * began (second number of /proc/PID/schedstat). Next to nothing on a machine that has nothing else to do, and what a time limit
 * has to leave out on one that has. 0 for a process that is gone, or where the kernel does not keep it.
 */
export function withheldMs(pid: number): number {
  try {
    const [, waitedNs] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').trim().split(' ');
    return Number(waitedNs ?? 0) / 1e6;
  } catch {
    return 0;
  }
}
