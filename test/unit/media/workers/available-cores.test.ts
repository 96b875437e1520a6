import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { availableCores } from '../../../../src/media/workers/available-cores.js';

/** A machine with these files, on which so many cores may be used. */
const on = (parallelism: number, files: Readonly<Record<string, string>>): number =>
  availableCores({ read: (path) => files[path], parallelism: () => parallelism });

const unified = { '/proc/self/cgroup': '0::/system.slice/sip2wa.service\n' };
const own = '/sys/fs/cgroup/system.slice/sip2wa.service/cpu.max';
const slice = '/sys/fs/cgroup/system.slice/cpu.max';
const legacy = { '/proc/self/cgroup': '12:memory:/docker/ab\n4:cpu,cpuacct:/docker/ab\n1:name=systemd:/docker/ab\n' };

describe('cores that can be used', () => {
  it('are those of the machine, or of the affinity, where nothing is limited', () => {
    expect(on(8, {})).toBe(8);
    expect(on(8, { ...unified, [own]: 'max 100000\n', [slice]: 'max 100000\n' })).toBe(8);
    expect(on(3, { ...unified, [own]: '800000 100000\n' })).toBe(3);
    expect(on(0, {})).toBe(1);
  });

  it.each([
    ['two cores', '200000 100000\n', 2],
    ['a core and a half, which a second worker can use', '150000 100000\n', 2],
    ['a core and a bit', '120000 100000\n', 1],
    ['a tenth of a core', '10000 100000\n', 1],
    ['a quota with another period', '250000 50000\n', 5],
    ['nonsense', 'lots of it\n', 16],
    ['a period of nothing', '100000 0\n', 16],
    ['nothing', '', 16],
  ])('version 2: %s', (_, text, cores) => expect(on(16, { ...unified, [own]: text })).toBe(cores));

  it('version 2: the least quota of the group and of those above it, and of a container that sees its own group as the root', () => {
    expect(on(16, { ...unified, [own]: '800000 100000', [slice]: '300000 100000' })).toBe(3);
    expect(on(16, { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': '400000 100000' })).toBe(4);
    // Without a namespace of its own: the path is the host's, the files are not there.
    expect(on(16, { '/proc/self/cgroup': '0::/../../docker/ab', '/sys/fs/cgroup/cpu.max': '400000 100000' })).toBe(4);
  });

  it.each([
    ['cpu', '/docker/ab', '250000', 3],
    ['cpu,cpuacct', '/docker/ab', '200000', 2],
    ['cpu', '', '200000', 2],
    ['cpu', '', '-1', 16],
  ])('version 1, mounted as %s at "%s": a quota of %s µs in 100 ms', (mounted, path, quota, cores) => {
    const folder = `/sys/fs/cgroup/${mounted}${path}`;
    const files = { [`${folder}/cpu.cfs_quota_us`]: `${quota}\n`, [`${folder}/cpu.cfs_period_us`]: '100000\n' };
    expect(on(16, { ...legacy, ...files })).toBe(cores);
  });

  it('on this machine are some, and no more than Node counts', () => {
    expect(availableCores()).toBeGreaterThanOrEqual(1);
    expect(availableCores()).toBeLessThanOrEqual(availableParallelism());
  });
});
