import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../src/lib/clock.js';
import type { CallId, IdSource } from '../../../../src/lib/ids.js';
import type { LogLevels } from '../../../../src/lib/logger.js';
import type { MediaEndpointEvent, RtpEndpoint, WebRtcEndpoint } from '../../../../src/media/media-engine.js';
import { MediaError } from '../../../../src/media/media-error.js';
import { WorkerMediaEngine } from '../../../../src/media/workers/worker-media-engine.js';
import type { ToWorker, WorkerLoad } from '../../../../src/media/workers/worker-messages.js';
import { FakeMedia } from '../../../support/bridge/fake-media.js';
import { settled } from '../../../support/eventually.js';
import { RecordingLogger } from '../../../support/recording-logger.js';
import { quietLoad, WorkerDouble } from '../../../support/worker-double.js';

const settings = {
  ...{ listenIp: '127.0.0.1', advertisedIp: '', remoteNetworks: ['127.0.0.0/8'] },
  ...{ rtpPorts: [20_000, 20_999] as const, webrtcPorts: [10_000, 10_999] as const },
};
const callOf = (name: string): CallId => name as CallId;

/** Several worker doubles behind the engine. */
class Scene {
  readonly clock = new FakeClock();
  readonly logger = new RecordingLogger();
  readonly workers: WorkerDouble[] = [];
  readonly medias: FakeMedia[] = [];
  setLevels: (levels: LogLevels) => void = () => undefined;
  /** What comes over a new worker before it does anything. */
  prepare: (worker: WorkerDouble) => void = () => undefined;
  readonly engine: WorkerMediaEngine;
  #lastId = 0;

  constructor(workers: number) {
    const ids: IdSource = { callId: () => callOf('none'), hex: () => `id-${++this.#lastId}` };
    this.engine = new WorkerMediaEngine({
      ...{ workers, settings, clock: this.clock, ids, logger: this.logger },
      levels: { watchLevels: (watcher) => (this.setLevels = watcher) },
      launch: (name) => {
        const media = new FakeMedia();
        const worker = new WorkerDouble(name, media);
        this.medias.push(media);
        this.workers.push(worker);
        this.prepare(worker);
        return worker;
      },
    });
  }

  static async started(workers = 2): Promise<Scene> {
    const scene = new Scene(workers);
    await scene.engine.start();
    await settled();
    return scene;
  }

  rtp(call: string): Promise<RtpEndpoint> {
    return this.engine.createRtpEndpoint({ call: callOf(call), codecs: ['PCMA'], remoteNetworks: [] });
  }

  webrtc(call: string): Promise<WebRtcEndpoint> {
    return this.engine.createWebRtcEndpoint({ call: callOf(call) });
  }

  get calls(): number[] {
    return this.engine.statuses.map(({ calls }) => calls);
  }

  /** What a worker was told, as `type`s. */
  told(index: number): string[] {
    return this.workers[index]!.heard.map((message) => ('question' in message ? message.question : message.type));
  }

  configured(index: number): Extract<ToWorker, { type: 'configure' }> {
    const [first] = this.workers[index]!.heard;
    if (first?.type !== 'configure') throw new Error('not configured first');
    return first;
  }

  /** Time passes, with all that follows from it; workers that do not hang report all the while. */
  async pass(ms: number, load: Partial<WorkerLoad> = quietLoad): Promise<void> {
    for (let left = ms; left > 0; left -= 500) {
      for (const worker of this.workers) worker.beat(load);
      await settled();
      this.clock.advance(Math.min(left, 500));
      await settled();
    }
  }
}

const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error instanceof MediaError ? `${error.endCode}: ${error.message}` : String(error)),
  );

const eventsOf = (endpoint: { listen(listener: (event: MediaEndpointEvent) => void): void }): string[] => {
  const seen: string[] = [];
  endpoint.listen((event) => seen.push(event.type === 'failed' ? `failed ${event.reason.code}` : event.type));
  return seen;
};

describe('the engine of workers', () => {
  let scene: Scene;
  afterEach(async () => {
    await scene.engine.stop();
    expect(scene.workers.map(({ ended }) => ended === undefined)).not.toContain(true);
    expect(scene.clock.armed).toBe(0);
  });

  it('gives each worker ports of its own and the levels of the log', async () => {
    scene = await Scene.started();
    expect(scene.configured(0).settings).toMatchObject({ rtpPorts: [20_000, 20_499], webrtcPorts: [10_000, 10_499] });
    expect(scene.configured(1).settings).toMatchObject({ rtpPorts: [20_500, 20_999], webrtcPorts: [10_500, 10_999] });
    const levels: LogLevels = { level: 'warn', calls: { a: 'debug' } };
    scene.setLevels(levels);
    await settled();
    for (const { heard } of scene.workers) expect(heard.at(-1)).toEqual({ type: 'levels', levels });
  });

  it('puts all of a call into one worker, calls that begin at once into the lightest', async () => {
    scene = await Scene.started();
    const first = ['a', 'b', 'c', 'd'].map((call) => scene.rtp(call));
    await Promise.all(first);
    expect(scene.calls).toEqual([2, 2]);
    const [a] = await Promise.all([scene.webrtc('a'), scene.rtp('a')]);
    expect(scene.calls).toEqual([2, 2]);
    expect(scene.medias.map(({ endpoints }) => endpoints.length).sort()).toEqual([2, 4]);
    await a.close();
    await Promise.all((await Promise.all(first)).map((endpoint) => endpoint.close()));
    expect(scene.calls.reduce((sum, calls) => sum + calls)).toBe(1);
  });

  it('spares a worker whose event loop is late, and refuses when all have been for two seconds', async () => {
    scene = await Scene.started();
    scene.workers[0]!.beat({ loopDelayMeanMs: 12 });
    await settled();
    for (const call of ['a', 'b', 'c']) await scene.rtp(call);
    expect(scene.calls).toEqual([0, 3]);
    // As many as it is late for, and no more: the others' burst does not all go to one.
    await scene.rtp('e');
    expect(scene.calls).toEqual([1, 3]);
    await scene.pass(2000, { loopDelayMs: 300, loopDelayMeanMs: 150 });
    expect(await failure(scene.rtp('d'))).toBe('limit: all media workers are overloaded');
    // A call that is up may still be transferred.
    expect(await failure(scene.rtp('a'))).toBe('none');
    await scene.pass(500);
    expect(await failure(scene.rtp('d'))).toBe('none');
  });

  it('joins endpoints in their worker by the ids of the engine there, and hears of silence', async () => {
    scene = await Scene.started(1);
    const [media, worker] = [scene.medias[0]!, scene.workers[0]!];
    const [a, b] = [await scene.webrtc('a'), await scene.rtp('a')];
    const bridge = scene.engine.createBridge(callOf('a'));
    const timeouts: string[] = [];
    bridge.onTimeout((kind) => timeouts.push(kind));
    bridge.prepare(b.id);
    bridge.connect(a.id, b.id);
    bridge.sendDtmf(b.id, '5', 100);
    await settled();
    media.bridges[0]!.timeOut('idle');
    await settled();
    expect(timeouts).toEqual(['idle']);
    bridge.disconnect();
    await settled();
    worker.say({ type: 'timeout', call: callOf('a'), kind: 'first' });
    await settled();
    expect(timeouts).toEqual(['idle']);
    expect(media.bridges[0]!.log).toEqual([
      ...['prepare rtp-1', 'connect webrtc-0 rtp-1', 'dtmf rtp-1 5 100', 'disconnect'],
    ]);
  });

  it('keeps events until somebody listens, and hands on those that come while an endpoint closes', async () => {
    scene = await Scene.started(1);
    const endpoint = await scene.rtp('a');
    const say = (event: MediaEndpointEvent): void =>
      scene.workers[0]!.say({ type: 'event', endpoint: endpoint.id, event });
    say({ type: 'first_packet' });
    await settled();
    const seen = eventsOf(endpoint);
    const closing = endpoint.close();
    say({ type: 'secured', suite: 'AES_CM_128_HMAC_SHA1_80' });
    await closing;
    say({ type: 'ice_connected' });
    await settled();
    expect(seen).toEqual(['first_packet', 'secured']);
    expect(scene.medias[0]!.endpoints.map(({ closed }) => closed)).toEqual([1]);
  });

  it('passes refusals of the media on as they are', async () => {
    scene = await Scene.started(1);
    const endpoint = await scene.rtp('a');
    expect(await failure(endpoint.acceptAnswer('unusable'))).toBe('no_codec: no common codec');
    scene.medias[0]!.mood = 'failing';
    expect(await failure(scene.rtp('b'))).toBe('media_failed: engine is failing');
    expect(scene.calls).toEqual([1]);
  });

  it('gives up an answer that does not come, and closes an endpoint that may still come', async () => {
    scene = await Scene.started(1);
    scene.medias[0]!.mood = 'held';
    const late = failure(scene.rtp('a'));
    await scene.pass(4000);
    expect(await late).toMatch(/took longer than 4000 ms/);
    scene.medias[0]!.release();
    await settled();
    expect(scene.medias[0]!.endpoints.map(({ closed }) => closed)).toEqual([1]);
    expect(scene.calls).toEqual([0]);
  });

  it('lets only eight set-ups go on in a worker, each until it is up, failed, closed or slow', async () => {
    scene = await Scene.started(1);
    const worker = scene.workers[0]!;
    const endpoints = await Promise.all(Array.from({ length: 12 }, (_, i) => scene.webrtc(`call ${i}`)));
    const started = (): number => scene.told(0).filter((what) => what === 'start').length;
    const starts = endpoints.map((endpoint) => failure(endpoint.start()));
    await settled();
    expect(started()).toBe(8);
    worker.say({ type: 'event', endpoint: endpoints[0]!.id, event: { type: 'dtls_connected' } });
    await settled();
    expect(started()).toBe(9);
    await endpoints[1]!.close();
    await settled();
    expect(started()).toBe(10);
    scene.clock.advance(250);
    await settled();
    expect(started()).toBe(12);
    expect(new Set(await Promise.all(starts))).toEqual(new Set(['none']));
  });

  it('fails what was in a worker that dies, tells each leg, and has it replaced while others go on', async () => {
    scene = await Scene.started();
    const [a, b] = [await scene.webrtc('a'), await scene.rtp('a')];
    const other = await scene.rtp('b');
    const seen = [a, b, other].map((endpoint) => eventsOf(endpoint));
    const index = scene.calls[0] === 1 && scene.medias[0]!.endpoints.length === 2 ? 0 : 1;
    scene.workers[index]!.mute = true;
    const asked = failure(a.createOffer());
    await settled();
    scene.workers[index]!.die('SIGKILL');
    expect(seen).toEqual([['failed internal'], ['failed internal'], []]);
    expect(await asked).toBe('internal: the media worker ended');
    expect(await failure(b.close())).toBe('none');
    expect(await failure(b.stats())).toBe('internal: the media worker ended');
    expect(scene.engine.statuses[index]).toMatchObject({ isReady: false, lost: 1, calls: 0 });
    expect(await failure(scene.rtp('c'))).toBe('none');
    await scene.pass(100);
    expect(scene.engine.statuses[index]).toMatchObject({ isReady: true, calls: 0 });
    // Its ports are used anew, those that calls had at last only after a rest.
    const { settings: given } = scene.configured(2);
    expect([given.rtpPorts, given.restingRtpPorts]).toEqual([scene.configured(index).settings.rtpPorts, [b.rtpPort]]);
    await other.close();
  });

  it('adds up what its workers use, and loses no count with one that dies', async () => {
    scene = await Scene.started();
    const transcoded = (frames: number) => [{ from: 'opus', to: 'PCMA', frames }];
    scene.workers[0]!.beat({ usage: { rtpPorts: 4, webrtcPorts: 2, transcoded: transcoded(100) } });
    scene.workers[1]!.beat({ usage: { rtpPorts: 2, webrtcPorts: 1, transcoded: transcoded(10) } });
    await settled();
    expect(scene.engine.usage).toEqual({ rtpPorts: 6, webrtcPorts: 3, transcoded: transcoded(110) });
    scene.workers[0]!.die('SIGKILL');
    expect(scene.engine.usage).toEqual({ rtpPorts: 2, webrtcPorts: 1, transcoded: transcoded(110) });
    await scene.pass(100);
    scene.workers[2]!.beat({ usage: { rtpPorts: 2, webrtcPorts: 1, transcoded: transcoded(5) } });
    scene.workers[1]!.beat({ usage: { rtpPorts: 2, webrtcPorts: 1, transcoded: transcoded(10) } });
    await settled();
    expect(scene.engine.usage).toEqual({ rtpPorts: 4, webrtcPorts: 2, transcoded: transcoded(115) });
  });

  it('tells all legs though one of them throws', async () => {
    scene = await Scene.started(1);
    const [a, b] = [await scene.rtp('a'), await scene.rtp('b')];
    a.listen(() => {
      throw new Error('fault in a leg');
    });
    const seen = eventsOf(b);
    scene.workers[0]!.die('exit status 1');
    expect(seen).toEqual(['failed internal']);
    expect(scene.logger.lines.map(({ message }) => message)).toContain('leg failed over the end of its media');
  });

  it('takes a worker for dead that says nothing for five seconds, or nonsense', async () => {
    scene = await Scene.started();
    const seen = eventsOf(await scene.rtp('a'));
    const index = scene.calls.indexOf(1);
    scene.workers[index]!.hangs = true;
    await scene.pass(4500);
    expect(seen).toEqual([]);
    await scene.pass(500);
    expect(seen).toEqual(['failed internal']);
    expect(scene.workers[index]!.ended).toBe('killed');
    scene.workers[1 - index]!.sayRaw({ type: 'event', endpoint: 5 });
    await settled();
    expect(scene.workers[1 - index]!.ended).toBe('killed');
    const ends = scene.logger.lines.filter(({ message }) => message === 'media worker ended');
    expect(ends.map(({ fields }) => fields['why'])).toEqual(['hangs', 'speaks nonsense']);
  });

  it('replaces a worker that keeps dying more and more slowly, and at once one that lived long', async () => {
    scene = await Scene.started(1);
    const waits: number[] = [];
    for (let i = 0; i < 10; i++) {
      const count = scene.workers.length;
      scene.workers.at(-1)!.die('exit status 1');
      const fromMs = scene.clock.monotonicMs();
      while (scene.workers.length === count) scene.clock.advance(100);
      waits.push(scene.clock.monotonicMs() - fromMs);
      await settled();
    }
    expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000]);
    await scene.pass(60_000);
    scene.workers.at(-1)!.die('exit status 1');
    await scene.pass(100);
    expect(scene.workers).toHaveLength(12);
    expect(scene.engine.statuses[0]).toMatchObject({ isReady: true, lost: 11 });
  });

  it('lets calls wait for the replacement of the only worker, not for long', async () => {
    scene = await Scene.started(1);
    scene.workers[0]!.die('SIGSEGV');
    const waiting = failure(scene.rtp('a'));
    await scene.pass(100);
    expect(await waiting).toBe('none');
    scene.prepare = (worker) => (worker.onConfigure = () => undefined);
    scene.workers[1]!.die('SIGSEGV');
    const waitingInVain = failure(scene.rtp('b'));
    await scene.pass(2500);
    expect(await waitingInVain).toBe('limit: no media worker is up');
  });

  it('starts if one worker does; the others are tried again', async () => {
    scene = new Scene(2);
    let launched = 0;
    scene.prepare = (worker) => {
      if (++launched === 1) queueMicrotask(() => worker.die('exit status 7: Cannot find module'));
    };
    await scene.engine.start();
    expect(scene.engine.statuses.map(({ isReady }) => isReady)).toEqual([false, true]);
    await scene.pass(100);
    expect(scene.engine.statuses.map(({ isReady }) => isReady)).toEqual([true, true]);
  });

  it('does not start if none does', async () => {
    scene = new Scene(2);
    scene.prepare = (worker) => queueMicrotask(() => worker.die('exit status 7'));
    expect(await failure(scene.engine.start())).toBe('internal: no media worker could be started');
  });

  it('takes nothing once it is stopped, and tells no leg of it', async () => {
    scene = await Scene.started();
    const endpoint = await scene.rtp('a');
    const seen = eventsOf(endpoint);
    await scene.engine.stop();
    expect(await failure(scene.rtp('b'))).toBe('unavailable: the media engine is not running');
    expect(await failure(endpoint.close())).toBe('none');
    expect(seen).toEqual([]);
    expect(scene.logger.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
