import type { MediaBridge } from '../../call/media-bridge.js';
import type { Clock } from '../../lib/clock.js';
import { deferred, type Deferred } from '../../lib/deferred.js';
import type { CallId, IdSource } from '../../lib/ids.js';
import type { Logger, LogLevels, LogLevelSource } from '../../lib/logger.js';
import type {
  MediaEngine,
  RtpEndpoint,
  RtpEndpointOptions,
  WebRtcEndpoint,
  WebRtcEndpointOptions,
} from '../media-engine.js';
import { MediaError } from '../media-error.js';
import { usageOf, type MediaUsage } from '../media-usage.js';
import type { CaptureListener, MediaCapture } from '../packet-capture.js';
import type { MediaWorker } from './media-worker.js';
import { portShares } from './port-shares.js';
import { RemoteBridge } from './remote-bridge.js';
import type { WorkerChannel } from './worker-channel.js';
import type { WorkerLoad } from './worker-messages.js';
import type { WorkerSettings } from './worker-settings.js';
import { WorkerSlot } from './worker-slot.js';

export interface WorkerMediaEngineOptions {
  /** How many. */
  readonly workers: number;
  /** Of all together: each gets its share of the ports. */
  readonly settings: WorkerSettings;
  /** Starts the process of a worker. */
  readonly launch: (name: string) => WorkerChannel;
  /** Which log lines of the workers are wanted; default: all. */
  readonly levels?: LogLevelSource;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly logger: Logger;
}

/** How one worker stands. */
export interface WorkerStatus {
  readonly name: string;
  readonly isReady: boolean;
  readonly pid: number | undefined;
  readonly calls: number;
  /** Workers of this name that ended without having been stopped. */
  readonly lost: number;
  /** As the worker said last; undefined while there is none. */
  readonly load: WorkerLoad | undefined;
}

/** Longest wait of a call while no worker is there: as long as the replacement of one that died takes. In milliseconds. */
const workerWaitMs = 2500;
/** More calls do not wait for a worker. */
const maxWaiting = 100;

/**
 * The media plane in processes of its own, each with its own event loop and ports: a packet never waits for signalling nor
 * signalling for a packet, and what ends one process ends that one's calls alone. All of a call is in one worker, which its
 * first endpoint chooses.
 */
export class WorkerMediaEngine implements MediaEngine, MediaCapture {
  readonly #slots: readonly WorkerSlot[];
  readonly #waiting = new Set<Deferred<undefined>>();
  readonly #captures = new Map<CallId, CaptureListener>();
  #levels: LogLevels = { level: 'debug', calls: {} };
  #state: 'new' | 'running' | 'stopped' = 'new';

  constructor(private readonly options: WorkerMediaEngineOptions) {
    const { workers, settings, launch, clock, ids, logger } = options;
    const rtpShares = portShares(settings.rtpPorts, workers);
    const webrtcShares = portShares(settings.webrtcPorts, workers);
    this.#slots = rtpShares.map((rtpPorts, index) => {
      const webrtcPorts = webrtcShares[index] ?? [0, 0];
      const common = { launch, clock, ids, logger, levels: () => this.#levels, onChange: () => this.#wake() };
      return new WorkerSlot({ ...common, name: String(index + 1), settings: { ...settings, rtpPorts, webrtcPorts } });
    });
    options.levels?.watchLevels((levels) => this.#setLevels(levels));
  }

  /** How each worker stands. */
  get statuses(): WorkerStatus[] {
    return this.#slots.map(({ name, ready, lost }) => ({
      ...{ name, lost, isReady: ready !== undefined, pid: ready?.pid },
      ...{ calls: ready?.calls ?? 0, load: ready?.load },
    }));
  }

  /** Of all workers, as they said last. */
  get usage(): MediaUsage {
    return usageOf(this.#slots.map((slot) => slot.usage));
  }

  /** Resolves when one worker is warmed up; those that fail to start are tried again. @throws MediaError if all fail */
  async start(): Promise<void> {
    this.#state = 'running';
    const all = Promise.all(this.#slots.map((slot) => slot.start()));
    await Promise.race([all, this.#firstReady()]);
    if (this.#ready.length === 0) throw new MediaError('internal', 'no media worker could be started');
  }

  async stop(): Promise<void> {
    this.#state = 'stopped';
    this.#wake();
    await Promise.all(this.#slots.map((slot) => slot.stop()));
  }

  async createWebRtcEndpoint(options: WebRtcEndpointOptions): Promise<WebRtcEndpoint> {
    await this.#expectWorkers();
    return this.#recorded(options.call).createWebRtcEndpoint(options);
  }

  async createRtpEndpoint(options: RtpEndpointOptions): Promise<RtpEndpoint> {
    await this.#expectWorkers();
    return this.#recorded(options.call).createRtpEndpoint(options);
  }

  createBridge(call: CallId): MediaBridge {
    const workerOf = (mediaId: string): MediaWorker | undefined =>
      this.#ready.find((worker) => worker.hasEndpoint(mediaId));
    return new RemoteBridge({ call, workerOf, logger: this.options.logger.child({ call }) });
  }

  capture(call: CallId, listener: CaptureListener): () => void {
    this.#captures.set(call, listener);
    for (const worker of this.#ready) if (worker.hasCall(call)) worker.capture(call, listener);
    return () => {
      if (this.#captures.get(call) !== listener) return;
      this.#captures.delete(call);
      for (const worker of this.#ready) worker.capture(call, undefined);
    };
  }

  /** The worker of a call, which knows first whether it is to be recorded. */
  #recorded(call: CallId): MediaWorker {
    const worker = this.#workerFor(call);
    const listener = this.#captures.get(call);
    if (listener) worker.capture(call, listener);
    return worker;
  }

  get #ready(): MediaWorker[] {
    return this.#slots.flatMap(({ ready }) => ready ?? []);
  }

  /** Where the call is already, else the lightest worker. The caller puts an endpoint there in the same breath, which counts for the next. */
  #workerFor(call: CallId): MediaWorker {
    const ready = this.#ready;
    const own = ready.find((worker) => worker.hasCall(call));
    if (own) return own;
    const [lightest] = ready.filter((worker) => !worker.isOverloaded).sort(byLoad);
    if (lightest) return lightest;
    throw new MediaError('limit', ready.length > 0 ? 'all media workers are overloaded' : 'no media worker is up');
  }

  #firstReady(): Promise<undefined> {
    const first = deferred<undefined>();
    this.#waiting.add(first);
    return first.promise.finally(() => this.#waiting.delete(first));
  }

  /** Waits for a worker where there is none, not long: the one that died may have been the only one. */
  async #expectWorkers(): Promise<void> {
    if (this.#state !== 'running') throw new MediaError('unavailable', 'the media engine is not running');
    if (this.#ready.length > 0) return;
    if (this.#waiting.size >= maxWaiting) throw new MediaError('limit', 'too many calls wait for a media worker');
    const turn = deferred<undefined>();
    this.#waiting.add(turn);
    const timer = this.options.clock.after(workerWaitMs, () => turn.resolve(undefined));
    await turn.promise;
    timer.cancel();
    this.#waiting.delete(turn);
  }

  #wake(): void {
    if (this.#ready.length === 0 && this.#state !== 'stopped') return;
    for (const turn of this.#waiting) turn.resolve(undefined);
  }

  #setLevels(levels: LogLevels): void {
    this.#levels = levels;
    for (const slot of this.#slots) slot.setLevels(levels);
  }
}

/** So many milliseconds of mean lateness of its event loop count as much as one call more. */
const latePerCallMs = 5;

/**
 * Fewest calls first, a late event loop counting as calls. A sum, not first the one and then the other: what a worker last said of
 * its event loop is half a second old, and all calls of a burst would go to one.
 */
function byLoad(a: MediaWorker, b: MediaWorker): number {
  const weight = ({ calls, load }: MediaWorker): number => calls + load.loopDelayMeanMs / latePerCallMs;
  return weight(a) - weight(b);
}
