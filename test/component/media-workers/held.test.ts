import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../../src/lib/clock.js';
import { systemIds } from '../../../src/lib/ids.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { forkWorker } from '../../../src/media/workers/forked-channel.js';
import { WorkerMediaEngine } from '../../../src/media/workers/worker-media-engine.js';
import { FleetCall } from '../../support/media/fleet-call.js';
import { builtWorkerEntry } from '../../support/media-workers.js';
import { rtpPorts } from '../../support/ports.js';
import { runsOf } from '../../support/runs.js';
import { until } from '../../support/until.js';

/** In full: 40 calls beside 40 others (SIP2WA_RUNS=2). Fewer would show more of what the compilers make than of calls. */
const { runs: calls, timeoutMs } = runsOf(20, 90_000);
const atOnce = 4;
const mostKibPerCall = 300;
const saidPackets = 100;

const folder = mkdtempSync(join(tmpdir(), 'sip2wa-held-'));
const figures = join(folder, 'memory.json');
const settings = {
  ...{ listenIp: '127.0.0.1', advertisedIp: '', remoteNetworks: ['127.0.0.0/8'] },
  ...{ rtpPorts, webrtcPorts: [0, 0] as const },
};

/** A real worker that collects its garbage and writes down what is left, once it gets SIGUSR2. */
function measuredEntry(): URL {
  const entry = new URL('./measured-worker.js', builtWorkerEntry());
  const source = `
    import { writeFileSync, renameSync } from 'node:fs';
    process.on('SIGUSR2', () => {
      gc(); gc();
      const { heapUsed, external } = process.memoryUsage();
      writeFileSync('${figures}.new', String(heapUsed + external));
      renameSync('${figures}.new', '${figures}');
    });
    await import('./worker-main.js');`;
  writeFileSync(fileURLToPath(entry), source);
  return entry;
}

const engine = new WorkerMediaEngine({
  ...{ workers: 1, settings, clock: systemClock, ids: systemIds, logger: silentLogger },
  launch: (name) => forkWorker(name, measuredEntry(), ['--expose-gc']),
});

afterEach(async () => {
  await engine.stop();
  rmSync(folder, { recursive: true });
});

async function bytesHeld(): Promise<number> {
  rmSync(figures, { force: true });
  process.kill(engine.statuses[0]!.pid!, 'SIGUSR2');
  await until(() => existsSync(figures), 'figures of the worker', 10_000);
  return Number(readFileSync(figures, 'utf8'));
}

/** Calls that hand Opus on, up and talking. */
async function talking(first: number): Promise<FleetCall[]> {
  const all = Array.from({ length: calls }, (_, i) => {
    const direction = i % 2 === 0 ? 'user-initiated' : 'business-initiated';
    return new FleetCall({ engine, index: first + i, codec: 'opus', direction });
  });
  for (let i = 0; i < calls; i += atOnce) {
    await Promise.all(
      all.slice(i, i + atOnce).map(async (call) => {
        await call.setUp();
        await call.up(20_000);
      }),
    );
  }
  for (let i = 0; i < saidPackets; i++) {
    for (const call of all) call.say();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return all;
}

it(
  `${calls} calls more that are held, Opus handed on, weigh under ${mostKibPerCall} KiB each in their worker`,
  async () => {
    await engine.start();
    // The first ones make what is made once; as none of them ends, none leaves anything to be collected.
    const first = await talking(0);
    const before = await bytesHeld();
    const held = [...first, ...(await talking(calls))];
    const kibPerCall = ((await bytesHeld()) - before) / calls / 1024;
    expect(held.flatMap(({ failure }) => failure ?? [])).toEqual([]);
    expect(engine.statuses[0]?.calls).toBe(2 * calls);
    for (const call of held) await call.close();
    if (process.env['SIP2WA_RUNS']) process.stdout.write(`${kibPerCall.toFixed(0)} KiB a held call\n`);
    expect(kibPerCall).toBeLessThan(mostKibPerCall);
    // Less would be no call.
    expect(kibPerCall).toBeGreaterThan(20);
  },
  timeoutMs,
);
