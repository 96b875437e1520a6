/** What a piece of work costs, in milliseconds: its time, or the processor's where the machine did other things meanwhile. */
export function costMs(work: () => void): number {
  const startMs = performance.now();
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return Math.min(performance.now() - startMs, (user + system) / 1000);
}
