import { fork } from 'node:child_process';
import { expect, it } from 'vitest';
import { plainTree } from '../../support/plain-node.js';
import type { LeakReport } from '../../support/media/leak-child.js';
import { runsOf } from '../../support/runs.js';

/** In full: 1,000 calls made and ended (SIP2WA_RUNS=10). */
const { runs: calls, timeoutMs } = runsOf(100, 180_000);
const mostBytesPerCall = 2048;
/** What a garbage collector and a compiler leave behind, whatever the number of calls; it would hide a leak in a short run only. */
const noiseBytes = 300_000;

/** The compilers go on for thousands of calls; what they make, some kilobytes a call at first, is no call's. */
const execArgv = ['--expose-gc', '--no-opt', '--no-sparkplug'];

/** A process of its own: nothing of the test runner's in its heap. */
function measured(): Promise<LeakReport> {
  const tree = plainTree(['src', 'test/support']);
  const script = tree.path('test/support/media/leak-child.ts');
  const child = fork(script, [String(calls)], {
    execArgv,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  return new Promise<LeakReport>((resolve, reject) => {
    let report: LeakReport | undefined;
    child.on('message', (message) => (report = message as LeakReport));
    child.on('exit', (code) =>
      report && code === 0 ? resolve(report) : reject(new Error(`the child ended with ${code}`)),
    );
  }).finally(() => {
    child.kill();
    tree.remove();
  });
}

it(
  `${calls} calls made and ended leave no heap, socket, timer or port behind, 35 s later`,
  async () => {
    const report = await measured();
    const { before, after, ports } = report;
    const perCall = (after.heapBytes - before.heapBytes) / calls;
    const told = JSON.stringify({ ...report, bytesPerCall: Math.round(perCall) });
    if (process.env['SIP2WA_RUNS']) process.stdout.write(`${told}\n`);
    expect(after.heapBytes - before.heapBytes, told).toBeLessThan(Math.max(noiseBytes, mostBytesPerCall * calls));
    const { sockets, timers, descriptors } = after;
    expect({ sockets, timers, descriptors, ports }, told).toEqual({
      sockets: 0,
      timers: 0,
      descriptors: before.descriptors,
      ports: '10 of 10',
    });
  },
  timeoutMs,
);
