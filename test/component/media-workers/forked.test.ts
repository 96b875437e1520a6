import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/lib/clock.js';
import { systemIds, type CallId } from '../../../src/lib/ids.js';
import { forkWorker } from '../../../src/media/workers/forked-channel.js';
import type { WorkerChannel } from '../../../src/media/workers/worker-channel.js';
import { WorkerMediaEngine } from '../../../src/media/workers/worker-media-engine.js';
import { isAlive } from '../../support/is-alive.js';
import { builtWorkerEntry } from '../../support/media-workers.js';
import { rtpPorts } from '../../support/ports.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { runsOf } from '../../support/runs.js';
import { RtpPeer } from '../../support/rtp-peer.js';
import { until } from '../../support/until.js';

const settings = {
  ...{ listenIp: '127.0.0.1', advertisedIp: '', remoteNetworks: ['127.0.0.0/8'] },
  ...{ rtpPorts, webrtcPorts: [0, 0] as const },
};
const startMs = 20_000;
const { runs: calls, timeoutMs: callsMs } = runsOf(40, 60_000);
/** werift's timers of a call that ended stay up to half a minute; sockets must not. */
const socketsMs = 5000;

/** Real workers, made of the sources as they are. */
class Scene {
  readonly logger = new RecordingLogger();
  readonly channels: WorkerChannel[] = [];
  readonly engine: WorkerMediaEngine;

  constructor(workers: number) {
    const launch = (name: string): WorkerChannel => {
      const channel = forkWorker(name, builtWorkerEntry());
      this.channels.push(channel);
      return channel;
    };
    const { logger } = this;
    this.engine = new WorkerMediaEngine({ workers, settings, launch, logger, clock: systemClock, ids: systemIds });
  }

  get pid(): number {
    return this.engine.statuses[0]?.pid ?? NaN;
  }

  messages(): string[] {
    return this.logger.lines.map(({ message }) => message);
  }

  /** One side's whole life. */
  async callToPbx(call: string, pbx: RtpPeer): Promise<void> {
    const options = { call: call as CallId, codecs: ['PCMA'] as const, remoteNetworks: settings.remoteNetworks };
    const rtp = await this.engine.createRtpEndpoint(options);
    expect(await rtp.createOffer()).toContain(`m=audio ${rtp.rtpPort} `);
    await rtp.acceptAnswer(pbx.sdp({ ptimeMs: 20 }));
    const whatsApp = await this.engine.createWebRtcEndpoint({ call: call as CallId });
    expect(await whatsApp.createOffer()).toContain('a=fingerprint:sha-256');
    const bridge = this.engine.createBridge(call as CallId);
    bridge.connect(rtp.id, whatsApp.id);
    expect((await rtp.stats()).codec).toBe('PCMA');
    bridge.disconnect();
    await Promise.all([rtp.close(), whatsApp.close()]);
  }
}

describe('a worker in a process of its own', () => {
  let scene: Scene;
  let pbx: RtpPeer | undefined;
  afterEach(async () => {
    pbx?.close();
    pbx = undefined;
    await scene.engine.stop();
    for (const { pid } of scene.channels) expect(isAlive(pid!)).toBe(false);
  });

  it('leaves nothing open after calls, on either side', { timeout: callsMs }, async () => {
    scene = new Scene(1);
    await scene.engine.start();
    pbx = await RtpPeer.open();
    await scene.callToPbx('first', pbx);
    const { pid } = scene;
    const before = { fds: handles(pid), timers: process.getActiveResourcesInfo().length };
    for (let i = 0; i < calls; i++) await scene.callToPbx(`call ${i}`, pbx);
    expect(scene.engine.statuses[0]).toMatchObject({ calls: 0, isReady: true, lost: 0 });
    await until(() => handles(pid) <= before.fds, 'sockets of the worker closed', socketsMs);
    await until(() => scene.engine.statuses[0]?.load?.endpoints === 0, 'no endpoint', socketsMs);
    expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before.timers);
  });

  it('ignores what a terminal or a service manager sends to the whole group', async () => {
    scene = new Scene(1);
    await scene.engine.start();
    pbx = await RtpPeer.open();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(scene.pid, signal);
    await scene.callToPbx('a', pbx);
    expect(scene.engine.statuses[0]).toMatchObject({ isReady: true, lost: 0 });
  });

  it('gets none of our environment that is not its business', async () => {
    process.env['SIP2WA_SECRET_OF_THE_TEST'] = 'secret';
    scene = new Scene(1);
    await scene.engine.start();
    delete process.env['SIP2WA_SECRET_OF_THE_TEST'];
    const { readFileSync } = await import('node:fs');
    const environment = readFileSync(`/proc/${scene.pid}/environ`, 'utf8');
    expect(environment).toContain('PATH=');
    expect(environment).not.toContain('SIP2WA_');
    expect(readFileSync(`/proc/${scene.pid}/cmdline`, 'utf8')).toContain('sip2wa media 1');
  });

  it('says what went wrong before a fault ends it, and is replaced', async () => {
    scene = new Scene(1);
    await scene.engine.start();
    scene.channels[0]!.post({ type: 'nonsense' });
    await until(() => scene.messages().includes('media worker ended'), 'end');
    const fault = scene.logger.lines.find(({ message }) => message.startsWith('fault'));
    expect(fault).toMatchObject({ level: 'error', fields: { worker: '1', err: { code: 'SIP2WA_MEDIA_WORKER' } } });
    const end = scene.logger.lines.find(({ message }) => message === 'media worker ended');
    expect(end?.fields['why']).toBe('exit status 1');
    await until(() => scene.channels.length === 2 && scene.engine.statuses[0]!.isReady, 'replacement', startMs);
  });

  it('that cannot be started says why', async () => {
    const logger = new RecordingLogger();
    scene = new Scene(1);
    const launch = (name: string): WorkerChannel => forkWorker(name, new URL('./no-such-file.js', import.meta.url));
    const engine = new WorkerMediaEngine({
      ...{ workers: 1, settings, launch, logger, clock: systemClock, ids: systemIds },
    });
    await expect(engine.start()).rejects.toThrow('no media worker could be started');
    await engine.stop();
    const end = logger.lines.find(({ message }) => message === 'media worker ended');
    expect(end?.fields['why']).toMatch(/^exit status 1: .*no-such-file/s);
  });

  it('ends at once when signalling is killed, and its ports are free', async () => {
    scene = new Scene(0);
    const parent = spawn(process.execPath, ['--input-type=module', '-e', parentProgram()], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(createInterface(parent.stdout), 'line', startMs);
    const { pid, rtpPort } = JSON.parse(String(line)) as { pid: number; rtpPort: number };
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    await until(() => !isAlive(pid), 'end of the worker', 2000);
    const { createSocket } = await import('node:dgram');
    const socket = createSocket('udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ port: rtpPort, address: '127.0.0.1', exclusive: true }, resolve);
    });
    socket.close();
  });
});

/** Signalling with one worker and an endpoint in it; tells of both, and stays. */
function parentProgram(): string {
  const at = (path: string): string => JSON.stringify(new URL(path, builtWorkerEntry()).href);
  return `
    const { WorkerMediaEngine } = await import(${at('./worker-media-engine.js')});
    const { forkWorker } = await import(${at('./forked-channel.js')});
    const { systemClock } = await import(${at('../../lib/clock.js')});
    const { systemIds } = await import(${at('../../lib/ids.js')});
    const { silentLogger } = await import(${at('../../lib/logger.js')});
    const engine = new WorkerMediaEngine({
      workers: 1, settings: ${JSON.stringify(settings)}, launch: (name) => forkWorker(name),
      clock: systemClock, ids: systemIds, logger: silentLogger,
    });
    await engine.start();
    const { rtpPort } = await engine.createRtpEndpoint({ call: 'a', codecs: ['PCMA'], remoteNetworks: ['127.0.0.0/8'] });
    console.log(JSON.stringify({ pid: engine.statuses[0].pid, rtpPort }));
    setInterval(() => undefined, 1000);
  `;
}

/** What a process has open. */
function handles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function once(source: NodeJS.EventEmitter, event: string, deadlineMs: number): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${event} within ${deadlineMs} ms`)), deadlineMs);
    source.once(event, (...args: unknown[]) => {
      clearTimeout(timer);
      resolve(args);
    });
  });
}
