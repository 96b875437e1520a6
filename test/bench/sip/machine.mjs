import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, loadavg, release, totalmem } from 'node:os';

const MIB = 1024 * 1024;
/** Processes of others that want to run, one minute's mean, above which figures cannot be trusted. */
const QUIET_LOAD = 0.5;

/** The cores this process may use; empty where that cannot be read. */
function allowedCores() {
  try {
    const line = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
    return line.split(',').flatMap((part) => {
      const [from, to = from] = part.split('-').map(Number);
      return Array.from({ length: to - from + 1 }, (_none, index) => from + index);
    });
  } catch {
    return [];
  }
}

/**
 * Gives the measured process one core and this one, which makes the load, another. Without `taskset`, or with one core,
 * nothing is pinned, and the figures say so.
 */
export function divideCores() {
  const [measured, load] = allowedCores();
  if (load === undefined) return { measured: undefined, load: undefined };
  const pinned = spawnSync('taskset', ['-a', '-c', '-p', String(load), String(process.pid)], { stdio: 'ignore' });
  return pinned.status === 0 ? { measured, load } : { measured: undefined, load: undefined };
}

/** Machine and versions, for the record. */
export function describeMachine(cores) {
  const processors = cpus();
  const srf = createRequire(import.meta.url)('drachtio-srf/package.json');
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    pinned: cores.measured !== undefined,
    memory_mib: Math.round(totalmem() / MIB),
    kernel: release(),
    node: process.version,
    drachtio_srf: srf.version,
    date: new Date().toISOString().slice(0, 10),
  };
}

/** How busy others keep the machine; to be asked before any load is made. */
export function loadBefore() {
  const [minute = 0] = loadavg();
  return { load_before: Number(minute.toFixed(2)), quiet: minute <= QUIET_LOAD };
}

/** Time that the host gave to others so far, and all time, of all processors in ticks; zeros where no kernel tells. */
export function stolenTime() {
  try {
    const [, ...ticks] = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0].trim().split(/\s+/).map(Number);
    return { stolen: ticks[7] ?? 0, all: ticks.slice(0, 8).reduce((sum, each) => sum + each, 0) };
  } catch {
    return { stolen: 0, all: 0 };
  }
}

/** Of the time since: 0 to 1. */
export function stolenShareSince({ stolen, all }) {
  const now = stolenTime();
  return Number(((now.stolen - stolen) / Math.max(1, now.all - all)).toFixed(3));
}
