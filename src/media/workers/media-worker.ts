import { endReason } from '../../call/end-reason.js';
import type { Clock, Timer } from '../../lib/clock.js';
import type { CallId, IdSource } from '../../lib/ids.js';
import type { Logger, LogLevels } from '../../lib/logger.js';
import type { RtpEndpoint, RtpEndpointOptions, WebRtcEndpoint, WebRtcEndpointOptions } from '../media-engine.js';
import { MediaError } from '../media-error.js';
import { noUsage } from '../media-usage.js';
import type { MediaTimeout } from '../media-watchdog.js';
import type { CaptureListener } from '../packet-capture.js';
import { fullEffort } from './coder-effort.js';
import { RemoteRtpEndpoint, RemoteWebRtcEndpoint, type EndpointHost, type RemoteEndpoint } from './remote-endpoint.js';
import { SetUpGate, type Leave } from './set-up-gate.js';
import type { WorkerChannel } from './worker-channel.js';
import { readFromWorker, type FromWorker, type Question, type ToWorker, type WorkerLoad } from './worker-messages.js';
import { WorkerPorts } from './worker-ports.js';
import { WorkerRequests } from './worker-requests.js';
import type { WorkerSettings } from './worker-settings.js';

export interface MediaWorkerOptions {
  readonly channel: WorkerChannel;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly logger: Logger;
  /** It is gone without having been stopped; its endpoints, of so many calls, have failed already. Comes once. */
  readonly onGone: (why: string, calls: number) => void;
}

/** Loading and warming up takes about a second, many times that on a machine under load. In milliseconds. */
const startDeadlineMs = 30_000;
/** Legs wait 5 s themselves; what has to be said of it is said before. */
const askDeadlineMs = 4000;
/** An `ask` that waits for the network of the worker: endpoints say goodbye. */
const stopDeadlineMs = 3000;
const exitDeadlineMs = 1000;

/** A worker reports twice a second; one that has said nothing in ten looks hangs. Looks are counted, not time, as it may be us who were late. */
const lookEveryMs = 500;
const maxQuietLooks = 10;
/** Messages that wait for a worker that does not read them. */
const maxUnsent = 5000;

/** Over this mean lateness of its event loop in two seconds on end a worker takes no new call. */
const lateLoopMs = 100;
const lateReports = 4;

const noLoad: WorkerLoad = {
  ...{ loopDelayMs: 0, loopDelayMeanMs: 0, cpuMs: 0, rssBytes: 0, endpoints: 0, lostLogLines: 0 },
  opusComplexity: fullEffort.complexity,
  usage: noUsage,
};

/**
 * One media worker as signalling sees it, from its start to its end.
 *
 * ```
 * starting ── start ──► ready ── stop ──► gone
 *     └── ended, hangs, speaks nonsense ──┘   (its endpoints fail, `onGone`)
 * ```
 */
export class MediaWorker implements EndpointHost {
  readonly #endpoints = new Map<string, RemoteEndpoint>();
  readonly #watches = new Map<CallId, (kind: MediaTimeout) => void>();
  readonly #captures = new Map<CallId, CaptureListener>();
  readonly #requests: WorkerRequests;
  readonly #gate: SetUpGate;
  readonly #ports: WorkerPorts;
  #state: 'starting' | 'ready' | 'stopping' | 'gone' = 'starting';
  #load = noLoad;
  #lateReports = 0;
  #quietLooks = 0;
  #look: Timer | undefined;
  #onEnd: () => void = () => undefined;

  constructor(private readonly options: MediaWorkerOptions) {
    const { channel, clock } = options;
    this.#requests = new WorkerRequests((message) => this.tell(message), clock);
    this.#gate = new SetUpGate(clock);
    this.#ports = new WorkerPorts(clock);
    channel.onMessage((message) => this.#read(message));
    channel.onEnd((why) => this.#end(why));
  }

  get isReady(): boolean {
    return this.#state === 'ready';
  }

  get pid(): number | undefined {
    return this.options.channel.pid;
  }

  /** As it said last. */
  get load(): WorkerLoad {
    return this.#load;
  }

  /** Its event loop has been late for so long that another call would harm those that it has. */
  get isOverloaded(): boolean {
    return this.#lateReports >= lateReports;
  }

  /** Calls that have an endpoint in it. */
  get calls(): number {
    return new Set([...this.#endpoints.values()].map(({ call }) => call)).size;
  }

  /** RTP ports that its calls have or had a moment ago. */
  get usedRtpPorts(): number[] {
    return this.#ports.used;
  }

  hasCall(call: CallId): boolean {
    return [...this.#endpoints.values()].some((endpoint) => endpoint.call === call);
  }

  hasEndpoint(id: string): boolean {
    return this.#endpoints.has(id);
  }

  /** Resolves when it is warmed up and takes calls. @throws MediaError, DeadlineError; it is gone then */
  async start(settings: WorkerSettings, levels: LogLevels): Promise<void> {
    this.#watchSilence();
    try {
      const configure = (request: number): ToWorker => ({ type: 'configure', request, settings, levels });
      await this.#requests.ask(configure, startDeadlineMs, 'start of a media worker');
    } catch (error) {
      this.#end(error instanceof Error ? error.message : 'did not start');
      throw error;
    }
    if (this.#state === 'starting') this.#state = 'ready';
  }

  /** Closes its endpoints and ends it. Never rejects. */
  async stop(): Promise<void> {
    if (this.#state === 'gone') return;
    this.#state = 'stopping';
    const { channel, clock } = this.options;
    const stop = (request: number): ToWorker => ({ type: 'stop', request });
    // What it has to say about its end is in its log lines.
    await this.#requests.ask(stop, stopDeadlineMs, 'stop of a media worker').catch(() => undefined);
    const ended = new Promise<void>((resolve) => (this.#onEnd = resolve));
    channel.close();
    if (!this.#isGone()) await Promise.race([ended, new Promise<void>((late) => clock.after(exitDeadlineMs, late))]);
    this.#end('stopped');
  }

  setLevels(levels: LogLevels): void {
    this.tell({ type: 'levels', levels });
  }

  async createWebRtcEndpoint(options: WebRtcEndpointOptions): Promise<WebRtcEndpoint> {
    const endpoint = new RemoteWebRtcEndpoint(this.options.ids.hex(8), options.call, this);
    await this.#create(endpoint, (request) => ({ type: 'create_webrtc', request, endpoint: endpoint.id, options }));
    return endpoint;
  }

  async createRtpEndpoint(options: RtpEndpointOptions): Promise<RtpEndpoint> {
    const endpoint = new RemoteRtpEndpoint(this.options.ids.hex(8), options.call, this);
    const port = await this.#create(endpoint, (request) => ({
      ...{ type: 'create_rtp' as const, request, endpoint: endpoint.id, options },
    }));
    endpoint.rtpPort = Number(port);
    this.#ports.take(endpoint.rtpPort);
    return endpoint;
  }

  /** Sets the one receiver of a bridge's media watchdog. */
  watch(call: CallId, listener: (kind: MediaTimeout) => void): void {
    this.#watches.set(call, listener);
  }

  unwatch(call: CallId): void {
    this.#watches.delete(call);
  }

  /** Records the audio of a call for this listener; without one, no more. */
  capture(call: CallId, listener: CaptureListener | undefined): void {
    if (this.#captures.get(call) === listener) return;
    if (listener) this.#captures.set(call, listener);
    else this.#captures.delete(call);
    this.tell({ type: 'capture', call, isOn: listener !== undefined });
  }

  ask(endpoint: string, question: Question, sdp?: string): Promise<unknown> {
    const message = (request: number): ToWorker => ({ type: 'ask', request, endpoint, question, sdp });
    return this.#requests.ask(message, askDeadlineMs, `media ${question}`);
  }

  tell(message: ToWorker): void {
    if (this.#state !== 'gone') this.options.channel.post(message);
  }

  enter(): Promise<Leave> {
    return this.#gate.enter();
  }

  forget(endpoint: RemoteEndpoint): void {
    this.#endpoints.delete(endpoint.id);
    if (endpoint instanceof RemoteRtpEndpoint) this.#ports.release(endpoint.rtpPort);
  }

  async #create(endpoint: RemoteEndpoint, message: (request: number) => ToWorker): Promise<unknown> {
    // Before it is there: what happens to it may be told before the answer has been read.
    this.#endpoints.set(endpoint.id, endpoint);
    try {
      return await this.#requests.ask(message, askDeadlineMs, 'media endpoint');
    } catch (error) {
      if (error instanceof MediaError) this.forget(endpoint);
      // It may still come: then it is closed.
      else endpoint.close().catch((err: unknown) => this.options.logger.warn('media endpoint not closed', { err }));
      throw error;
    }
  }

  #read(message: unknown): void {
    this.#quietLooks = 0;
    if (this.#state === 'gone') return;
    let read: FromWorker;
    try {
      read = readFromWorker(message);
    } catch (err) {
      this.options.logger.error('media worker is not understood', { err });
      return this.#end('speaks nonsense');
    }
    this.#take(read);
  }

  #take(message: FromWorker): void {
    switch (message.type) {
      case 'reply':
      case 'refusal':
        return this.#requests.settle(message);
      case 'event':
        return this.#endpoints.get(message.endpoint)?.receive(message.event);
      case 'timeout':
        return this.#watches.get(message.call)?.(message.kind);
      case 'captured':
        return void this.#captures.get(message.call)?.(message.batch);
      case 'log':
        return this.options.logger[message.level](message.message, message.fields);
      case 'beat':
        this.#load = message.load;
        this.#lateReports = message.load.loopDelayMeanMs > lateLoopMs ? this.#lateReports + 1 : 0;
    }
  }

  #watchSilence(): void {
    this.#look = this.options.clock.after(lookEveryMs, () => {
      if (this.#state === 'gone') return;
      this.#watchSilence();
      // Before it is ready it loads and compiles, which is one long task; its start has a deadline of its own.
      this.#quietLooks = this.#state === 'starting' ? 0 : this.#quietLooks + 1;
      if (this.#quietLooks >= maxQuietLooks) this.#end('hangs');
      else if (this.options.channel.unsent > maxUnsent) this.#end('does not read');
    });
  }

  #isGone(): boolean {
    return this.#state === 'gone';
  }

  #end(why: string): void {
    if (this.#isGone()) return;
    const isExpected = this.#state === 'stopping';
    this.#state = 'gone';
    this.#look?.cancel();
    this.options.channel.kill();
    const error = new MediaError('internal', 'the media worker ended');
    this.#requests.fail(error);
    this.#gate.close(error);
    const { calls } = this;
    for (const endpoint of [...this.#endpoints.values()]) this.#lose(endpoint, isExpected);
    this.#onEnd();
    if (!isExpected) this.options.onGone(why, calls);
  }

  /** One leg's fault must not keep the others from being told. */
  #lose(endpoint: RemoteEndpoint, isExpected: boolean): void {
    try {
      endpoint.lose(isExpected ? undefined : endReason('internal', { text: 'the media worker ended' }));
    } catch (err) {
      this.options.logger.error('leg failed over the end of its media', { call: endpoint.call, err });
    }
  }
}
