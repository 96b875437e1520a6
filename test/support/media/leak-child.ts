import { readdirSync } from 'node:fs';
import { systemIds } from '../../../src/lib/ids.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { WeriftMediaEngine } from '../../../src/media/werift-media-engine.js';
import { rtpPorts as ownPorts } from '../ports.js';
import { SkippableClock } from '../skippable-clock.js';
import { FleetCall } from './fleet-call.js';

/** What a process holds when no call is up. */
export interface Holdings {
  readonly heapBytes: number;
  readonly descriptors: number;
  readonly sockets: number;
  readonly timers: number;
}

/** What the parent gets; see `leaks.test.ts`. */
export interface LeakReport {
  readonly before: Holdings;
  readonly after: Holdings;
  readonly calls: number;
  /** PBX ports that could be had at the end, of as many as there are. */
  readonly ports: string;
}

const atOnce = 10;
const [first] = ownPorts;
/** No more pairs than a wave of calls takes: a port that is not given back is missed in the next one. */
const rtpPorts = [first, first + 2 * atOnce - 1] as const;
/** Longer than any port rests and any timer of an ended call may run. */
const laterMs = 35_000;

const clock = new SkippableClock();
const engine = new WeriftMediaEngine({
  ...{ listenIp: '127.0.0.1', advertisedIp: '', rtpPorts, webrtcPorts: [0, 0] },
  ...{ remoteNetworks: ['127.0.0.0/8'], logger: silentLogger, clock, ids: systemIds },
});
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function holdings(): Promise<Holdings> {
  clock.skip(laterMs);
  await turn();
  // The stacks of both sides have timers of their own, which no clock of ours moves; they have as long as that in earnest.
  const endMs = performance.now() + laterMs;
  while (performance.now() < endMs && process.getActiveResourcesInfo().includes('Timeout')) await pause(100);
  const collect = (globalThis as { gc?: () => void }).gc;
  if (!collect) throw new Error('needs --expose-gc');
  for (let i = 0; i < 4; i++) {
    collect();
    await turn();
  }
  const sockets = process.getActiveResourcesInfo().filter((name) => name === 'UDPWrap').length;
  const { heapUsed: heapBytes } = process.memoryUsage();
  return { heapBytes, sockets, descriptors: readdirSync('/proc/self/fd').length, timers: clock.armed };
}

/** Calls that are set up, talk a little and end, ten at a time. */
async function wave(first: number): Promise<void> {
  const calls = Array.from({ length: atOnce }, (_, i) => {
    const direction = i % 4 < 2 ? 'user-initiated' : 'business-initiated';
    return new FleetCall({ engine, index: first + i, codec: i % 2 === 0 ? 'opus' : 'PCMA', direction });
  });
  await Promise.all(calls.map((call) => call.setUp()));
  await Promise.all(calls.map((call) => call.up(20_000)));
  for (let i = 0; i < 3; i++) {
    for (const call of calls) call.say();
    await turn();
  }
  await Promise.all(calls.map((call) => call.close()));
  clock.skip(laterMs);
}

async function run(count: number): Promise<LeakReport> {
  await engine.start();
  // What is made once: compiled code, tables, the pools of the codecs.
  for (let i = 0; i < 5; i++) await wave(i * atOnce);
  const before = await holdings();
  for (let i = 0; i < count; i += atOnce) await wave(i);
  const after = await holdings();
  const open = await Promise.all(
    Array.from({ length: atOnce }, () =>
      engine.createRtpEndpoint({ call: 'last' as never, codecs: ['PCMA'], remoteNetworks: ['127.0.0.0/8'] }),
    ),
  );
  await Promise.all(open.map((endpoint) => endpoint.close()));
  return { before, after, calls: count, ports: `${open.length} of ${atOnce}` };
}

const report = await run(Number(process.argv[2]));
process.send?.(report);
await engine.stop();
process.disconnect();
