import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import type { EndReason } from '../../../src/call/end-reason.js';
import { systemClock } from '../../../src/lib/clock.js';
import { systemIds, type CallId } from '../../../src/lib/ids.js';
import type { MediaEndpoint } from '../../../src/media/media-engine.js';
import { forkWorker } from '../../../src/media/workers/forked-channel.js';
import type { WorkerChannel } from '../../../src/media/workers/worker-channel.js';
import { WorkerMediaEngine } from '../../../src/media/workers/worker-media-engine.js';
import { isAlive } from '../../support/is-alive.js';
import { builtWorkerEntry } from '../../support/media-workers.js';
import { rtpPorts } from '../../support/ports.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { until } from '../../support/until.js';

const settings = {
  ...{ listenIp: '127.0.0.1', advertisedIp: '', remoteNetworks: ['127.0.0.0/8'] },
  ...{ rtpPorts, webrtcPorts: [0, 0] as const },
};
const startMs = 30_000;
/** V8 tries hard, and says much, before it gives up; others use the processor as well. */
const deathMs = 20_000;
const heapLimit = ['--max-old-space-size=64'];

/** A real worker that does this once it gets SIGUSR2. */
function entryThat(name: string, does: string): URL {
  const entry = new URL(`./${name}.js`, builtWorkerEntry());
  writeFileSync(fileURLToPath(entry), `process.on('SIGUSR2', () => { ${does} });\nawait import('./worker-main.js');\n`);
  return entry;
}

/** As a leak would, a little at a time. */
const leaks = `
  const hoard = [];
  const more = () => { for (let i = 0; i < 20_000; i++) hoard.push({ i, text: 'leak ' + i }); setTimeout(more, 1); };
  more();`;
/** Nearly all the time; packets would wait for 15 ms on average. */
const toils = `
  setInterval(() => { const until = performance.now() + 30; while (performance.now() < until); }, 1);`;

class Scene {
  readonly logger = new RecordingLogger();
  readonly startsAtMs: number[] = [];
  readonly endsAtMs: number[] = [];
  readonly channels: WorkerChannel[] = [];
  readonly engine: WorkerMediaEngine;

  constructor(workers: number, entry: URL, nodeOptions: readonly string[]) {
    const launch = (name: string): WorkerChannel => {
      this.startsAtMs.push(performance.now());
      const channel = forkWorker(name, entry, nodeOptions);
      this.channels.push(channel);
      const onEnd = channel.onEnd.bind(channel);
      channel.onEnd = (listener) => {
        onEnd((why) => {
          this.endsAtMs.push(performance.now());
          listener(why);
        });
      };
      return channel;
    };
    const { logger } = this;
    this.engine = new WorkerMediaEngine({ workers, settings, launch, logger, clock: systemClock, ids: systemIds });
  }

  /** Process ids of the workers that are up. */
  get pids(): number[] {
    return this.engine.statuses.flatMap(({ pid }) => pid ?? []);
  }

  /** Both legs of a call in one worker; the reasons that they were told, in the order in which they were. */
  async call(name: string): Promise<{ pid: number; told: EndReason[]; legs: MediaEndpoint[] }> {
    const call = name as CallId;
    const before = new Map(this.engine.statuses.map(({ pid, calls }) => [pid, calls]));
    const options = { call, codecs: ['PCMA'] as const, remoteNetworks: settings.remoteNetworks };
    const legs = [await this.engine.createRtpEndpoint(options), await this.engine.createWebRtcEndpoint({ call })];
    const told: EndReason[] = [];
    for (const leg of legs) {
      leg.listen((event) => {
        if (event.type === 'failed') told.push(event.reason);
      });
    }
    const worker = this.engine.statuses.find(({ pid, calls }) => calls > (before.get(pid) ?? 0));
    return { pid: worker?.pid ?? NaN, told, legs };
  }
}

describe('a worker that exhausts', () => {
  let scene: Scene;
  afterEach(async () => {
    await scene.engine.stop();
    await until(() => scene.channels.every(({ pid }) => pid === undefined || !isAlive(pid)), 'end of all workers');
  });

  it('its memory dies alone: both legs of its call are told, the other call goes on, another worker takes its place', async () => {
    scene = new Scene(2, entryThat('leaking-worker', leaks), heapLimit);
    await scene.engine.start();
    await until(() => scene.pids.length === 2, 'both workers', startMs);
    const [first, second] = [await scene.call('first'), await scene.call('second')];
    expect(first.pid).not.toBe(second.pid);

    process.kill(first.pid, 'SIGUSR2');
    await until(() => first.told.length === 2, 'both legs told', deathMs);
    expect(first.told.map(({ code, text }) => `${code}: ${text}`)).toEqual(
      Array<string>(2).fill('internal: the media worker ended'),
    );
    expect(second.told).toEqual([]);
    expect((await second.legs[0]!.stats()).packetsReceived).toBe(0);
    const end = scene.logger.lines.find(({ message }) => message === 'media worker ended');
    expect(end?.fields).toMatchObject({ calls: 1, pid: first.pid });
    expect(String(end?.fields['why'])).toContain('heap');

    await until(() => scene.pids.length === 2 && !scene.pids.includes(first.pid), 'replacement', startMs);
    expect(scene.engine.statuses.map(({ lost }) => lost).sort()).toEqual([0, 1]);
    const third = await scene.call('third');
    expect([third.pid, second.pid]).toEqual(expect.arrayContaining(scene.pids));
    await Promise.all([...second.legs, ...third.legs].map((leg) => leg.close()));
  }, 90_000);

  it('its memory each time it starts is started ever more seldom', async () => {
    // Too little for Node itself.
    scene = new Scene(1, builtWorkerEntry(), ['--max-old-space-size=2']);
    await expect(scene.engine.start()).rejects.toThrow('no media worker could be started');
    await until(() => scene.startsAtMs.length >= 5, 'five starts', 60_000);
    const waits = scene.startsAtMs.slice(1).map((atMs, i) => atMs - scene.endsAtMs[i]!);
    for (const [i, leastMs] of [100, 200, 400, 800].entries()) {
      expect(waits[i], `wait ${i}`).toBeGreaterThanOrEqual(leastMs - 5);
      expect(waits[i], `wait ${i}`).toBeLessThan(leastMs + 1500);
    }
    expect(scene.engine.statuses[0]).toMatchObject({ isReady: false, lost: scene.endsAtMs.length });
  }, 90_000);

  it('its processor codes Opus with less effort, and says so', async () => {
    scene = new Scene(1, entryThat('toiling-worker', toils), []);
    await scene.engine.start();
    expect(scene.engine.statuses[0]?.load?.opusComplexity).toBe(5);
    process.kill(scene.pids[0]!, 'SIGUSR2');
    await until(() => scene.engine.statuses[0]?.load?.opusComplexity === 0, 'the least effort', 20_000);
    const steps = scene.logger.lines.filter(({ message }) => message.startsWith('Opus is coded with less effort'));
    expect(steps.map(({ level, fields }) => `${level} ${String(fields['complexity'])}`)).toEqual([
      'warn 3',
      'warn 1',
      'warn 0',
    ]);
    expect(scene.engine.statuses[0]).toMatchObject({ isReady: true, lost: 0 });
  }, 60_000);
});
