import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Where the machine says what this process may use; tests show another. */
export interface CoreSources {
  /** Contents of a file; undefined if it cannot be read. */
  readonly read: (path: string) => string | undefined;
  /** Cores that this process may run on (affinity). */
  readonly parallelism: () => number;
}

const system: CoreSources = {
  read: (path) => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return undefined;
    }
  },
  parallelism: availableParallelism,
};

const mount = '/sys/fs/cgroup';

/**
 * Cores that this process can really keep busy: those it may run on, but no more than the quota of its control groups pays for
 * (a container with `--cpus`, a unit with `CPUQuota=`). At least 1. Half a core more counts as one: a worker can use it.
 */
export function availableCores({ read, parallelism }: CoreSources = system): number {
  const groups = groupsOf(read('/proc/self/cgroup') ?? '');
  const quotas = [
    ...pathsUp(groups.unified).map((path) => unifiedQuota(read(`${mount}${path}/cpu.max`))),
    ...['cpu', 'cpu,cpuacct'].flatMap((controller) =>
      pathsUp(groups.cpu).map((path) => legacyQuota((file) => read(`${mount}/${controller}${path}/${file}`))),
    ),
  ];
  const least = Math.min(...quotas.map((quota) => quota ?? Infinity));
  return Math.max(1, Math.min(parallelism(), least === Infinity ? Infinity : Math.round(least)));
}

/** Paths of this process in the unified hierarchy (version 2) and in that of the cpu controller (version 1). */
function groupsOf(text: string): { unified: string; cpu: string } {
  const lines = text.split('\n').map((line) => /^\d+:([^:]*):(\/.*)$/.exec(line));
  const pathOf = (isIt: (controllers: readonly string[]) => boolean): string =>
    lines.find((line) => line !== null && isIt((line[1] ?? '').split(',')))?.[2] ?? '/';
  return { unified: pathOf(([first]) => first === ''), cpu: pathOf((controllers) => controllers.includes('cpu')) };
}

/** The group, those above it, and the root: where the namespace shows this process's own group as the root, that alone is there. */
function pathsUp(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '..');
  return Array.from({ length: parts.length + 1 }, (_, left) =>
    parts
      .slice(0, left)
      .map((part) => `/${part}`)
      .join(''),
  );
}

/** `max 100000`, or `150000 100000`: microseconds of processor time in each period. */
function unifiedQuota(text: string | undefined): number | undefined {
  const [quota = '', period = ''] = (text ?? '').trim().split(/\s+/);
  return share(quota, period);
}

function legacyQuota(read: (file: string) => string | undefined): number | undefined {
  return share((read('cpu.cfs_quota_us') ?? '').trim(), (read('cpu.cfs_period_us') ?? '').trim());
}

/** Undefined for none: `max`, -1, nothing. */
function share(quota: string, period: string): number | undefined {
  if (!/^\d+$/.test(quota) || !/^\d+$/.test(period) || Number(period) === 0 || Number(quota) === 0) return undefined;
  return Number(quota) / Number(period);
}
